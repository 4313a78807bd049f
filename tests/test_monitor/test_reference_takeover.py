"""A model that was trained again takes over: its reference while the roles run, and what is told of the one before."""

import shutil
import uuid
from pathlib import Path
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs
from support.brokers import Broker
from support.events import START_MS, model_section, rows
from support.installation import Installation
from support.told import told

from monitor.cli.app import run
from monitor.config.load import parse
from monitor.config.schema import Config
from monitor.decisions.wire import decode_alert, decode_retraining
from monitor.reference.build import build_reference
from monitor.reference.opened import open_references
from monitor.reference.store import write_reference
from monitor.reference.watch import EVERY_S, ReferenceWatch

HOUR_MS = 3_600_000
encode = msgspec.json.Encoder().encode


def shifted(n: int, seed: int, hours: float, *, from_hour: float = 0.0, version: str = "1") -> list[dict[str, Any]]:
    """Events whose column `amount` lies two higher than in the reference of version 1."""
    made = list(rows(n, seed, hours))
    for row in made:
        row["features"]["amount"] += 2.0
        row["timestamp"] += int(from_hour * HOUR_MS)
        row["version"] = version
    return made


def config_of(folder: Path) -> Config:
    return parse(msgspec.yaml.encode({"models": [model_section(folder)]}).decode(), folder=folder)


def rebuild(config: Config, folder: Path, version: str) -> str:
    data = folder / "again.jsonl"
    data.write_bytes(b"\n".join(encode(row) for row in shifted(2_000, 7, 48.0)))
    model = config.models[0]
    return write_reference(model.reference, build_reference(model, data, version=version).reference)


def test_a_reference_that_is_built_again_is_seen_once_and_not_before_it_is_time(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    watch = ReferenceWatch(config, open_references(config))
    assert watch.changed(0.0) is None
    digest = rebuild(config, tmp_path, "2")
    assert watch.changed(EVERY_S / 2) is None
    found = watch.changed(EVERY_S)
    assert found is not None
    assert (found["m"].current.digest, found["m"].current.version) == (digest, "2")
    assert watch.changed(2 * EVERY_S) is None


@pytest.mark.parametrize("how", ["corrupt", "of another model", "gone"])
def test_a_reference_that_cannot_be_used_is_told_and_the_one_before_goes_on(tmp_path: Path, how: str) -> None:
    config = config_of(tmp_path)
    path = config.models[0].reference
    watch = ReferenceWatch(config, open_references(config))
    kept = path.read_bytes()
    path.unlink()
    if how == "corrupt":
        path.write_bytes(b"nothing")
    elif how == "of another model":
        section = {**model_section(tmp_path / "other"), "name": "n"}
        other = parse(msgspec.yaml.encode({"models": [section]}).decode(), folder=tmp_path)
        data = tmp_path / "other.jsonl"
        data.write_bytes(b"\n".join(encode({**row, "model": "n"}) for row in rows(2_000, 7, 48.0)))
        write_reference(other.models[0].reference, build_reference(other.models[0], data).reference)
        shutil.copyfile(other.models[0].reference, path)
    with capture_logs() as logs:
        assert watch.changed(EVERY_S) is None
    assert [line["log_level"] for line in logs] == ["error"]
    path.unlink(missing_ok=True)
    path.write_bytes(kept)
    assert watch.changed(2 * EVERY_S) is None, "it is the one that was there before"


def test_retraining_ends_with_the_new_versions_reference_and_the_alert_of_the_old_one_resolved(
    kafka: Broker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = {
        "alerts": {"raise": "verdicts, 2 of 2", "cooldown": "1h", "resolve_after": "1h"},
        "retraining": {"require_confirmation": False, "min_labels": 0},
        "windows": [{"size": "1h"}],
    }
    installation = Installation(
        tmp_path / "installation", kafka.bootstrap_servers, f"s{uuid.uuid4().hex[:8]}",
        [model_section(tmp_path / "model", **policy)],
    )  # fmt: skip
    try:
        installation.prepare(1)
        for role in ("ingest", "evaluate", "deliver"):
            installation.start(role, f"{role}-0", *(["clickhouse"] if role == "deliver" else []))
        installation.send(map(encode, shifted(3_000, 5, 12.0)), 1)
        installation.wait_for(lambda: bool(told(installation, "retraining")), "a request", 240.0, every_s=2.0)
        (asked,) = [decode_retraining(one).data for one in told(installation, "retraining")]
        assert asked.status == "requested"
        report = ["retraining", "report", str(installation.path), asked.dedupe_key, "--status", "succeeded"]
        assert run([*report, "--version", "2"]) == 0
        assert "Next: driftline reference build" in capsys.readouterr().out
        digest = rebuild(installation.config, tmp_path, "2")
        assert run([*report, "--version", "2"]) == 0
        assert "Its reference is in place" in capsys.readouterr().out
        log = installation.folder / "roles.log"
        installation.wait_for(lambda: log.read_text().count("a new reference takes over") == 2, "ingest and deliver")
        installation.send(map(encode, shifted(3_000, 6, 12.0, from_hour=13.0, version="2")), 1)
        installation.wait_for(
            lambda: any(b'"resolved"' in one for one in told(installation, "alerts")), "the end", 240.0, every_s=2.0
        )
        installation.wait_until_done()
        alerts = [decode_alert(one).data for one in told(installation, "alerts")]
        requests = [decode_retraining(one).data for one in told(installation, "retraining")]
        installation.stop()
        drift = [one for one in alerts if one.cause == "data_drift" and one.state != "updated"]
        assert [(one.state, one.version) for one in drift] == [("raised", "1"), ("resolved", "1")]
        assert "version 2 has taken over" in drift[1].summary
        assert [(one.status, one.new_version) for one in requests] == [("requested", ""), ("succeeded", "2")]
        of_new = f"reference = '{digest}'"
        ((n_old, n_new),) = installation.query(
            f"SELECT countIf(NOT {of_new}), countIf({of_new}) FROM drift_verdicts_latest WHERE version = '2' "
            f"AND toUnixTimestamp64Milli(window_start) >= {START_MS + 13 * HOUR_MS}"
        )
        assert (n_old, n_new > 0) == (0, True)
        assert installation.query("SELECT uniqExact(reference) FROM references") == [(2,)]
    finally:
        installation.close()
