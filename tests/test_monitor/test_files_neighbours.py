"""What stands beside a bad cell of a flat file is read as if it stood alone."""

import gzip
import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.files import NOW_MS, TIME_MS, spec, write

from detectors.columns import CODE_INVALID
from detectors.layout import Layout
from detectors.reference import categorical_column
from monitor.config.schema import Model
from monitor.events.mapping import Mapping
from monitor.events.reasons import Reason
from monitor.files.read import iter_decoded, open_table
from monitor.files.utf8 import Utf8
from monitor.reference.build import build_reference


def csv(folder: Path, *lines: str | bytes) -> Path:
    return write(folder / "f.csv", b"\n".join(line.encode() if isinstance(line, str) else line for line in lines))


@pytest.mark.parametrize("cell", ["yesterday", "0x1F", "", "nan", "2013-01-01T10:00:00Z", "1.5"])
@pytest.mark.parametrize("good", [f"{TIME_MS}.0", f" {TIME_MS} ", "1.3570344e12", f"{TIME_MS}", f"+{TIME_MS}"])
def test_a_time_is_read_whatever_its_neighbours_are(cell: str, good: str, tmp_path: Path) -> None:
    (part,) = iter_decoded(csv(tmp_path, "timestamp,distance", f"{good},1", f"{cell},2"), [spec()], NOW_MS)
    times_ms = part.decoded.batches[0].timestamps_ms.tolist()
    assert set(times_ms) == {TIME_MS}
    assert len(times_ms) + len(part.decoded.rejects) == 2


def test_a_column_may_be_numeric_for_one_model_and_categories_for_another(tmp_path: Path) -> None:
    other = Layout([categorical_column("distance", {"1": 3, "far": 1}), categorical_column("@label", {"1": 2})])
    models = [spec(), spec(name="other", layout=other, dimensions={}, mapping=Mapping(label="stop"))]
    lines = [f"m,{TIME_MS},1,1", f"other,{TIME_MS},far,1.0", f"other,{TIME_MS},1.0,1", f"m,{TIME_MS},far,0"]
    path = csv(tmp_path, "model,timestamp,distance,stop", *lines, f"nobody,{TIME_MS},1,1", f",{TIME_MS},1,1")
    (part,) = iter_decoded(path, models, NOW_MS)
    one, two = part.decoded.batches
    assert one.numeric[0].tolist() == [1.0, np.inf]
    assert one.codes[1].tolist() == [1, 0]
    assert two.codes.tolist() == [[1, 0], [0, 0]]
    assert [one.reason for one in part.decoded.rejects] == [Reason.UNKNOWN_MODEL] * 2


def test_a_csv_version_of_a_whole_number_has_no_fraction(tmp_path: Path) -> None:
    lines = [f"{TIME_MS},{version}" for version in ("1.0", "1", "1.10", "v2.0", "")]
    (part,) = iter_decoded(csv(tmp_path, "timestamp,version", *lines), [spec()], NOW_MS)
    batch = part.decoded.batches[0]
    assert [batch.versions[code] for code in batch.version_codes] == ["1", "1", "1.10", "v2.0", ""]


@pytest.mark.parametrize("ending", ["csv", "csv.gz"])
def test_bytes_that_are_no_utf_8_cost_no_more_than_their_cell_and_row(
    ending: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    time = str(TIME_MS).encode()
    content = (
        b"timestamp,carrier\n" + time + b",UA\n" + time + b",\xff\xfe,zz\n" + time + b",Z\xfcrich\n" + time + b",UA"
    )
    path = write(tmp_path / f"f.{ending}", content if ending == "csv" else gzip.compress(content))
    part, end = iter_decoded(path, [spec()], NOW_MS)
    assert part.decoded.batches[0].unseen == {0: [(1, "Zürich")]}
    assert [one.reason for one in part.decoded.rejects] == [Reason.UNDECODABLE]
    table = open_table(path)
    assert table.report.rejects == {Reason.UNDECODABLE: 1}
    assert [len(batch) for batch in table.iter_batches()] == [table.n_rows] == [3]
    assert list(end.notes) == table.report.notes
    assert table.report.notes[0].startswith(f"f.{ending} is no UTF-8 in 3 places, read there as Windows-1252")
    assert capfd.readouterr().err == ""


def test_what_is_utf_8_is_not_noted_whatever_it_says(tmp_path: Path) -> None:
    path = write(tmp_path / "f.csv", f"carrier\n{'é' * 700_000}\n\ufffd\n" * 4)
    assert open_table(path).report.notes == []


def test_a_character_may_be_cut_in_two_by_the_blocks_of_a_file() -> None:
    text = "aé日本😀" * 5
    for n in range(1, 9):
        stream = Utf8(io.BytesIO(b"ab" + text.encode() + b"\xf0\x9f"))
        parts: list[bytes] = []
        while part := stream.read(n):
            parts.append(part)
        assert max(map(len, parts)) <= n
        assert b"".join(parts).decode() == f"ab{text}ðŸ"


def test_text_of_parquet_that_is_no_utf_8_is_invalid(tmp_path: Path) -> None:
    offsets = pa.py_buffer(np.array([0, 2, 4, 6], np.int32).tobytes())
    bad: Any = pa.Array.from_buffers(pa.string(), 3, [None, offsets, pa.py_buffer(b"UA\xff\xfeUA")])
    columns = {"timestamp": [TIME_MS] * 3, "distance": [1.0, 2.0, 3.0], "carrier": bad}
    pq.write_table(pa.table(columns), tmp_path / "f.parquet")
    (part,) = iter_decoded(tmp_path / "f.parquet", [spec()], NOW_MS)
    batch = part.decoded.batches[0]
    assert batch.codes[0].tolist() == [0, CODE_INVALID, 0]
    assert batch.segments.tolist() == [[0, 2, 0]]
    for name, reason in (
        ("timestamp", Reason.BAD_TIMESTAMP),
        ("model", Reason.UNKNOWN_MODEL),
        ("version", Reason.SCHEMA),
    ):
        pq.write_table(pa.table({**columns, name: bad, "note": bad}), tmp_path / "f.parquet")
        (part,) = iter_decoded(tmp_path / "f.parquet", [spec()], NOW_MS)
        assert reason in {one.reason for one in part.decoded.rejects}
    pq.write_table(pa.table(columns), tmp_path / "f.parquet")
    model = Model(name="m", reference=Path("m.ref"), segments=("carrier",))
    (column,) = (one for one in build_reference(model, tmp_path / "f.parquet").inferred if one.name == "carrier")
    assert (column.n, column.invalid) == (2, 1)
