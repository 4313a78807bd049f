"""Files as people have them: one set of rows in many shapes is one reference, or the shape is named."""

import csv
import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.files import NOW_MS, TIME_MS, spec

from monitor.cli.app import run
from monitor.events.reasons import Reason
from monitor.files.documents import elements
from monitor.files.lines import read_lines
from monitor.files.read import iter_decoded, open_table

START: Final = datetime(2026, 1, 1, tzinfo=UTC)
Row = dict[str, Any]


def rows_of(seed: int, shift: float, day: int) -> list[Row]:
    rng = np.random.default_rng(seed)
    return [
        {
            "ts": (START + timedelta(days=day, minutes=3 * i)).strftime("%Y-%m-%d %H:%M:%S"),
            "amount": round(float(rng.normal(50 + shift, 10)), 2),
            "country": str(rng.choice(["DE", "FR", "IT"])),
            "score": round(float(rng.random()), 4),
        }
        for i in range(1_500)
    ]


def delimited(ending: str, mark: str, *, before: str = "", after: str = "") -> Callable[[Path, Sequence[Row]], Path]:
    def write(path: Path, rows: Sequence[Row]) -> Path:
        path = path.with_suffix(ending)
        with path.open("w", newline="") as file:
            file.write(before)
            writer = csv.DictWriter(file, list(rows[0]), delimiter=mark)
            writer.writeheader()
            writer.writerows(rows)
            file.write(after)
        return path

    return write


def european(path: Path, rows: Sequence[Row]) -> Path:
    own = [{**row, **{name: str(row[name]).replace(".", ",") for name in ("amount", "score")}} for row in rows]
    path = delimited(".csv", ";")(path, own)
    path.write_bytes(path.read_text().encode("utf-16"))
    return path


def document(ending: str, indent: int | None) -> Callable[[Path, Sequence[Row]], Path]:
    def write(path: Path, rows: Sequence[Row]) -> Path:
        path.with_suffix(ending).write_text(json.dumps(rows, indent=indent))
        return path.with_suffix(ending)

    return write


def one_after_another(path: Path, rows: Sequence[Row]) -> Path:
    path.with_suffix(".json").write_text("\n".join(json.dumps(row, indent=2) for row in rows))
    return path.with_suffix(".json")


def hive(path: Path, rows: Sequence[Row]) -> Path:
    for country in ("DE", "FR", "IT"):
        folder = path / f"country={country}"
        folder.mkdir(parents=True)
        own = [{key: row[key] for key in row if key != "country"} for row in rows if row["country"] == country]
        if country == "IT":
            one_after_another(folder / "part-0", own)
        else:
            pq.write_table(pa.Table.from_pylist(own), folder / "part-0.parquet")
    return path


def several_formats(path: Path, rows: Sequence[Row]) -> Path:
    path.mkdir()
    european(path / "part-0", rows[:400])
    delimited(".tsv", "\t")(path / "part-1", rows[400:800])
    typed = [{**row, "ts": datetime.fromisoformat(row["ts"]).replace(tzinfo=UTC)} for row in rows[800:]]
    table = pa.Table.from_pylist(typed)
    pq.write_table(table.slice(0, 300), path / "part-2.parquet")
    coded = table.set_column(2, "country", table["country"].dictionary_encode())
    feather.write_feather(coded.slice(300), path / "part-3.feather")
    return path


def hive_of_csv(path: Path, rows: Sequence[Row]) -> Path:
    for country in ("DE", "FR", "IT"):
        folder = path / f"country={country}"
        folder.mkdir(parents=True)
        own = [{key: row[key] for key in row if key != "country"} for row in rows if row["country"] == country]
        delimited(".csv", ",")(folder / "part-0", own)
    return path


def parts(path: Path, rows: Sequence[Row]) -> Path:
    path.mkdir()
    table = pa.Table.from_pylist(list(rows))
    coded = table.slice(500, 500).set_column(2, "country", table["country"].slice(500, 500).dictionary_encode())
    large = table.slice(1_000).set_column(2, "country", table["country"].slice(1_000).cast(pa.large_string()))
    for number, part in enumerate((table.slice(0, 500), coded, large)):
        pq.write_table(part, path / f"part-{number}.parquet")
    (path / "_SUCCESS").write_text("")
    (path / "notes.log").write_text("made by hand")
    return path


SHAPES: Final[dict[str, Callable[[Path, Sequence[Row]], Path]]] = {
    "commas": delimited(".csv", ","),
    "tabs": delimited(".tsv", "\t"),
    "tabs called csv": delimited(".csv", "\t"),
    "a spreadsheet of Europe": european,
    "bars": delimited(".csv", "|"),
    "a sum at the end": delimited(".csv", ",", after="Total,75000,,\n"),
    "an array of JSON": document(".json", None),
    "an array over many lines": document(".jsonl", 1),
    "objects over many lines": one_after_another,
    "folders of a column": hive_of_csv,
    "parts of other types": parts,
    "parts of other formats": several_formats,
}


@pytest.mark.parametrize("shape", SHAPES)
def test_three_commands_find_the_same_in_every_shape(
    shape: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    screens = []
    for write in (SHAPES["commas"], SHAPES[shape]):
        folder = tmp_path / f"{len(screens)}"
        folder.mkdir()
        old, new = write(folder / "old", rows_of(1, 0.0, 0)), write(folder / "new", rows_of(2, 8.0, 30))
        config, out = str(folder / "d.yaml"), str(folder / "out")
        assert run(["init", "--data", str(old), "--name", "m", "-o", config]) == 0
        if write is hive_of_csv:  # a column of folders is read where it is named
            screen = capsys.readouterr().out
            assert "folders are named by country: no column is made of that, unless `columns` or `segments`" in screen
            assert "1 feature: amount" in screen
            text = Path(config).read_text()
            assert "    windows: " in text
            Path(config).write_text(text.replace("    windows: ", "    segments: [country]\n    windows: "))
        assert run(["reference", "build", config, "--data", str(old)]) == 0
        assert run(["replay", config, "--predictions", str(new), "--out", out]) == 0
        screens.append(capsys.readouterr().out)
    digests = [re.findall(r"m\.ref \((\w{12})\)", screen) for screen in screens]
    assert digests[0] == digests[1] != []
    tables = [re.search(r"What drifted, largest effect first.*:\n(?:  .+\n)+", screen) for screen in screens]
    assert tables[0] is not None
    assert tables[1] is not None
    assert tables[0][0] == tables[1][0]
    assert "  amount" in tables[0][0]
    if shape == "a sum at the end":
        assert "left out: 1 row without a time that can be read: ts 'Total' is no time" in screens[1]
        assert "1 rejected (bad_timestamp): ts 'Total' is no time" in screens[1]
    if shape == "a spreadsheet of Europe":
        assert screens[1].count(".csv has semicolons between its cells\n") == 3
        assert screens[1].count(".csv has decimal commas: 3,5 is read as 3.5 in amount, score\n") == 3
    if shape == "parts of other types":
        assert screens[1].count("left out, by their names no data: notes.log") == 3
    if shape == "folders of a column":
        assert "folders are named" not in screens[1]


@pytest.mark.parametrize(
    ("write", "code", "words"),
    [
        (delimited(".csv", ",", before="# exported\n"), 7, "the first line must name the columns"),
        (delimited(".txt", ","), 2, "name it by what is in it"),
        (hive, 2, "events in JSON beside tables, of which no one table can be made: jsonl, parquet"),
    ],
)
def test_a_shape_that_is_not_read_is_named(
    write: Callable[[Path, Sequence[Row]], Path],
    code: int,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path / "old", rows_of(1, 0.0, 0))
    assert run(["init", "--data", str(path)]) == code
    assert words in capsys.readouterr().err.replace("\n", " ")


@pytest.mark.parametrize("at", ["01.02.2026 10:00", "02/01/2026 10:00 AM", "1 Feb 2026, 10:00"])
def test_a_time_in_another_notation_is_named(at: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = SHAPES["commas"](tmp_path / "old", [{**row, "ts": at} for row in rows_of(1, 0.0, 0)])
    assert run(["init", "--data", str(path), "-o", str(tmp_path / "d.yaml")]) == 2
    assert f"ts ({at!r}), if it is one: times are written as 2026-03-01T10:00:00Z" in capsys.readouterr().err


def test_columns_without_a_name_and_keys_beside_the_features_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = rows_of(1, 0.0, 0)
    indexed = SHAPES["commas"](tmp_path / "old", [{"": i, **row} for i, row in enumerate(rows)])
    assert run(["init", "--data", str(indexed), "-o", "a.yaml"]) == 0
    assert "2 features: amount, country" in capsys.readouterr().out
    assert run(["reference", "build", "a.yaml", "--data", str(indexed)]) == 0
    assert run(["replay", "a.yaml", "--predictions", str(indexed), "--out", "out"]) == 0
    assert "does not have it: a column without a name" in capsys.readouterr().out
    events = [{"at": row["ts"], "payload": {"amount": row["amount"]}, "say": {"so": row["score"]}} for row in rows]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    assert run(["init", "--data", "log.jsonl", "-o", "b.yaml"]) == 0
    assert "not read, for they lie beside these: say.so" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.json", b'{"data": [{"ts": "2026-01-01", "x": 1}]}', "it is one object: an array of objects"),
        ("a.jsonl", b"{}\n{}\n", "it has none"),
        ("a.zip", b"PK\x03\x04" + b"x" * 99, "a zip archive"),
        ("a.csv.xz", b"\xfd7zXZ\x00" + b"x" * 99, "compressed with xz"),
    ],
)
def test_what_is_no_table_says_what_it_is(
    name: str, content: bytes, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_bytes(content)
    assert run(["init", "--data", str(tmp_path / name), "-o", str(tmp_path / "d.yaml")]) == 2
    assert words in capsys.readouterr().err.replace("\n", " ")


VALUES: Final = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.lists(VALUES, max_size=5), st.sampled_from([None, 0, 4]), st.booleans(), st.integers(1, 30))
def test_the_elements_of_an_array_are_found_however_it_is_written_and_cut(
    values: list[Any], indent: int | None, ascii_alone: bool, size: int
) -> None:
    text = json.dumps(values, indent=indent, ensure_ascii=ascii_alone).encode()
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    found = list(elements(pieces, 1 << 20))
    assert [json.loads(one) for one in found] == values
    assert not any(b"\n" in one for one in found)


@pytest.mark.parametrize(
    ("lines", "whole"),
    [
        ([b"[", b'{"a": 1},', b'{"a": 2}', b"]"], True),
        ([b"[", b'{"a": 1}', b"]"], True),
        ([b'[{"a": 1},', b'{"a": 2}]'], True),
        ([b"[{", b'"a": 1', b"}]"], True),
        ([b"{", b'"a": 1', b"}"], True),
        ([b"{", b'{"a": 1}', b'{"a": 2}'], False),
        ([b"{", b"17", b'"text"'], False),
        ([b'{"a": ', b'{"a": 1}'], False),
        ([b"[", b'{"a": 1}', b'{"a": 2}'], False),
        ([b'[{"a": ', b'{"a": 1}', b'{"a": 2}'], False),
        ([b'{"a": 1}', b"]"], False),
        ([b"["], False),
        ([], False),
    ],
)
def test_a_broken_first_line_is_no_document(lines: list[bytes], whole: bool, tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    path.write_bytes(b"\n".join(lines))
    found = [line.strip() for block in read_lines(path) for line in block]
    if whole:
        values = json.loads(b"\n".join(lines))
        assert [json.loads(line) for line in found] == (values if isinstance(values, list) else [values])
    else:
        # Each by itself; of an array that is broken its element.
        assert [line.lstrip(b"[") for line in found] == [line.strip().lstrip(b"[") for line in lines]


def test_an_array_in_one_line_that_is_too_long_for_one_is_read_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.files.lines.MAX_LINE_BYTES", 1_000)
    values = [{"a": i} for i in range(500)]
    (tmp_path / "f.json").write_text(json.dumps(values))
    assert [json.loads(line) for block in read_lines(tmp_path / "f.json") for line in block] == values


def arrays_in_lines(path: Path) -> int:
    path.write_text(
        f"{json.dumps([{'a': i} for i in range(300)])}\n{json.dumps([{'a': i} for i in range(300, 400)])}\n"
    )
    return 400


def one_array(path: Path) -> int:
    path.write_text(json.dumps([{"a": i} for i in range(400)]))
    return 400


@pytest.mark.parametrize("cut_at", [1_000, 1 << 20])
@pytest.mark.parametrize("write", [arrays_in_lines, one_array])
def test_arrays_of_more_events_than_a_message_may_have_are_read_event_by_event(
    write: Callable[[Path], int], cut_at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.files.lines.MAX_LINE_BYTES", cut_at)
    n = write(tmp_path / "f.json")
    found = [line for block in read_lines(tmp_path / "f.json") for line in block]
    assert [json.loads(line) for line in found] == [{"a": i} for i in range(n)]


ODD_TEXTS: Final = st.text(alphabet='\\"{}[],y\n', max_size=40)


@settings(deadline=None)
@given(
    st.lists(st.dictionaries(ODD_TEXTS, ODD_TEXTS, max_size=2) | ODD_TEXTS, max_size=6),
    st.integers(0, 6),
    st.integers(1, 50),
    st.sampled_from([60, 200]),
)
def test_one_text_that_is_too_long_costs_its_own_element_alone(
    values: list[Any], place: int, size: int, most: int
) -> None:
    place = min(place, len(values))
    text = json.dumps([*values[:place], {"long": '{"[\\' * 100}, *values[place:]]).encode()
    found = list(elements([text[at : at + size] for at in range(0, len(text), size)], most))
    assert len(found) == len(values) + 1
    assert found[place] == json.dumps({"long": '{"[\\' * 100}).encode()[:most]
    for line, value in zip(found[:place] + found[place + 1 :], values, strict=True):
        assert line == json.dumps(value).encode()[:most]


def test_an_event_that_is_too_long_is_left_out_as_oversize_by_both_readers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[Row] = [{"timestamp": TIME_MS, "distance": 1.0} for _ in range(9)]
    events[4]["note"] = "{" * (9 << 20)
    path = tmp_path / "f.json"
    path.write_text(json.dumps(events))
    parts = list(iter_decoded(path, [spec()], NOW_MS))
    assert sum(batch.timestamps_ms.size for part in parts for batch in part.decoded.batches) == 8
    assert [one.reason for part in parts for one in part.decoded.rejects] == [Reason.OVERSIZE]
    monkeypatch.setattr("monitor.files.lines.MAX_LINE_BYTES", 1 << 20)
    monkeypatch.setattr("monitor.files.jsonl.MAX_LINE_BYTES", 1 << 20)
    table = open_table(path)
    assert (table.n_rows, table.report.rejects) == (8, {Reason.OVERSIZE: 1})


def test_what_is_no_element_is_handed_on_and_never_lost() -> None:
    assert list(elements([b'[{"a": 1},\n nope, 2 {"b": 3}]\n{"c": ', b'4, "d'], 99)) == [
        b'{"a": 1}', b"nope", b" 2", b'{"b": 3}', b'{"c": 4, "d',
    ]  # fmt: skip
    numbers = [b"[", *(b"%d," % i for i in range(30_000)), b"7]"]
    assert list(elements(numbers, 99)) == [b"%d" % i for i in range(30_000)] + [b"7"]
    long = [b'[{"a": "', b"y" * 500, b'"}]']
    assert [len(one) for one in elements([b'[{"a": "' + b"y" * 500 + b'"}, {"b": 1}]'], 100)] == [100, 8]
    assert len(list(elements(long, 100))) == 1
