"""A policy over stored verdicts: the alerts that the stream would have had, and a second policy beside it."""

import dataclasses
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.batches import batch_of
from support.decisions import DAY_MS

from detectors.examples import reference_of
from monitor import wiring
from monitor.cli.app import run
from monitor.config import parse
from monitor.config.load import load
from monitor.config.rates import RaiseRule
from monitor.decisions.backtest import backtest, timeline
from monitor.decisions.stage import DecisionStage, policies_of
from monitor.decisions.wire import encode_alert
from monitor.reference.store import write_reference
from sinks.records import RECORDS

VERDICT, WINDOW = RECORDS["drift_verdict"], RECORDS["window"]
CONFIG: dict[str, Any] = {"models": [{"name": "m", "reference": "r"}]}
POLICY = {"alerts": {"raise": "verdicts"}, "retraining": {"require_confirmation": False}}


def rows(
    days: Iterable[int], strong: Callable[[int], bool], reference: str = "ab", drifting: str = "x"
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    verdicts, windows = [], []
    for number in days:
        common = {
            "model": "m", "version": "1", "segment": "", "window_start_ms": number * DAY_MS,
            "window_end_ms": (number + 1) * DAY_MS, "reference": reference, "revision": 1,
        }  # fmt: skip
        for column in "xabcdefghi":
            drifted = column in drifting and strong(number)
            verdicts.append(
                {
                    **common, "column": column, "compare": "pinned", "drifted": drifted,
                    "p_value": 1e-5 if drifted else 0.5, "q_value": 1e-5 if drifted else 0.5, "method": "ks",
                    "effect": 0.2 if drifted else 0.0, "threshold": 0.1, "direction": "up" if drifted else "none",
                    "quantity": "mean" if drifted else "", "before": 1.0, "after": 2.0, "n_reference": 9,
                    "n_current": 9,
                }
            )  # fmt: skip
        windows.append(
            {
                **common, "events": 1_000, "with_features": 1_000, "with_prediction": 1_000, "both": 1_000,
                "columns_scored": 1, "columns_not_scored": 0, "reason": "",
            }
        )  # fmt: skip
    return verdicts, windows


def strong(number: int) -> bool:
    return number == 5 or 20 <= number < 40


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    verdicts, windows = rows(range(60), strong)
    pq.write_table(pa.Table.from_batches([batch_of(VERDICT, verdicts)]), tmp_path / VERDICT.file)
    pq.write_table(pa.Table.from_batches([batch_of(WINDOW, windows)]), tmp_path / WINDOW.file)
    (tmp_path / "driftline.yaml").write_bytes(msgspec.yaml.encode(CONFIG))
    (tmp_path / "policy.yaml").write_bytes(msgspec.yaml.encode(POLICY))
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], folder: Path, *more: str) -> tuple[int, str, str]:
    code = run(["backtest", str(folder / "driftline.yaml"), "--scores", str(folder), *more])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_it_tells_what_the_stream_would_have_told() -> None:
    verdicts, windows = rows(range(60), strong)
    policies = policies_of(parse(msgspec.yaml.encode(CONFIG).decode(), environ={}))
    stage, state, told = DecisionStage(policies), {}, []
    for number in range(60):
        parts = [batch_of(VERDICT, verdicts[10 * number : 10 * number + 10]), batch_of(WINDOW, [windows[number]])]
        step = stage.advance(state, parts, offset=number)
        state.update(step.writes)  # type: ignore[arg-type]
        told += step.alerts
    found = backtest("x", policies, [batch_of(VERDICT, verdicts), batch_of(WINDOW, windows)])
    assert list(map(encode_alert, found.alerts)) == list(map(encode_alert, told))
    assert [one.state for one in found.alerts] == ["raised", "resolved"]
    assert found.n_windows == 60


def test_two_policies_stand_side_by_side(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, folder, "--policy", str(folder / "policy.yaml"))
    assert code == 0
    assert "as configured: 60 windows, 1 alert raised, 0 updates, 1 resolved, 0 requests to retrain, 1 held back" in out
    assert "policy.yaml: 60 windows, 2 alerts raised, 0 updates, 2 resolved, 2 requests to retrain" in out
    assert out.splitlines()[-1].startswith("Next: ")


def test_as_json_it_is_one_object_with_every_alert(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, folder, "--json", "--policy", str(folder / "policy.yaml"))
    assert code == 0
    first, second = json.loads(out)["policies"]
    assert (first["name"], second["name"]) == ("as configured", "policy.yaml")
    assert [one["state"] for one in first["alerts"]] == ["raised", "resolved"]
    assert second["requests"][0]["status"] == "requested"


def test_only_windows_of_the_time_that_is_asked_for_count(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, folder, "--since", "1970-01-01", "--until", "1970-01-15")
    assert (code, "14 windows, 0 alerts raised" in out) == (0, True)
    assert "No window lies in that time" in said(capsys, folder, "--since", "2030-01-01")[1]
    code, _, err = said(capsys, folder, "--since", "soon")
    assert (code, "--since is no time" in err) == (2, True)


@pytest.mark.parametrize(("kept", "first"), [({}, "a"), ({"x": 5.0}, "x")])
def test_what_the_reference_keeps_of_importance_counts_as_it_does_on_the_stream(
    folder: Path, capsys: pytest.CaptureFixture[str], kept: dict[str, float], first: str
) -> None:
    """In a backtest, beside a second policy that says otherwise, and in a diagnosis."""
    reference = reference_of(np.arange(100.0)).with_importance(kept)
    reference.model, reference.version = "m", "7"
    write_reference(folder / "r", reference)
    verdicts, windows = rows(range(40), strong, reference.digest, "xa")
    pq.write_table(pa.Table.from_batches([batch_of(VERDICT, verdicts)]), folder / VERDICT.file)
    pq.write_table(pa.Table.from_batches([batch_of(WINDOW, windows)]), folder / WINDOW.file)
    (folder / "policy.yaml").write_bytes(msgspec.yaml.encode({"alerts": {"importance": {"a": 9.0}}}))
    _, out, _ = said(capsys, folder, "--json", "--policy", str(folder / "policy.yaml"))
    own, other = json.loads(out)["policies"]
    told = [(one["column"], one["importance"]) for one in own["alerts"][0]["columns"]]
    assert told == sorted({"a": 1.0, "x": 1.0, **kept}.items(), key=lambda one: one[0] != first)
    assert [one["column"] for one in other["alerts"][0]["columns"]] == ["a", "x"]
    assert [one["reference_version"] for one in own["requests"]] == ["7"]
    assert run(["diagnose", str(folder / "driftline.yaml"), "--scores", str(folder), "--json"]) == 0
    sentence = json.loads(capsys.readouterr().out)["steps"][2]["sentences"][0]
    assert f"Mean of {first} " in sentence


def test_without_the_reference_it_says_so_and_goes_by_the_configuration(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = said(capsys, folder)
    assert (code, "1 alert raised" in out) == (0, True)
    assert "without the reference alerts go by the configuration alone" in err


def test_a_folder_that_has_no_verdicts_is_told_what_writes_them(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / VERDICT.file).unlink()
    code, _, err = said(capsys, folder)
    assert code == 2
    assert "driftline replay" in err


def test_over_the_database_it_tells_what_it_tells_over_a_replays_folder(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the last revisions, and of the time that is asked for."""
    pytest.importorskip("chdb", reason="the embedded engine is not installed")
    dsn = f"chdb://{folder / 'clickhouse'}"
    document = {**CONFIG, "destinations": {"here": {"type": "clickhouse", "dsn": dsn}}}
    (folder / "driftline.yaml").write_bytes(msgspec.yaml.encode(document))
    days = range(20_000, 20_060)
    verdicts, windows = rows(days, lambda number: strong(number - 20_000))
    before = [{**one, "drifted": True, "q_value": 1e-9, "effect": 0.5, "revision": 0} for one in verdicts]
    config = load(folder / "driftline.yaml")
    wiring.migrate(config)
    opened = wiring.open_destination(config, "here")
    opened.setup()
    for record, own in ((VERDICT, [*before, *verdicts]), (WINDOW, windows)):
        opened.write([batch_of(record, own)])
    opened.close()
    for record, own in ((VERDICT, verdicts), (WINDOW, windows)):
        pq.write_table(pa.Table.from_batches([batch_of(record, own)]), folder / record.file)
    for more in ([], ["--since", "2024-10-08", "--until", "2024-11-01"]):
        code, out, err = said(capsys, folder, "--json", *more)
        assert run(["backtest", str(folder / "driftline.yaml"), "--scores", "clickhouse", "--json", *more]) == code == 0
        assert json.loads(capsys.readouterr().out) == json.loads(out), err
        assert json.loads(out)["policies"][0]["n_windows"] == (24 if more else 60)


def test_a_timeline_has_a_line_a_moment_and_a_text_a_policy() -> None:
    verdicts, windows = rows(range(60), strong)
    batches = [batch_of(VERDICT, verdicts), batch_of(WINDOW, windows)]
    (own,) = policies_of(parse(msgspec.yaml.encode(CONFIG).decode(), environ={}))
    plain = msgspec.structs.replace(own.alerts, raise_when=RaiseRule(k=1, n=1))
    runs = [backtest("a", [own], batches), backtest("b", [dataclasses.replace(own, alerts=plain)], batches)]
    lines = timeline(runs)
    assert [one.at_ms for one in lines] == sorted({one.at_ms for run in runs for one in (*run.alerts, *run.requests)})
    assert all(len(one.told) == 2 for one in lines)
    assert lines[0].told[0] == ""
    assert lines[0].told[1].startswith("raised data_drift [warning]: x")
