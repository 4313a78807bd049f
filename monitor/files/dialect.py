"""How a CSV file is written: what stands between its cells, and whether a comma in a number is decimal.

CSV does not say. The first rows do, where one mark alone divides each of them into as many cells as the header has:

- A first line `sep=;`, which spreadsheets write and heed, names the mark.
- Else it is the mark, of `,`, `;`, tab and `|`, that gives the header and every row the same number of cells, more than
  one; of several the one that gives more. Where none does it for every row, one that does it for most of them: the
  others are rejects. Where two give as many nobody can know.
- Commas are decimal only where they do not stand between cells, and some column has nothing but numbers of which one
  can be nothing else, such as `3,5`: `1,234` may be either. Then they are so in every column of nothing but numbers.

What was concluded so is said in `notes`.
"""

import contextlib
import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow.compute as pc

from monitor.errors import InputError
from monitor.files.source import open_binary
from monitor.files.utf8 import utf8_or_1252
from monitor.wording import listed

_MARKS: Final = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_SAMPLED_BYTES: Final = 256 * 1024
_SAMPLED_ROWS: Final = 1_000
_SEP: Final = re.compile(r"\ufeff?\"?sep=(.)\"?\r?\n?", re.IGNORECASE)
_FEW_BYTES: Final = 8 * 1024

_DECIMAL_COMMA: Final = (
    r"^\s*[+-]?[$€£¥]? ?[+-]?([1-9]\d{0,2}([. \x{a0}\x{202f}]\d{3})+|\d+)(,\d+)?([eE][+-]?\d+)?"
    r"[ \x{a0}\x{202f}]?[%$€£¥]?\s*$"
)
_FITS: Final = re.compile(_DECIMAL_COMMA.replace(r"\x{a0}", "\xa0").replace(r"\x{202f}", "\u202f"))
_THOUSANDS: Final = re.compile(r"\s*[+-]?[$€£¥]? ?[+-]?[1-9]\d{0,2}(,\d{3})+ ?[%$€£¥]?\s*")


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """How a file is written.

    Attributes
    ----------
    mark
        What stands between cells.
    skip_rows
        Lines before the header.
    decimal_commas
        Columns whose numbers have decimal commas.
    notes
        Sentences for people.
    """

    mark: str = ","
    skip_rows: int = 0
    decimal_commas: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


def dialect_of(path: Path, missing: Sequence[str]) -> Dialect:
    """How a file is written, by its first rows. `missing` spell a missing number.

    Raises
    ------
    InputError
        Nobody can know what stands between cells; or as `open_binary`.
    """
    text, cut = _sample(path)
    said = _SEP.match(text)
    if said is not None:
        text = text[said.end() :]
        mark = said[1]
    else:
        first = text.split("\n", 1)[0]
        if not any(other in first for other in _MARKS if other != ","):
            return Dialect()
        mark = _mark_of(path, text, cut=cut)
    if mark == ",":
        return Dialect(skip_rows=int(said is not None))
    notes = [] if said is not None else [f"{path.name} has {_MARKS[mark]} between its cells"]
    rows = _rows(text, mark, cut=cut)
    decimal, seen, mixed = _decimal_commas(rows, missing)
    if decimal:
        notes.append(f"{path.name} has decimal commas: 3,5 is read as 3.5 in {listed(seen)}")
    elif seen:
        notes.append(f"{path.name}: 1,234 is read as 1234 in {listed(seen)}; no number there says that it is 1.234")
    notes += [f"{path.name}: commas are not decimal in {name}, for it holds {text[:40]!r} too" for name, text in mixed]
    return Dialect(mark=mark, skip_rows=int(said is not None), decimal_commas=decimal, notes=tuple(notes))


def with_points(cells: Any) -> Any:
    """(n,) text: `1.234,5` as `1234.5`; what is no number as it is."""
    found: Any = pc.match_substring_regex(cells, _DECIMAL_COMMA)
    if not pc.any(found).as_py():
        return cells
    bare = pc.replace_substring_regex(cells, r"(\d)[. \x{a0}\x{202f}](\d)", r"\1\2")
    return pc.if_else(found, pc.replace_substring(bare, ",", "."), cells)


def _sample(path: Path) -> tuple[str, bool]:
    """The beginning of a file, and whether more follows."""
    stream, raw = open_binary(path)
    with raw:
        found = stream.read(_FEW_BYTES)
        first = found.split(b"\n", 1)[0]
        if any(mark.encode() in first for mark in _MARKS if mark != ",") or first.lower().find(b"sep=") in range(5):
            while len(found) < _SAMPLED_BYTES and (more := stream.read(_SAMPLED_BYTES - len(found))):
                found += more
    text, _n = utf8_or_1252(found)
    return text.removeprefix("\ufeff"), len(found) >= _FEW_BYTES


def _rows(text: str, mark: str, *, cut: bool) -> list[list[str]]:
    """The first rows that hold anything; without the last of a text that is `cut`, which may be half a row."""
    rows: list[list[str]] = []
    with contextlib.suppress(csv.Error):
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=mark):
            if len(rows) > _SAMPLED_ROWS:
                break
            if row:
                rows.append(row)
    return rows[:-1] if cut and len(rows) > 1 else rows


def _mark_of(path: Path, text: str, *, cut: bool) -> str:
    certain: dict[str, int] = {}
    likely: dict[str, int] = {}
    for mark in _MARKS:
        widths = [len(row) for row in _rows(text, mark, cut=cut)]
        if not widths or widths[0] < 2:
            continue
        n_same = widths.count(widths[0])
        if n_same == len(widths):
            certain[mark] = widths[0]
        elif 2 * n_same > len(widths):
            likely[mark] = widths[0]
    found = certain or likely
    most = [mark for mark, width in found.items() if width == max(found.values())]
    if len(most) > 1:
        raise InputError(
            f"{path}: {' or '.join(_MARKS[mark] for mark in most)} may stand between the cells",
            hint=f"say which by a first line of its own: sep={most[0]}",
        )
    return most[0] if most else ","


def _decimal_commas(
    rows: Sequence[Sequence[str]], missing: Sequence[str]
) -> tuple[frozenset[str], list[str], list[tuple[str, str]]]:
    """The columns whose numbers have decimal commas, none where nobody knows; those where there are commas; and those
    of mostly such numbers, each with a text that is none."""
    header = rows[0] if rows else []
    fitting: set[str] = set()
    seen: list[str] = []
    mixed: list[tuple[str, str]] = []
    sure = False
    none = {"", *missing}
    for place, name in enumerate(header):
        cells = [row[place] for row in rows[1:] if len(row) == len(header) and row[place].strip() not in none]
        others = [cell for cell in cells if not _FITS.match(cell)]
        if others:
            n_decimal = sum("," in cell for cell in cells if _FITS.match(cell))
            mixed += [(name, others[0])] if 2 * n_decimal > len(cells) else []
            continue
        fitting.add(name)
        commas = [cell for cell in cells if "," in cell]
        seen += [name] if commas else []
        sure = sure or not all(map(_THOUSANDS.fullmatch, commas))
    return frozenset(fitting if sure else ()), seen, mixed
