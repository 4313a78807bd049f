"""Replay tells what would have been told: CloudEvents in files, the same for any size of its parts."""

import time
from pathlib import Path
from typing import Any

import pytest
from support.events import START_MS, encoded, model_section
from support.installation import Installation

from monitor import models
from monitor.config.schema import Config
from monitor.decisions.stage import DecisionStage, policies_of
from monitor.decisions.wire import decode_alert, decode_retraining
from monitor.evaluation.batch import EvaluationBatch
from monitor.evaluation.evaluator import Evaluator
from monitor.evaluation.results import Source
from monitor.evaluation.state import SEAL_KEY
from monitor.eventtime.watermark import Clock
from monitor.files.read import iter_decoded
from monitor.reference.opened import open_references
from monitor.replay.replay import Replay, ReplayReport, run_replay
from monitor.sketching.deltas import sketched
from monitor.sketching.messages import SketchMessage, encode

N, HOURS = 4_000, 24.0
HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    folder = tmp_path_factory.mktemp("model")
    installation = Installation(folder, "127.0.0.1:1", "replay", [model_section(folder)])
    installation.close()
    return installation.config


def replayed(config: Config, events: list[bytes], out: Path, *, part: int, **more: Any) -> ReplayReport:
    references = open_references(config)
    replay = Replay(models.watched(config, references), {name: found.current for name, found in references.items()})
    out.mkdir()
    (out / "events.jsonl").write_bytes(b"\n".join(events))
    specs = models.model_specs(config, references)
    parts = iter_decoded(out / "events.jsonl", specs, int(time.time() * 1000), rows=part)
    stage = DecisionStage(policies_of(config))
    return run_replay((one.decoded for one in parts), replay, out, close=True, decisions=stage, **more)


def test_a_shift_in_the_second_half_is_an_alert_whatever_the_size_of_the_parts(config: Config, tmp_path: Path) -> None:
    events = list(encoded(N, 3, HOURS, shift=1.0))
    report = replayed(config, events, tmp_path / "a", part=500)
    (raised,) = [one for one in report.alerts if one.state == "raised" and one.cause == "data_drift"]
    assert "amount" in [one.column for one in raised.columns]
    half_ms = START_MS + int(HOURS / 2) * HOUR_MS
    assert abs(raised.onset_ms - half_ms) <= 2 * HOUR_MS
    assert raised.at_ms <= half_ms + 6 * HOUR_MS
    told = [decode_alert(line).data for line in (tmp_path / "a" / "alerts.jsonl").read_bytes().splitlines()]
    assert told == report.alerts
    asked = [decode_retraining(line).data for line in (tmp_path / "a" / "retraining.jsonl").read_bytes().splitlines()]
    assert asked == report.requests
    assert [one.status for one in asked] == ["held_back"]
    replayed(config, events, tmp_path / "b", part=97)
    for name in ("alerts.jsonl", "retraining.jsonl"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_stream_in_which_nothing_changes_tells_nothing(config: Config, tmp_path: Path) -> None:
    report = replayed(config, list(encoded(N, 4, HOURS)), tmp_path / "out", part=1_000)
    assert (report.alerts, report.requests) == ([], [])
    assert (tmp_path / "out" / "alerts.jsonl").read_bytes() == b""


def test_a_transaction_of_the_evaluator_holds_what_was_decided_and_a_crash_changes_nothing(
    config: Config, tmp_path: Path
) -> None:
    events = list(encoded(N, 3, HOURS, shift=1.0))
    report = replayed(config, events, tmp_path / "out", part=500)
    references = open_references(config)
    watched = models.watched(config, references)
    current = {name: found.current for name, found in references.items()}
    specs = models.model_specs(config, references)
    parts = [
        one.decoded for one in iter_decoded(tmp_path / "out" / "events.jsonl", specs, int(time.time() * 1000), rows=500)
    ]
    latest_ms = max(int(batch.timestamps_ms.max()) for part in parts for batch in part.batches)
    groups = [part.batches for part in parts] + [[]]
    for crashes in ({}, {2: False, 3: True, 5: True}):
        state: dict[bytes, bytes] = {}
        alerts: list[bytes] = []
        stage = DecisionStage(policies_of(config))
        seen_ms: int = 0
        for offset, group in enumerate(groups):
            seen_ms = max([seen_ms, *(int(batch.timestamps_ms.max()) for batch in group)])
            last = offset == len(groups) - 1
            clock = Clock(topic="t", partition=0, max_event_ms=latest_ms + 5 * HOUR_MS if last else seen_ms)
            message = SketchMessage(deltas=sketched(group, current, {one.name: one for one in watched}), clocks=[clock],
                                    n_partitions={"t": 1})  # fmt: skip
            source = Source(topic="t", partition=0, offset=offset)
            batch = EvaluationBatch(Evaluator(watched), state, stage)
            batch.add(encode(message), source)
            if offset in crashes:
                if crashes[offset]:  # all but the seal has reached the state
                    state.update({key: value for key, value in batch.writes.items() if key != SEAL_KEY and value})
                stage = DecisionStage(policies_of(config))
                batch = EvaluationBatch(Evaluator(watched), state, stage)
                batch.add(encode(message), source)
            alerts += [value for _, value in batch.alerts]
            for key, value in batch.writes.items():
                if value is None:
                    state.pop(key, None)
                else:
                    state[key] = value
        told = [decode_alert(value).data for value in alerts]
        assert [one for one in told if one.cause == "data_drift"] == [
            one for one in report.alerts if one.cause == "data_drift"
        ]
