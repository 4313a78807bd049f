"""Alerts and requests of a replay with labels are those of the stream, in which labels come when they come."""

import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from support.evaluate_role import EvaluateRole
from support.events import MODEL, START_MS, model_section, rows

from monitor import models
from monitor.cli.app import run
from monitor.config.load import load, parse
from monitor.decisions.alert import Alert
from monitor.decisions.request import RetrainingRequest
from monitor.decisions.wire import decode_alert, decode_retraining
from monitor.events.decoder import MessageDecoder
from monitor.eventtime.watermark import Clock
from monitor.join.block import JoinMessage
from monitor.join.block import decode as decode_join
from monitor.join.block import encode as encode_join
from monitor.join.joiner import Joiner
from monitor.join.outgoing import blocks_by_partition
from monitor.join.state import DictStore
from monitor.reference.build import build_reference
from monitor.reference.opened import open_references
from monitor.reference.store import write_reference
from monitor.sketching.deltas import sketched
from monitor.sketching.messages import SketchMessage

HOUR_MS = 3_600_000
N, HOURS = 7_200, 40.0
BROKEN = range(12, 22)
"""Hours whose predictions get the other label."""
as_json = msgspec.json.Encoder().encode
Told = tuple[list[Alert], list[RetrainingRequest]]


def label_of(i: int, row: dict[str, Any], chance: Random) -> dict[str, Any]:
    """Up to two hours after its prediction, right in four of five."""
    right = chance.random() < (0.8 if (row["timestamp"] - START_MS) // HOUR_MS not in BROKEN else 0.3)
    said = row["prediction"]["label"]
    label = said if right else "no" if said == "yes" else "yes"
    at_ms = row["timestamp"] + chance.randrange(10 * 60_000, 2 * HOUR_MS)
    return {"model": MODEL, "prediction_id": str(i), "timestamp": at_ms, "label": label}


def truth(n: int, seed: int, hours: float) -> bytes:
    chance = Random(seed)
    made = [label_of(i, {**row, "timestamp": START_MS}, chance) for i, row in enumerate(rows(n, seed, hours))]
    return b"\n".join(map(as_json, made))


def stream() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Predictions and labels, each in the order in which they are sent: that of their times."""
    chance, found = Random(3), list(rows(N, seed=5, hours=HOURS))
    labels = [label_of(i, row, chance) for i, row in enumerate(found)]
    return sorted(found, key=_time), sorted(labels, key=_time)


def _time(row: dict[str, Any]) -> int:
    at_ms: int = row["timestamp"]
    return at_ms


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    section = model_section(
        folder, label_horizon="6h", windows=[{"size": "1h"}],
        alerts={"raise": "verdicts, 2 of 2", "cooldown": "1h", "resolve_after": "2h"},
        retraining={"min_labels": 100, "cooldown": "12h", "require_confirmation": False},
    )  # fmt: skip
    (folder / "truth.jsonl").write_bytes(truth(20_000, 0, 48.0))
    model = parse(msgspec.yaml.encode({"models": [section]}).decode(), folder=folder).models[0]
    built = build_reference(model, folder / "reference.jsonl", labels=folder / "truth.jsonl")
    write_reference(model.reference, built.reference)
    document = {"models": [section], "metrics": {"listen": "off"}, "kafka": {"sketch_partitions": 1}}
    (folder / "driftline.yaml").write_bytes(msgspec.yaml.encode(document))
    predictions, labels = stream()
    (folder / "events.jsonl").write_bytes(b"\n".join(map(as_json, predictions)))
    (folder / "labels.jsonl").write_bytes(b"\n".join(map(as_json, labels)))
    return folder / "driftline.yaml"


def replayed(config: Path, out: Path, events: str = "events.jsonl", labels: str = "labels.jsonl") -> Told:
    folder = config.parent
    arguments = ["--predictions", str(folder / events), "--labels", str(folder / labels), "--out", str(out)]
    assert run(["replay", str(config), *arguments]) == 0
    alerts, requests = ((out / f"{name}.jsonl").read_bytes().splitlines() for name in ("alerts", "retraining"))
    return [decode_alert(one).data for one in alerts], [decode_retraining(one).data for one in requests]


def live(config: Path, size: int, lag: int = 0) -> Told:
    """What the stream tells of so many events and labels a commit, the join being some commits behind."""
    loaded = load(config)
    references = open_references(loaded)
    watched = models.watched(loaded, references)
    role = EvaluateRole(loaded, references)
    joiner, messages = Joiner(models.join_models(loaded)), models.performance_messages(loaded, references)
    blocks = models.prediction_blocks(loaded, references)
    decoder, of_labels = MessageDecoder(models.model_specs(loaded, references)), models.label_decoder(loaded)
    store = DictStore()

    def joined(number: int, message: JoinMessage) -> None:
        step = joiner.advance(store, decode_join(encode_join(message)), number)
        assert step is not None
        for _, made in messages.of(step, 0):
            role.send(made)
        step.apply(store.rows)

    now_ms, waiting = int(time.time() * 1000), list[JoinMessage]()
    n_joined = 0
    for predictions, labels, clocks in commits(size):
        batches = decoder.decode_messages(list(map(as_json, predictions)), None, "predictions", now_ms).batches
        read = of_labels.decode(list(map(as_json, labels)), None, now_ms).batches if labels else []
        deltas = sketched(batches, {MODEL: references[MODEL].current}, {one.name: one for one in watched})
        role.send(SketchMessage(deltas=deltas, clocks=clocks[:1], n_partitions={"p": 1}))
        made, given = blocks_by_partition(batches, read, blocks, 1).get(0, ([], []))
        waiting.append(JoinMessage(predictions=made, labels=given, clocks=clocks, n_partitions={"p": 1, "l": 1}))
        while len(waiting) > lag:
            joined(n_joined, waiting.pop(0))
            n_joined += 1
    for message in waiting:
        joined(n_joined, message)
        n_joined += 1
    return role.told


def commits(size: int) -> Iterator[tuple[list[dict[str, Any]], list[dict[str, Any]], list[Clock]]]:
    """Of both topics what was sent in turn, with the time of the last of each."""
    merged = sorted([(row["timestamp"], number, row) for number, own in enumerate(stream()) for row in own],
                    key=lambda one: one[:2])  # fmt: skip
    last: list[int | None] = [None, None]
    for first in range(0, len(merged), size):
        part = merged[first : first + size]
        own = [[row for _, number, row in part if number == which] for which in (0, 1)]
        last = [max([*map(_time, own[which])], default=last[which]) for which in (0, 1)]
        clocks = [Clock(topic=name, partition=0, max_event_ms=at_ms) for name, at_ms in zip("pl", last, strict=True)]
        yield own[0], own[1], clocks


@pytest.mark.parametrize(("size", "lag"), [(60, 2), (333, 0)])
def test_a_replay_tells_what_the_stream_told_when_labels_came(
    config: Path, tmp_path: Path, size: int, lag: int
) -> None:
    alerts, requests = replayed(config, tmp_path / "out")
    assert (alerts, requests) == live(config, size, lag)
    performance = [(one.state, (one.at_ms - START_MS) // HOUR_MS) for one in alerts if one.cause == "performance"]
    (raised, first), (resolved, last) = [one for one in performance if one[0] != "updated"]
    assert (raised, resolved) == ("raised", "resolved")
    assert BROKEN.start < first < BROKEN.stop < last < HOURS, "while it is so, not at the end of the file"
    assert [(one.status, "performance" in one.causes) for one in requests] == [("requested", True)]


def test_a_join_that_is_hours_behind_tells_the_same_losses_later(config: Path, tmp_path: Path) -> None:
    alerts, requests = replayed(config, tmp_path / "out")
    late_alerts, late_requests = live(config, 333, 10)
    raised, late = ([one for one in own if one.state == "raised"] for own in (alerts, late_alerts))
    assert {(one.cause, one.onset_ms) for one in raised} == {(one.cause, one.onset_ms) for one in late}
    assert all(one.at_ms < other.at_ms for one, other in zip(raised, late, strict=True))
    assert [one.status for one in requests] == [one.status for one in late_requests]


def test_the_order_of_both_files_changes_nothing(config: Path, tmp_path: Path) -> None:
    chance = Random(1)
    for name in ("events", "labels"):
        lines = (config.parent / f"{name}.jsonl").read_bytes().splitlines()
        chance.shuffle(lines)
        (config.parent / f"mixed-{name}.jsonl").write_bytes(b"\n".join(lines))
    mixed = replayed(config, tmp_path / "mixed", "mixed-events.jsonl", "mixed-labels.jsonl")
    assert mixed == replayed(config, tmp_path / "out")
