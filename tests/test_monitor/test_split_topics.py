"""Predictions on one topic and features on another: the rows of `replay` over all of them, and no drift."""

import contextlib
import uuid
from pathlib import Path

import msgspec
from support.brokers import Broker
from support.events import model_section, rows
from support.installation import Installation
from support.results import assert_same, delivered, replayed

from monitor.cli.offline import replay_file
from monitor.kafka.progress import GroupProgress

N = 8_000
HOURS = 12.0


def test_predictions_and_features_on_topics_of_their_own_show_no_drift(kafka: Broker, tmp_path: Path) -> None:
    drift = [{"method": "psi", "threshold": 0.2}, {"method": "ks", "threshold": 0.1}]
    drift += [{"method": "missing"}, {"method": "coverage"}]
    section = model_section(tmp_path / "model", drift=drift, segments=[])
    events = list(rows(N, seed=3, hours=HOURS))
    encode = msgspec.json.Encoder().encode
    predictions, features = (
        [encode({key: value for key, value in event.items() if key != left_out}) for event in events]
        for left_out in ("features", "prediction")
    )
    name = f"t{uuid.uuid4().hex[:8]}"
    installation = Installation(tmp_path / "installation", kafka.bootstrap_servers, name, [section])
    with contextlib.closing(installation):
        installation.prepare(2)
        for role in ("ingest", "evaluate", "deliver"):
            installation.start(role, f"{role}-0")
        installation.send(predictions, 2)
        topic = installation.config.kafka.topics.features[0]
        installation.send(features, 1, topic=topic)
        group = f"{installation.config.kafka.consumer_group}-ingest"
        with contextlib.closing(GroupProgress(installation.config.kafka, group, topic)) as progress:
            installation.wait_for(progress.caught_up, "ingest to read all features", 240.0)
        installation.wait_until_done()
        installation.stop()
        found = delivered(installation)
        windows = installation.query(
            "SELECT sum(events), sum(with_features), sum(with_prediction), sum(both) FROM windows_latest "
            "WHERE window_end - window_start = 3600"
        )
    data = tmp_path / "events.jsonl"
    data.write_bytes(b"\n".join([*predictions, *features]))
    replay = Installation(tmp_path / "replay", "127.0.0.1:1", "replay", [section])
    replay.close()
    replay_file(replay.path, data, tmp_path / "out", close=False)
    assert_same(found, replayed(tmp_path / "out"))
    assert len(found["drift_verdict"]) > 100
    assert [row for row in found["drift_verdict"] if row["drifted"]] == []
    ((n_events, with_features, with_prediction, both),) = windows
    assert (with_features, with_prediction, both) == (n_events / 2, n_events / 2, 0)
    assert n_events > N
