"""Flat files: types from all cells, bounded batches, readable errors, and rows decoded as events are."""

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.files import NOW_MS, TIME_MS, spec, write

from detectors.columns import CODE_NULL
from monitor.errors import InputError
from monitor.events.mapping import Mapping
from monitor.events.reasons import Reason
from monitor.files.read import FilePart, format_of, iter_decoded, open_table
from monitor.files.values import MIXED


def types_of(path: Path, **options: Any) -> dict[str, pa.DataType]:
    return {column.name: column.type for column in open_table(path, **options).columns}


def read(path: Path, columns: list[str] | None = None, **options: Any) -> pa.Table:
    return pa.Table.from_batches(list(open_table(path, **options).iter_batches(columns)))


def counts(parts: Iterable[FilePart]) -> tuple[int, int, list[Reason]]:
    """Events, counted rows, and the reasons of rejects."""
    decoded = [part.decoded for part in parts]
    rejects = [reject.reason for one in decoded for reject in one.rejects]
    return sum(one.n_events for one in decoded), sum(batch.n for one in decoded for batch in one.batches), rejects


# --- types of CSV ---


def test_a_column_that_is_integer_for_megabytes_and_text_at_the_end_is_text(tmp_path: Path) -> None:
    rows = ["a,b,c"] + [f"{i},{i},{i}" for i in range(600_000)] + ["x,0.5,1"]
    path = write(tmp_path / "f.csv", "\n".join(rows))
    assert path.stat().st_size > 2 * 4 * 1024 * 1024  # several blocks
    assert types_of(path) == {"a": pa.string(), "b": pa.float64(), "c": pa.int64()}
    table = read(path, ["b"])
    assert table.num_rows == 600_001
    assert table["b"][-1].as_py() == 0.5


@pytest.mark.parametrize(
    ("cells", "type_"),
    [
        (["1", "", "-3"], pa.int64()),
        (["1", "2.0"], pa.float64()),
        (["nan", "1e5", "inf"], pa.float64()),
        (["?", "1", "N/A", "-"], pa.int64()),
        (["NULL", "True"], pa.bool_()),
        (["NA", "None"], pa.null()),
        (["NA", "UK"], pa.string()),
        (["True", "FALSE", "true"], pa.bool_()),
        (["", ""], pa.null()),
        (["007", "123"], pa.string()),
        (["0", "0.5"], pa.float64()),
        (["0x1F", "0x20"], pa.string()),
        (["true", "1"], pa.string()),
        (["1", "true"], pa.string()),
        (["NA", "1"], pa.int64()),
        ([" 1", "2 "], pa.int64()),
        (["99999999999999999999", "1"], pa.float64()),
        (["2013-01-01", "2013-01-02"], pa.string()),
        (['"a,b"', '"line\nbreak"'], pa.string()),
    ],
)
def test_the_type_of_a_csv_column_is_the_narrowest_of_all_its_cells(
    cells: list[str], type_: pa.DataType, tmp_path: Path
) -> None:
    path = write(tmp_path / "f.csv", "x,n\n" + "".join(f"{cell},1\n" for cell in cells))
    assert types_of(path)["x"] == type_
    assert read(path).num_rows == len(cells)


def test_empty_csv_cells_are_null_quoted_or_not(tmp_path: Path) -> None:
    path = write(tmp_path / "f.csv", 'a,b\n,""\n1,x\n')
    assert read(path).to_pydict() == {"a": [None, 1], "b": [None, "x"]}


def test_a_csv_column_that_must_be_numeric_keeps_its_numbers_beside_text(tmp_path: Path) -> None:
    path = write(tmp_path / "f.csv", "x\n1\n 2.5\nabc\n\n-inf\n1e400\n7\n".replace("\n\n", '\n""\n'))
    assert read(path, numeric=lambda _names: {"x"})["x"].to_pylist() == [1.0, 2.5, np.inf, None, np.inf, np.inf, 7.0]


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    assert list(types_of(write(tmp_path / "f.csv", b"\xef\xbb\xbfa,b\n1,2\n"))) == ["a", "b"]


@pytest.mark.parametrize("ending", ["csv.gz", "jsonl.gz", "ndjson.gz"])
def test_compressed_files_are_read_like_others(ending: str, tmp_path: Path) -> None:
    plain = b"a\n1\n2\n" if ending == "csv.gz" else b'{"a": 1}\n{"a": 2}\n'
    table = read(write(tmp_path / f"f.{ending}", gzip.compress(plain)))
    values = table["a"] if ending == "csv.gz" else table["features"].combine_chunks().field("a")
    assert values.to_pylist() == [1, 2]


# --- JSON lines ---


def test_flat_and_nested_json_lines_give_the_same_table(tmp_path: Path) -> None:
    nested = {"model": "m", "features": {"a": 1, "b": "x"}, "prediction": {"score": 0.5, "label": "y"}}
    nested["timestamp"] = TIME_MS
    flat = {"model": "m", "a": 1, "b": "x", "score": 0.5, "label": "y", "timestamp": TIME_MS}
    for number, event in enumerate((nested, flat)):
        write(tmp_path / f"{number}.jsonl", json.dumps(event))
    assert (
        read(tmp_path / "0.jsonl").to_pylist()
        == read(tmp_path / "1.jsonl").to_pylist()
        == [
            {
                "model": "m",
                "timestamp": TIME_MS,
                "version": None,
                "features": {"a": 1, "b": "x"},
                "prediction": {"score": 0.5, "label": "y"},
            }
        ]
    )


def test_a_json_key_with_values_of_several_types_is_mixed(tmp_path: Path) -> None:
    values = [1, 2.5, "x", True, [1], {"y": 1}, None, float("nan")]
    path = write(tmp_path / "f.jsonl", "\n".join(json.dumps({"a": value, "b": 1}) for value in values))
    table = read(path, ["features.a"])
    assert table.schema.field("features").type == pa.struct([pa.field("a", MIXED)])
    found = [row["features"]["a"] for row in table.to_pylist()]
    assert [[name for name, value in row.items() if value is not None] for row in found] == [
        ["number"], ["number"], ["text"], ["boolean"], ["other"], ["other"], [], ["number"],
    ]  # fmt: skip


def test_integers_and_floats_together_are_floats(tmp_path: Path) -> None:
    path = write(tmp_path / "f.jsonl", '{"a": 9007199254740993}\n{"a": 0.5}\n')
    assert read(path)["features"].combine_chunks().field("a").to_pylist() == [9007199254740992.0, 0.5]


def test_the_order_of_keys_does_not_depend_on_the_order_of_lines(tmp_path: Path) -> None:
    lines = ['{"c": 1}', '{"z": 1, "c": 2, "a": 3}', '{"q": 1}']
    for number, order in enumerate((lines, lines[::-1])):
        path = write(tmp_path / f"{number}.jsonl", "\n".join(order))
        (features,) = (column for column in open_table(path).columns if column.name == "features")
        assert [field.name for field in features.type] == ["z", "c", "a", "q"]


# --- bad files ---


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("f.parquet", b"", "corrupt"),
        ("f.parquet", b"not parquet at all, but long enough", "corrupt"),
        ("f.csv", b"", "is empty"),
        ("f.csv", b"a,a\n1,2\n", "more than one column 'a'"),
        ("f.csv.gz", gzip.compress(b"a,b\n" + b"1,2\n" * 100_000)[:-20], "corrupt"),
        ("f.jsonl.gz", gzip.compress(b'{"a": 1}\n' * 100_000)[:-20], "corrupt"),
        ("f.txt", b"a", "must be named"),
    ],
)
def test_a_bad_file_is_one_readable_line(name: str, content: bytes, words: str, tmp_path: Path) -> None:
    path = write(tmp_path / name, content)
    with pytest.raises(InputError, match=words) as caught:
        list(open_table(path).iter_batches())
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("checksum", [True, False])
def test_a_parquet_file_with_a_damaged_page_is_one_readable_line(checksum: bool, tmp_path: Path) -> None:
    path = tmp_path / "f.parquet"
    table = pa.table({"a": np.random.default_rng(0).random(10_000)})
    pq.write_table(table, path, use_dictionary=False, write_page_checksum=checksum)
    content = bytearray(path.read_bytes())
    # With checksums any byte of a value; without, only what the decoder needs.
    start = 20_000 if checksum else 4
    content[start : start + 100] = b"\x00" * 100
    path.write_bytes(bytes(content))
    with pytest.raises(InputError, match="corrupt"):
        list(open_table(path).iter_batches())


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    write(tmp_path / "january.csv", "a\n1\n")
    with pytest.raises(InputError, match="no such file") as caught:
        open_table(tmp_path / "januray.csv")
    assert caught.value.hint == "did you mean 'january.csv'?"
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no file"):
        open_table(tmp_path / "empty")


def test_names_of_files_are_not_case_sensitive(tmp_path: Path) -> None:
    assert format_of(write(tmp_path / "F.CSV.GZ", b"")) == "csv"
    assert format_of(write(tmp_path / "F.Parquet", b"")) == "parquet"


# --- decoding ---

ROWS = [
    dict(zip(("timestamp", "prediction_id", "distance", "carrier", "stop", "score", "label"), row, strict=True))
    for row in (
        (TIME_MS, "a", 5, "UA", "1", 0.5, "true"),
        (TIME_MS + 1, "b", 7.5, "ZZ", "0", 0.1, "false"),
        (TIME_MS + 2, "c", None, None, None, None, None),
    )
]


def files_of_rows(folder: Path) -> list[Path]:
    table = pa.Table.from_pylist(ROWS)
    pq.write_table(table, folder / "f.parquet")
    # The same meaning, as other programs spell it: 1.0 for 1, True for true.
    cells = [
        f"{r['timestamp']},{r['prediction_id']},{'' if r['distance'] is None else r['distance']},{r['carrier'] or ''},"
        f"{'' if r['stop'] is None else str(r['stop']) + '.0'},{'' if r['score'] is None else r['score']},"
        f"{'' if r['label'] is None else str(r['label']).title()}"
        for r in ROWS
    ]
    write(folder / "f.csv", "\n".join([",".join(ROWS[0]), *cells]))
    write(folder / "f.jsonl", "\n\n".join(map(json.dumps, ROWS)) + "\n")
    nested = [
        {"timestamp": r["timestamp"], "prediction": {"score": r["score"], "label": r["label"]},
         "features": {name: r[name] for name in ("distance", "carrier", "stop")}}
        for r in ROWS
    ]  # fmt: skip
    write(folder / "nested.ndjson", "\n".join(map(json.dumps, nested)))
    return [folder / name for name in ("f.parquet", "f.csv", "f.jsonl", "nested.ndjson")]


def test_every_format_gives_the_same_batch(tmp_path: Path) -> None:
    for path in files_of_rows(tmp_path):
        (part,) = iter_decoded(path, [spec()], NOW_MS)
        (batch,) = part.decoded.batches
        assert part.decoded.rejects == []
        assert part.fraction == 1.0
        assert batch.timestamps_ms.tolist() == [TIME_MS, TIME_MS + 1, TIME_MS + 2]
        np.testing.assert_array_equal(batch.numeric, [[5, 7.5, np.nan], [0.5, 0.1, np.nan]])
        assert batch.codes.tolist() == [[0, 3, CODE_NULL], [1, 0, CODE_NULL], [0, 1, CODE_NULL]]
        assert batch.segments.tolist() == [[0, 2, 2]]
        assert batch.unseen == {0: [(1, "ZZ")]}


@pytest.mark.parametrize("name", ["f.csv", "f.parquet", "f.jsonl"])
def test_a_long_file_comes_in_parts_and_the_fraction_grows_to_one(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.files.csv._BLOCK_BYTES", 64 * 1024)  # else pyarrow reads so small a file in one go
    n = 200_000
    path = tmp_path / name
    if name == "f.csv":
        write(path, "timestamp,distance\n" + f"{TIME_MS},12345678.25\n" * n)
    elif name == "f.jsonl":
        write(path, f'{{"timestamp": {TIME_MS}, "distance": 12345678.25}}\n' * n)
    else:
        pq.write_table(pa.table({"timestamp": [TIME_MS] * n, "distance": [1.0] * n}), path)
    parts = list(iter_decoded(path, [spec()], NOW_MS))
    assert counts(parts) == (n, n, [])
    assert max(part.decoded.n_events for part in parts) <= 10_000
    fractions = [part.fraction for part in parts]
    assert fractions == sorted(fractions)
    assert len(set(fractions)) > 1
    assert fractions[-1] == 1.0


def test_bad_lines_are_rejects_and_their_neighbours_are_not(tmp_path: Path) -> None:
    good = json.dumps(ROWS[0])
    undated = json.dumps({**ROWS[0], "timestamp": "yesterday"})
    lines = [good, '{"timestamp": ', undated, f"[{good},{good}]", good]
    path = write(tmp_path / "f.jsonl", "\n".join(lines))
    assert counts(iter_decoded(path, [spec()], NOW_MS)) == (6, 4, [Reason.UNDECODABLE, Reason.BAD_TIMESTAMP])


def test_bad_rows_of_csv_are_rejects_and_their_neighbours_are_not(tmp_path: Path) -> None:
    path = write(
        tmp_path / "f.csv",
        "timestamp,distance,carrier\n"
        f"{TIME_MS},1,UA\n"
        f"{TIME_MS},2\n"
        "yesterday,3,UA\n"
        f"{TIME_MS},x,UA\n"
        "2013-01-01T10:00:00Z,5,UA\n"
        "2013-01-01 10:00:00+00:00,6,UA\n"
        ",7,UA\n",
    )
    parts = list(iter_decoded(path, [spec()], NOW_MS))
    n_events, n, reasons = counts(parts)
    assert (n_events, n) == (7, 4)
    assert sorted(reasons) == [Reason.BAD_TIMESTAMP, Reason.BAD_TIMESTAMP, Reason.UNDECODABLE]
    (batch,) = parts[0].decoded.batches
    np.testing.assert_array_equal(batch.numeric[0], [1, np.inf, 5, 6])
    assert batch.timestamps_ms.tolist() == [TIME_MS] * 4
    rejects = {reject.reason: reject for part in parts for reject in part.decoded.rejects}
    assert rejects[Reason.UNDECODABLE].raw == f"{TIME_MS},2".encode()


def test_a_csv_code_with_leading_zeros_is_not_the_number(tmp_path: Path) -> None:
    path = write(tmp_path / "f.csv", f"timestamp,stop\n{TIME_MS},1\n{TIME_MS},01\n{TIME_MS},1.0\n")
    (part,) = iter_decoded(path, [spec()], NOW_MS)
    assert part.decoded.batches[0].codes[1].tolist() == [1, 3, 1]
    assert part.decoded.batches[0].unseen[1] == [(1, "01")]


def test_native_timestamps_of_parquet_are_understood(tmp_path: Path) -> None:
    for number, type_ in enumerate((pa.timestamp("ns"), pa.timestamp("us", "Europe/Berlin"), pa.timestamp("s"))):
        times = pa.array([TIME_MS], pa.timestamp("ms", "UTC")).cast(pa.int64()).cast(pa.timestamp("ms")).cast(type_)
        path = tmp_path / f"{number}.parquet"
        pq.write_table(pa.table({"timestamp": times}), path)
        (part,) = iter_decoded(path, [spec()], NOW_MS)
        assert part.decoded.batches[0].timestamps_ms.tolist() == [TIME_MS]


@pytest.mark.parametrize("name", ["f.csv", "f.parquet"])
def test_a_file_without_timestamps_says_what_it_has(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    write(path, "time,a\n1,2\n") if name == "f.csv" else pq.write_table(pa.table({"time": [1], "a": [2]}), path)
    with pytest.raises(InputError, match=r"no column timestamp.*time, a"):
        list(iter_decoded(path, [spec()], NOW_MS))


@pytest.mark.parametrize("name", ["f.csv", "f.parquet", "f.jsonl"])
def test_an_empty_file_is_refused_for_replay(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is empty"):
        iter_decoded(write(tmp_path / name, b""), [spec()], NOW_MS)


def test_rows_of_several_models_are_told_apart(tmp_path: Path) -> None:
    lines = ["model,timestamp,distance", f"m,{TIME_MS},1", f"other,{TIME_MS},2", f"nobody,{TIME_MS},3"]
    path = write(tmp_path / "f.csv", "\n".join(lines))
    models = [spec(), spec(name="other", mapping=Mapping(timestamp="timestamp"))]
    (part,) = iter_decoded(path, models, NOW_MS)
    assert {batch.model: batch.numeric[0].tolist() for batch in part.decoded.batches} == {"m": [1.0], "other": [2.0]}
    assert [reject.reason for reject in part.decoded.rejects] == [Reason.UNKNOWN_MODEL]


def test_a_line_longer_than_the_limit_is_cut_off_and_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.files.lines.MAX_LINE_BYTES", 1_000)
    long = json.dumps({**ROWS[0], "carrier": "x" * 5_000})
    path = write(tmp_path / "f.jsonl", "\n".join([json.dumps(ROWS[0]), long, json.dumps(ROWS[0])]))
    assert counts(iter_decoded(path, [spec()], NOW_MS)) == (3, 2, [Reason.UNDECODABLE])
