"""Decisions are replayed as they were, with what people and pipelines said meanwhile."""

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.evaluate_role import EvaluateRole
from support.events import MODEL, START_MS, model_section, rows

from monitor import models
from monitor.cli.app import run
from monitor.config.load import load
from monitor.decisions.controls import (
    Acknowledgement,
    Control,
    Removed,
    RetrainingOutcome,
    Rollout,
    Silence,
    encode_control,
)
from monitor.events.decoder import MessageDecoder
from monitor.eventtime.watermark import Clock
from monitor.reference.opened import open_references
from monitor.sketching.deltas import sketched
from monitor.sketching.messages import SketchMessage
from monitor.sketching.unread import unread_counts

HOUR_MS = 3_600_000
N, HOURS = 12_000, 48.0
POLICY: dict[str, Any] = {
    "alerts": {"raise": "verdicts, 2 of 2", "cooldown": "1h", "resolve_after": "1h"},
    "retraining": {"require_confirmation": False, "min_labels": 0, "cooldown": "1h", "budget": "100 per 30d"},
    "windows": [{"size": "1h"}],
}
as_json = msgspec.json.Encoder().encode


def stream() -> list[dict[str, Any]]:
    """The column `amount` moves for six hours out of twelve."""
    found = list(rows(N, seed=3, hours=HOURS))
    for i, row in enumerate(found):
        row["features"]["amount"] += 2.0 if int(i * HOURS / N) % 12 >= 6 else 0.0
    return sorted(found, key=lambda row: row["timestamp"])


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    path = folder / "driftline.yaml"
    section = model_section(folder, **POLICY)
    path.write_bytes(msgspec.yaml.encode({"models": [section], "metrics": {"listen": "off"}}))
    (folder / "events.jsonl").write_bytes(b"\n".join(map(as_json, stream())))
    return path


def replayed(config: Path, out: Path, controls: list[Control] | None = None) -> tuple[list[bytes], list[bytes]]:
    arguments = ["replay", str(config), "--predictions", str(config.parent / "events.jsonl"), "--out", str(out)]
    if controls is not None:
        file = out.with_suffix(".controls")
        file.write_bytes(b"\n".join(encode_control(one)[1] for one in controls) + b"\n\n")
        arguments += ["--controls", str(file)]
    assert run(arguments) == 0
    alerts, requests = (out / f"{name}.jsonl" for name in ("alerts", "retraining"))
    return alerts.read_bytes().splitlines(), requests.read_bytes().splitlines()


def live(config: Path, controls: list[Control], size: int) -> tuple[list[bytes], list[bytes]]:
    """What the stream tells: `size` events a message, and each control in a message of its own when it is said."""
    loaded = load(config)
    references = open_references(loaded)
    cuts = {one.name: one for one in models.watched(loaded, references)}
    role = EvaluateRole(loaded, references)
    decoder = MessageDecoder(models.model_specs(loaded, references))

    def send_events(events: list[dict[str, Any]]) -> None:
        for first in range(0, len(events), size):
            values = list(map(as_json, events[first : first + size]))
            decoded = decoder.decode_messages(values, None, "predictions", int(time.time() * 1000))
            unread = unread_counts(decoded, cuts, lambda reject: reject.time_ms)
            deltas = sketched(decoded.batches, {MODEL: references[MODEL].current}, cuts)
            clock = Clock(topic="t", partition=0, max_event_ms=int(decoded.batches[0].timestamps_ms.max()))
            role.send(SketchMessage(deltas=deltas, unread=unread, clocks=[clock], n_partitions={"t": 1}))

    left = stream()
    for control in sorted(controls, key=lambda one: one.at_ms):
        send_events([row for row in left if row["timestamp"] < control.at_ms])
        left = [row for row in left if row["timestamp"] >= control.at_ms]
        role.send(SketchMessage(controls=[control]))
    send_events(left)
    return role.alerts, role.requests


def said(config: Path, out: Path) -> list[Control]:
    """Of everything something, about what was told without any of it."""
    alerts, requests = replayed(config, out)
    assert len(requests) >= 2
    alert = msgspec.json.decode(alerts[0])["data"]
    request = msgspec.json.decode(requests[0])["data"]
    at = [START_MS + int(hour * HOUR_MS) for hour in (9.4, 10.1, 20.2, 22.3, 30.5, 47.9)]
    until_ms = START_MS + 99 * HOUR_MS
    return [
        Acknowledgement(id="a", model=MODEL, at_ms=at[0], dedupe_key=alert["dedupe_key"], by="ada"),
        RetrainingOutcome(
            id="o", model=MODEL, at_ms=at[1], dedupe_key=request["dedupe_key"], status="succeeded", version="2"
        ),
        Rollout(id="r", model=MODEL, at_ms=at[2], from_ms=at[2], until_ms=until_ms),
        Removed(id="r", model=MODEL, at_ms=at[3]),
        Silence(id="s", model="", at_ms=at[4], from_ms=0, until_ms=until_ms, column="amount", reason="known"),
        RetrainingOutcome(id="late", model=MODEL, at_ms=at[5], dedupe_key="?", status="failed"),
    ]


@pytest.mark.parametrize("size", [N, 333])
def test_replay_with_the_controls_tells_what_the_stream_told(config: Path, tmp_path: Path, size: int) -> None:
    controls = said(config, tmp_path / "bare")
    found = replayed(config, tmp_path / "out", controls)
    assert found == live(config, controls, size)
    states = [msgspec.json.decode(one)["data"]["status"] for one in found[1]]
    assert states.count("succeeded") == 1
    assert found != replayed(config, tmp_path / "again", [])


def test_the_order_of_the_lines_matters_only_to_those_of_one_id(config: Path, tmp_path: Path) -> None:
    controls = said(config, tmp_path / "bare")
    mixed = [controls[number] for number in (5, 2, 0, 4, 3, 1)]
    assert replayed(config, tmp_path / "a", controls) == replayed(config, tmp_path / "b", mixed)


@pytest.mark.parametrize(
    ("line", "said"),
    [(b"{", "line 2: no control"), (encode_control(Removed(id="r", model="n", at_ms=1))[1], "line 2: no model 'n'")],
)
def test_what_is_no_control_is_refused_with_its_line(
    config: Path, tmp_path: Path, line: bytes, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "controls.jsonl"
    file.write_bytes(b"\n" + line)
    events = config.parent / "events.jsonl"
    arguments = ["replay", str(config), "--predictions", str(events), "--out", str(tmp_path / "out")]
    assert run([*arguments, "--controls", str(file)]) == 2
    assert said in capsys.readouterr().err
