"""Rows of any format as columns of Python values by dotted path: what guesses are made of."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from monitor.errors import InputError
from monitor.events.arrow.lines import python_rows
from monitor.events.json.forgiving import Refused, not_an_event, parse
from monitor.events.json.texts import object_places, opened_texts
from monitor.events.mapping import Mapping
from monitor.files.lines import read_lines
from monitor.files.read import FORMATS, format_of, open_table
from monitor.files.report import FileReport, rejected
from monitor.files.several import expand
from monitor.files.table import Progress, unwatched

ROWS: Final = 20_000
"""Rows that are looked at."""

MOST_PATHS: Final = 5_000
_DEEPEST: Final = 8

Event = dict[str, Any]


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """The first rows.

    Attributes
    ----------
    columns
        By dotted path of a leaf, (n,) values; None where a row has none. In the order of the rows' keys. Lists stay
        whole; of native times the values are `datetime` or `date`.
    n
        Rows.
    nested
        Whether rows are JSON events; else the dots are part of a column's name, or lead into a struct column.
    flat
        The names of columns that hold no object.
    """

    columns: dict[str, list[Any]]
    n: int
    nested: bool
    flat: frozenset[str]


def events_of(path: Path, progress: Progress = unwatched) -> tuple[Iterator[Event], bool, FileReport]:
    """Every row of a file, a folder or a pattern as an object; whether it is JSON; and what is left out of it, which
    for JSON is known as far as it has been read.

    Raises
    ------
    InputError
        No such file, of no format that is read, or corrupt.
    """
    paths = expand(path, tuple(FORMATS))
    if all(format_of(one) == "jsonl" for one in paths):
        report = FileReport()
        return itertools.chain.from_iterable(_objects(one, progress, report) for one in paths), True, report
    table = open_table(path, progress=progress)
    return (row for batch in table.iter_batches() for row in python_rows(batch)), False, table.report


def sampled(events: Iterable[Event], *, nested: bool, what: str) -> Sample:
    """The first `ROWS` of events.

    Raises
    ------
    InputError
        There are none, or they have too many different keys.
    """
    columns: dict[str, list[Any]] = {}
    flat: set[str] = set()
    n = 0
    places = object_places(Mapping())
    for event in itertools.islice(events, ROWS):
        event = opened_texts(event, places)
        for path, value in _leaves(event):
            column = columns.setdefault(path, [])
            column.extend([None] * (n - len(column)))
            if len(column) == n:
                column.append(value)
        flat.update(key for key, value in event.items() if not isinstance(value, dict))
        n += 1
        if len(columns) > MOST_PATHS:
            hint = "keys that are data belong into values"
            raise InputError(f"{what} has more than {MOST_PATHS:,} different keys", hint=hint)
    if not n:
        raise InputError(f"{what} has no rows", hint="name data with predictions as your model logs them")
    for column in columns.values():
        column.extend([None] * (n - len(column)))
    return Sample(columns=columns, n=n, nested=nested, flat=frozenset(flat))


def at(event: Event, path: str) -> Any:
    """The value at a dotted path; None where there is none. A key that has the dots in it comes first."""
    if path in event:
        return event[path]
    value: Any = event
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def time_reader(read: Callable[[object], int | None], local: Callable[[int], int]) -> Callable[[object], int | None]:
    """`read` of a `TimeRule`, and what native times of tables are: those without a zone are of its clocks."""
    epoch = datetime(1970, 1, 1)

    def found(value: object) -> int | None:
        if isinstance(value, datetime):
            if value.tzinfo is not None:
                return int(value.timestamp() * 1000)
            return local(int((value - epoch).total_seconds() * 1000))
        return read(value.isoformat()) if isinstance(value, date) else read(value)

    return found


def _leaves(value: Event, above: str = "", depth: int = 1) -> Iterator[tuple[str, Any]]:
    for key, below in value.items():
        path = f"{above}{key}"
        if isinstance(below, dict) and below and depth < _DEEPEST:
            yield from _leaves(below, f"{path}.", depth + 1)
        elif not isinstance(below, dict):
            yield path, below


def _objects(path: Path, progress: Progress, report: FileReport) -> Iterator[Event]:
    for lines in read_lines(path, progress):
        for line in lines:
            try:
                value = parse(line)
            except Refused as refused:
                report.reject(rejected(refused, line))
                continue
            for event in value if isinstance(value, list) else (value,):
                if isinstance(event, dict):
                    yield event
                else:
                    report.reject(rejected(not_an_event(event), line))
