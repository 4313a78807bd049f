"""CSV files by other hands: with semicolons, decimal commas, in Windows-1252, UTF-16 they mean what usual ones mean."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.files import NOW_MS, TIME_MS, spec, write

from monitor.errors import InputError
from monitor.files.csv import CsvTable
from monitor.files.read import iter_decoded, open_table


def read(path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    table = open_table(path)
    return [row for batch in table.iter_batches() for row in batch.to_pylist()], table.report.notes


@pytest.mark.parametrize(
    ("content", "rows", "notes"),
    [
        ("a;b\n3,5;x\n1.234,5;y\n", [(3.5, "x"), (1234.5, "y")], ["semicolons", "3,5 is read as 3.5 in a"]),
        ("a;b\n3,5 €;x\n-1 234,5 €;y\n", [(3.5, "x"), (-1234.5, "y")], ["semicolons", "decimal commas"]),
        ("a;b\n0,123;1,234\n0,5;NA\n", [(0.123, 1.234), (0.5, None)], ["semicolons", "decimal commas"]),
        ("a;b\n1,234;x\n2,345;y\n", [(1234, "x"), (2345, "y")], ["semicolons", "1,234 is read as 1234 in a"]),
        ("a;b\n1.5;3,5\n2.25;4,5\n", [(1.5, 3.5), (2.25, 4.5)], ["semicolons", "3.5 in b"]),
        ("a;b\n3,5;x\nz,5;y\n", [("3,5", "x"), ("z,5", "y")], ["semicolons"]),
        (
            "a;b\n3,5;1\n4,5;2\n?!;3\n",
            [("3,5", 1), ("4,5", 2), ("?!", 3)],
            ["semicolons", "in a, for it holds '?!' too"],
        ),
        ("a\tb\n3,5\tx\n", [(3.5, "x")], ["tabs", "decimal commas"]),
        ('a|b\n"x|y"|1\n\nz|2\n', [("x|y", 1), ("z", 2)], ["bars"]),
        ("sep=;\r\na;b\r\n3,5;1\r\n", [(3.5, 1)], ["decimal commas"]),
        ("sep=,\na,b\n1,2\n", [(1, 2)], []),
        ('a,b\n"3,5",1\n', [("3,5", 1)], []),
        ('a,"b;c"\n1,2\n3,4\n', [(1, 2), (3, 4)], []),
        ("a;b\n3,5;x\n4,5;y\nsum: 8\n", [(3.5, "x"), (4.5, "y")], ["semicolons", "decimal commas"]),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "windows-1252", "utf-16", "utf-16-le", "utf-16-be"])
def test_what_stands_between_cells_is_known_where_one_mark_divides_all_rows_alike(
    content: str, rows: list[tuple[Any, ...]], notes: list[str], encoding: str, tmp_path: Path
) -> None:
    found, told = read(write(tmp_path / "f.csv", content.encode(encoding)))
    assert [tuple(row.values()) for row in found] == rows
    told = [note for note in told if "Windows-1252" not in note]
    assert len(told) == len(notes)
    for note, words in zip(told, notes, strict=True):
        assert words in note


def test_two_marks_that_divide_rows_alike_are_named_and_a_first_line_says_which(tmp_path: Path) -> None:
    content = "a;b,c\n1;2,5\n3;4,5\n"
    with pytest.raises(InputError, match="commas or semicolons may stand between the cells"):
        read(write(tmp_path / "f.csv", content))
    assert read(write(tmp_path / "f.csv", f"sep=;\n{content}"))[0] == [{"a": 1, "b,c": 2.5}, {"a": 3, "b,c": 4.5}]


@settings(deadline=None, max_examples=60)
@given(
    values=st.lists(st.tuples(st.floats(-1e9, 1e9), st.text(st.sampled_from('aé;,\t|"Zü ß'))), min_size=2, max_size=9),
    mark=st.sampled_from(";\t|"),
    encoding=st.sampled_from(["utf-8", "windows-1252", "utf-16"]),
)
def test_a_table_is_the_same_however_it_is_written(
    values: list[tuple[float, str]], mark: str, encoding: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    def written(mark: str, point: str) -> str:
        file = io.StringIO()
        writer = csv.writer(file, delimiter=mark, quoting=csv.QUOTE_ALL)
        writer.writerow(["number", "text", "half"])
        writer.writerows([f"{number:.2f}".replace(".", point), f"x{text}", f"0{point}5"] for number, text in values)
        return file.getvalue()

    folder = tmp_path_factory.mktemp("f")
    plain = read(write(folder / "plain.csv", written(",", ".")))[0]
    other = read(write(folder / "other.csv", written(mark, ",").encode(encoding)))[0]
    assert other == plain


def test_the_replay_of_such_a_file_counts_what_the_usual_one_counts(tmp_path: Path) -> None:
    batches = []
    for name, content in (
        ("a.csv", f"timestamp,distance,carrier\n{TIME_MS},3.5,ÜA\n{TIME_MS},4.25,\n"),
        ("b.csv", f"timestamp;distance;carrier\n{TIME_MS};3,5;ÜA\n{TIME_MS};4,25;\n".encode("latin-1")),
    ):
        path = write(tmp_path / name, content)
        first, *rest = iter_decoded(path, [spec()], NOW_MS)
        batches.append((first.decoded.batches[0].numeric.tolist()[0], first.decoded.batches[0].unseen))
    assert batches[0] == batches[1] == ([3.5, 4.25], {0: [(0, "ÜA")]})
    assert [note for part in rest for note in part.notes] == [
        "b.csv has semicolons between its cells",
        "b.csv has decimal commas: 3,5 is read as 3.5 in distance",
        "b.csv is no UTF-8 in 1 place, read there as Windows-1252: if it is something else, save it as UTF-8",
    ]


def test_what_is_noted_of_many_parts_is_said_once(tmp_path: Path) -> None:
    for part in range(9):
        write(tmp_path / f"part-{part}.csv", f"timestamp;distance\n{TIME_MS};{part},5\n")
    notes = [note for part in iter_decoded(tmp_path, [spec()], NOW_MS) for note in part.notes]
    assert notes == open_table(tmp_path).report.notes
    assert [note.split(" ", 1)[1] for note in notes] == [
        "has semicolons between its cells; the like of 8 other files",
        "has decimal commas: 3,5 is read as 3.5 in distance; the like of 8 other files",
    ]


def test_of_a_large_file_no_more_than_its_beginning_is_looked_at(tmp_path: Path) -> None:
    rows = "".join(f"{i},5;x\n" for i in range(200_000))
    table = CsvTable(write(tmp_path / "f.csv", f"a;b\n{rows}"))
    assert table.n_rows == 200_000
    assert [str(column.type) for column in table.columns] == ["double", "string"]
