"""Nothing is lost in silence: of files with anything wrong, every event is counted, rejected, late or left out, and the
screen says so."""

import bz2
import contextlib
import csv
import gzip
import io
import json
import re
from codecs import BOM_UTF8
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.anything import ROWS, columns, nested
from support.events import START_MS, model_section

from monitor.cli.app import run

HOUR_MS: Final = 3_600_000
FORMS: Final = ("jsonl", "csv", "parquet", "parts", "arrow")

ENCODINGS: Final = st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "utf-16"])
PACKED: Final[dict[str, Callable[[bytes], bytes]]] = {
    "as it is": lambda data: data,
    "gzip": gzip.compress,
    "zstd": lambda data: zstandard.compress(data),
    "bzip2": bz2.compress,
    "half": lambda data: data[: len(data) // 2],
    "half of a gzip": lambda data: gzip.compress(data)[: -len(data) // 3 - 9],
    "the end is zeros": lambda data: data + b"\0" * 7,
}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with a reference, and windows of an hour."""
    folder = tmp_path_factory.mktemp("accounting")
    (folder / "driftline.yaml").write_bytes(msgspec.yaml.encode({"models": [model_section(folder)]}))
    return folder / "driftline.yaml"


def json_lines(draw: st.DrawFn, rows: Sequence[dict[str, Any]]) -> tuple[bytes, int]:
    lines = [json.dumps(nested(row) if draw(st.booleans()) else row, ensure_ascii=draw(st.booleans())) for row in rows]
    bad = draw(
        st.lists(st.sampled_from(["no json", "17", '"text"', "null", "{", '{"model": "m"}', "\\", "{}}"]), max_size=4)
    )
    for line in bad:
        lines.insert(draw(st.integers(0, len(lines))), line)
    for _ in range(draw(st.integers(0, 2))):
        lines.insert(draw(st.integers(0, len(lines))), "")  # an empty line is no event
    end = draw(st.sampled_from(["\n", "\r\n"]))
    text = end.join(lines) + draw(st.sampled_from(["", end]))
    return text.encode(draw(ENCODINGS), "replace"), len(rows) + len(bad)


def delimited(draw: st.DrawFn, rows: Sequence[dict[str, Any]]) -> tuple[bytes, int]:
    names = sorted({name for row in rows for name in row})
    sink = io.StringIO()
    writer = csv.writer(sink, delimiter=draw(st.sampled_from([",", ";", "\t"])), lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        writer.writerow([row.get(name) for name in names])
    return sink.getvalue().encode(draw(ENCODINGS), "replace"), len(rows)


@st.composite
def files(draw: st.DrawFn) -> tuple[str, dict[str, bytes], int | None]:
    """What to name on the command line, the files by name, and how many events are in them; None: part is cut off."""
    form, rows = draw(st.sampled_from(FORMS)), draw(ROWS)
    if form == "parquet":
        sink = io.BytesIO()
        pq.write_table(columns(rows), sink, row_group_size=draw(st.integers(1, 30)))
        data, n = sink.getvalue(), len(rows)
    elif form == "arrow":
        table, out = columns(rows), pa.BufferOutputStream()
        options = pa.ipc.IpcWriteOptions(compression=draw(st.sampled_from([None, "lz4", "zstd"])))
        with draw(st.sampled_from([pa.ipc.new_file, pa.ipc.new_stream]))(out, table.schema, options=options) as writer:
            writer.write_table(table, max_chunksize=draw(st.integers(1, 30)))
        data, n = out.getvalue().to_pybytes(), len(rows)
    elif form == "parts":
        parts = [json_lines(draw, part) for part in (rows, draw(ROWS))]
        return "d", {f"d/part-{i}.jsonl": data for i, (data, _) in enumerate(parts)}, sum(n for _, n in parts)
    else:
        data, n = (json_lines if form == "jsonl" else delimited)(draw, rows)
    packed = draw(st.sampled_from(list(PACKED)))
    whole = packed in ("as it is", "gzip", "zstd", "bzip2")
    return f"f.{form}", {f"f.{form}": PACKED[packed](data)}, n if whole else None


def figures(screen: str) -> dict[str, int]:
    """The line that says what became of the events."""
    (line,) = re.findall(r"^([\d,]+) events?: ([^;]+);", screen, re.MULTILINE)
    parts = {what: int(n.replace(",", "")) for n, what in re.findall(r"(\d[\d,]*) ([^,;]+)", line[1])}
    return {"read": int(line[0].replace(",", "")), **parts}


def check(config: Path, name: str, parts: dict[str, bytes], n: int | None, *, close: bool) -> str:
    """Replay files and check the sums; returns what became of them: "told" or "refused"."""
    with TemporaryDirectory() as folder:
        for part, data in parts.items():
            (Path(folder) / part).parent.mkdir(exist_ok=True)
            (Path(folder) / part).write_bytes(data)
        out, err = io.StringIO(), io.StringIO()
        arguments = ["replay", config, "--predictions", Path(folder) / name, "--out", Path(folder) / "out"]
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run([str(argument) for argument in [*arguments, *(["--close"] if close else [])]])
        screen = out.getvalue()
        if code == 2:
            assert err.getvalue().startswith("error: "), err.getvalue()
            assert "events" not in screen
            return "refused"
        assert code in (0, 7), (code, err.getvalue())
        told = figures(screen)
        n_read = told.pop("read")
        assert n_read == sum(told.values()), screen
        assert n in (None, n_read), screen
        by_reason = re.findall(r"^([\d,]+) rejected \((\w+)\): \S", screen, re.MULTILINE)
        assert sum(int(count.replace(",", "")) for count, _ in by_reason) == told["rejected"], screen
        rejects = (Path(folder) / "out" / "rejects.jsonl").read_bytes().splitlines()
        assert len(rejects) == told["rejected"]
        windows = pq.read_table(Path(folder) / "out" / "windows.parquet").to_pylist()
        in_hours = sum(
            row["events"]
            for row in windows
            if not row["segment"] and row["window_end_ms"] - row["window_start_ms"] == HOUR_MS
        )
        assert in_hours == told["counted"], screen
        if close:
            assert "in windows that are not over" not in told
        return "told"


def test_a_line_that_holds_a_byte_order_mark_alone_is_no_event(config: Path) -> None:
    event = json.dumps({"model": "m", "timestamp": START_MS}).encode()
    assert check(config, "f.jsonl", {"f.jsonl": BOM_UTF8 + b"\n" + event + b"\n"}, 1, close=True) == "told"


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(case=files(), close=st.booleans())
def test_every_event_of_a_file_is_in_the_printed_sum(config: Path, case: tuple[Any, ...], close: bool) -> None:
    check(config, *case, close=close)


@pytest.mark.long
@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(case=files(), close=st.booleans())
def test_every_event_of_500_files_is_in_the_printed_sum(config: Path, case: tuple[Any, ...], close: bool) -> None:
    check(config, *case, close=close)
