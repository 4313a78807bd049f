"""`driftline diagnose` over a replay's folder, and over a destination that holds the same rows."""

import shutil
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest
from support.events import START_MS, encoded, model_section

from monitor import wiring
from monitor.cli.app import run
from monitor.config.load import load
from sinks.records import RECORDS

HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("diagnose")
    section = model_section(folder, windows=[{"size": "1h"}])
    destination = {"here": {"type": "clickhouse", "dsn": f"chdb://{folder / 'clickhouse'}"}}
    document = {"models": [section], "metrics": {"listen": "off"}, "destinations": destination}
    (folder / "driftline.yaml").write_bytes(msgspec.yaml.encode(document))
    (folder / "live.jsonl").write_bytes(b"\n".join(encoded(3_000, 3, 24.0, shift=1.0)))
    path = str(folder / "driftline.yaml")
    arguments = ["replay", path, "--predictions", str(folder / "live.jsonl"), "--out", str(folder / "out"), "--close"]
    assert run(arguments) == 0
    return folder


def test_a_shift_in_the_second_half_is_what_moved_and_without_labels_nothing_is_retrained(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    arguments = ["diagnose", str(folder / "driftline.yaml"), "--scores", str(folder / "out")]
    assert run(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("m: 25 windows")
    assert "3 events rejected: undecodable 3." in "\n".join(lines)
    assert any(line.startswith("3. Did inputs drift? yes, since ") for line in lines)
    assert lines[-1].startswith("What to do: nothing. No label shows a loss yet.")
    assert run([*arguments, "--json"]) == 0
    found = msgspec.json.decode(capsys.readouterr().out)
    assert abs(found["since_ms"] - START_MS - 12 * HOUR_MS) <= 2 * HOUR_MS
    assert "amount" in found["steps"][2]["sentences"][0]


def test_of_several_models_rejects_that_name_none_may_be_its_own_and_those_that_name_another_are_not(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = msgspec.yaml.decode((folder / "driftline.yaml").read_bytes())
    document["models"].append({**document["models"][0], "name": "n"})
    (tmp_path / "two.yaml").write_bytes(msgspec.yaml.encode(document))
    out = tmp_path / "out"
    shutil.copytree(folder / "out", out)
    with (out / "rejects.jsonl").open("ab") as lines:
        for model, reason in (("", "unknown_model"), ("m", "schema"), ("n", "schema")):
            row = {"model": model, "reason": reason, "detail": "", "raw": ""}
            lines.write(b"\n".join([msgspec.json.encode(row)] * 400) + b"\n")
    capsys.readouterr()
    assert run(["diagnose", str(tmp_path / "two.yaml"), "--model", "m", "--scores", str(out)]) == 0
    assert "403 events rejected: schema 400, undecodable (of no model) 3." in capsys.readouterr().out


def test_a_time_without_windows_is_an_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    arguments = ["diagnose", str(folder / "driftline.yaml"), "--scores", str(folder / "out"), "--since", "2030-01-01"]
    assert run(arguments) == 2
    assert "--since" in capsys.readouterr().err


def test_a_destination_with_the_same_rows_gives_the_same_answers(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("chdb", reason="the embedded engine is not installed")
    config = load(folder / "driftline.yaml")
    wiring.migrate(config)
    opened = wiring.open_destination(config, "here")
    opened.setup()
    for name in ("drift_verdict", "window"):
        record = RECORDS[name]
        table = pq.read_table(folder / "out" / record.file).select(record.schema.names).cast(record.schema)
        opened.write(table.to_batches())
    opened.close()
    capsys.readouterr()
    arguments = ["diagnose", str(folder / "driftline.yaml"), "--json"]
    assert run(arguments) == 0
    asked = msgspec.json.decode(capsys.readouterr().out)
    assert run([*arguments, "--scores", str(folder / "out")]) == 0
    read = msgspec.json.decode(capsys.readouterr().out)
    assert asked["steps"][1:] == read["steps"][1:]
    assert (asked["action"], asked["since_ms"], asked["n_windows"]) == (read["action"], read["since_ms"], 25)
