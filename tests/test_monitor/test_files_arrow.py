"""Arrow IPC files: what is read of them, in bounded memory, and what is refused with which words."""

import json
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from support.events import START_MS, model_section

from monitor.cli.app import run
from monitor.errors import InputError
from monitor.files.arrow import ArrowTable
from monitor.files.read import format_of, open_table

MAKERS: Final = {"file": pa.ipc.new_file, "stream": pa.ipc.new_stream}


def write(path: Path, table: Any, maker: str = "file", rows: int | None = None, compression: str | None = None) -> Path:
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with MAKERS[maker](path, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=rows)
    return path


def rows_of(path: Path, rows: int = 4) -> list[dict[str, Any]]:
    return [row for batch in ArrowTable(path).iter_batches(None, rows) for row in batch.to_pylist()]


@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
@pytest.mark.parametrize("maker", MAKERS)
def test_types_that_few_functions_take_are_read_as_their_plain_ones(
    maker: str, compression: str | None, tmp_path: Path
) -> None:
    texts = ["a", None, "longer than twelve bytes", "b", "a"]
    table = pa.table(
        {
            "view": pa.array(texts, pa.string_view()),
            "bytes": pa.array([b"1", None, b"a longer one than that", b"", b"2"], pa.binary_view()),
            "runs": pc.run_end_encode(pa.array([1, 1, 2, 2, 2])),
            "codes": pa.DictionaryArray.from_arrays(pa.array([0, 1, 0, None, 1], pa.int8()), pa.array(["u", "v"])),
            "views": pa.DictionaryArray.from_arrays(
                pa.array([0, 1, 0, None, 1]), pa.array(["u", "v"], pa.string_view())
            ),
            "lists": pa.array([[1], [2, 3], None, [], [4]], pa.list_view(pa.int64())),
            "object": pa.array([{"of": text} for text in texts], pa.struct([("of", pa.string_view())])),
        }
    )
    path = write(tmp_path / "f.arrow", table, maker, 3, compression)
    wanted = {name: table[name].to_pylist() for name in table.column_names if name != "runs"} | {
        "runs": [1, 1, 2, 2, 2]
    }
    assert rows_of(path, 2) == [{name: wanted[name][row] for name in table.column_names} for row in range(5)]
    found = {column.name: column.type for column in ArrowTable(path).columns}
    assert (found["view"], found["bytes"], found["runs"]) == (pa.string(), pa.binary(), pa.int64())
    assert found["lists"] == pa.list_(pa.int64())


@pytest.mark.parametrize("compression", [None, "lz4"])
def test_batches_have_the_rows_that_were_asked_for_however_they_were_written(
    compression: str | None, tmp_path: Path
) -> None:
    table = pa.table({"x": np.arange(100), "c": pa.array(["a", "b"] * 50).dictionary_encode()})
    for rows in (1, 7, 100):
        path = write(tmp_path / f"{rows}.arrow", table, rows=rows, compression=compression)
        batches = list(ArrowTable(path).iter_batches(None, 30))
        assert [batch.num_rows for batch in batches] == [30, 30, 30, 10]
        assert pa.Table.from_batches(batches).to_pylist() == table.to_pylist()
        assert [batch.schema.names for batch in ArrowTable(path).iter_batches(["c"], 60)] == [["c"]] * 2


def test_an_arrow_file_is_known_by_its_content(tmp_path: Path) -> None:
    table = pa.table({"x": [1.0]})
    for maker in MAKERS:
        assert format_of(write(tmp_path / "f.csv", table, maker)) == "arrow"
    for ending in ("arrow", "arrows", "feather", "ipc"):
        assert format_of(write(tmp_path / f"f.{ending}", table)) == "arrow"
    pq.write_table(table, tmp_path / "p.feather")
    assert format_of(tmp_path / "p.feather") == "parquet"


_MOST: Final = """
import sys
from pathlib import Path
import pyarrow as pa
from monitor.files.arrow import ArrowTable
for batch in ArrowTable(Path(sys.argv[1])).iter_batches():
    pass
print(pa.default_memory_pool().max_memory())
"""


@pytest.mark.parametrize(("compression", "chunk", "most_mb"), [(None, 2_000_000, 4), ("zstd", 65_536, 16)])
def test_what_is_made_in_memory_does_not_grow_with_the_file(
    compression: str | None, chunk: int, most_mb: int, tmp_path: Path
) -> None:
    n = 2_000_000
    table = pa.table({f"x{place}": np.random.default_rng(place).random(n) for place in range(5)})  # 80 MB
    path = write(tmp_path / "large.arrow", table, rows=chunk, compression=compression)
    found = subprocess.run([sys.executable, "-c", _MOST, str(path)], capture_output=True, text=True, check=True)
    assert int(found.stdout) < most_mb * 1_000_000


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
@pytest.mark.parametrize("maker", MAKERS)
def test_a_file_that_claims_more_than_is_likely_is_refused_before_it_is_unpacked(
    maker: str, compression: str, tmp_path: Path
) -> None:
    n = 100_003
    path = write(tmp_path / "f.arrow", pa.table({"x": np.zeros(n)}), maker, compression=compression)
    assert sum(batch.num_rows for batch in ArrowTable(path).iter_batches()) == n  # zeros alone are no bomb
    raw, plain = path.read_bytes(), struct.pack("<q", 8 * n)
    assert raw.count(plain) == 1
    path.write_bytes(raw.replace(plain, struct.pack("<q", 1 << 40)))
    before = pa.total_allocated_bytes()
    with pytest.raises(InputError, match=r"claims that a part of it holds 1,099,511,") as refused:
        ArrowTable(path)
    assert "smaller record batches" in (refused.value.hint or "")
    assert pa.total_allocated_bytes() == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda raw: raw[: len(raw) // 2], "cut off"),
        (lambda raw: raw[:-7], "cut off"),
        (lambda raw: raw[:100] + b"\xff" * 40 + raw[140:], "corrupt"),
        (lambda raw: b"ARROW1\0\0", "cut off"),
        (lambda raw: b"", "is empty"),
        (lambda raw: b"x,y\n1,2\n", "not what its name says"),
        (lambda raw: b"\x1f\x8b" + raw, "compressed with gzip as a whole"),
    ],
)
def test_a_damaged_file_is_one_readable_line(change: Any, words: str, tmp_path: Path) -> None:
    path = write(tmp_path / "f.arrow", pa.table({"x": np.arange(50), "c": ["a"] * 50}))
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(InputError, match=words) as refused:
        list(open_table(path).iter_batches())
    assert "\n" not in str(refused.value)


def test_streams_of_different_columns_do_not_pass_for_one_table(tmp_path: Path) -> None:
    one = write(tmp_path / "f.arrow", pa.table({"x": [1.0]}), "stream").read_bytes()
    other = write(tmp_path / "f.arrow", pa.table({"y": [1.0]}), "stream").read_bytes()
    (tmp_path / "f.arrow").write_bytes(one + other)
    with pytest.raises(InputError, match="streams of different columns"):
        open_table(tmp_path / "f.arrow")


@pytest.mark.filterwarnings("ignore:Feather V1")
def test_the_first_version_of_feather_is_refused_with_what_to_do(tmp_path: Path) -> None:
    feather.write_feather(pa.table({"x": [1.0]}), tmp_path / "old.feather", version=1)
    with pytest.raises(InputError, match="Feather file of version 1") as refused:
        open_table(tmp_path / "old.feather")
    assert "write_feather" in (refused.value.hint or "")


def events(n: int, shift: float = 0.0) -> list[dict[str, Any]]:
    return [
        {"timestamp": START_MS + 60_000 * i, "prediction_id": f"p{i}", "x": i % 10 + shift, "score": i % 7 / 7}
        for i in range(n)
    ]


def test_every_file_that_a_command_takes_may_be_an_arrow_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same results as of JSON lines: reference, predictions, labels and features logged apart."""
    labels = [{"prediction_id": f"p{i}", "timestamp": START_MS + 60_000 * i, "label": i % 2} for i in range(600)]
    apart = [{"timestamp": START_MS + 60_000 * i, "x": i % 5} for i in range(600)]
    verdicts = {}
    for ending in ("jsonl", "arrow", "arrows"):
        folder = tmp_path / ending
        folder.mkdir()
        for name, rows in {"old": events(600), "new": events(600, 5.0), "labels": labels, "apart": apart}.items():
            path = folder / f"{name}.{ending}"
            if ending == "jsonl":
                path.write_text("".join(json.dumps(row) + "\n" for row in rows))
            else:
                write(path, pa.Table.from_pylist(rows), "file" if ending == "arrow" else "stream", 100)
        section = model_section(folder) | {"label_horizon": "1d", "task": "binary", "positive": "1", "segments": []}
        (folder / "driftline.yaml").write_bytes(msgspec.yaml.encode({"models": [section]}))
        config = str(folder / "driftline.yaml")
        data = [f"{folder}/{name}.{ending}" for name in ("old", "new", "labels", "apart")]
        assert run(["reference", "build", config, "--data", data[0], "--labels", data[2]]) == 0
        assert run(["check", config, "--data", data[1]]) == 0
        replay = ["replay", config, "--predictions", data[1], "--labels", data[2], "--features", data[3]]
        assert run([*replay, "--out", str(folder / "out")]) == 0
        screen = capsys.readouterr().out
        assert "1,200 events" in screen
        verdicts[ending] = str(pq.read_table(folder / "out" / "verdicts.parquet").to_pylist())
    assert "'drifted': True" in verdicts["jsonl"]
    assert verdicts["arrow"] == verdicts["arrows"] == verdicts["jsonl"]
