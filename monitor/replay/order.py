"""Rows of a file in the order of time, whatever order the file has, in bounded memory.

Most files are in order already, or nearly: then no row is late, and nothing need be done. Where one is, the file is
read again and its rows are put into buckets of time on disk; buckets are then fed one after another, and the clock
stands still within one.
"""

import dataclasses
import pickle
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import numpy as np

from detectors.arrays import Ints
from monitor.events.batch import Batch, Decoded

BUCKET_MS: Final = 6 * 3_600_000
"""Panes of so much time are open at once, beside those that the lateness keeps."""

_HELD_BYTES: Final = 128 * 1024 * 1024
"""Of rows that wait to be written."""


class OutOfOrder(Exception):  # noqa: N818 - an answer, not a fault
    """A row would be late: nothing that was made of the rows before it counts."""


def in_order(parts: Iterable[Decoded], lateness_ms: Mapping[str, int]) -> Iterator[Decoded]:
    """The same parts, as long as no row lies further behind the latest than its model's lateness.

    Raises
    ------
    OutOfOrder
        One does.
    """
    latest_ms: int | None = None
    for part in parts:
        if latest_ms is not None:
            for batch in part.batches:
                if int(batch.timestamps_ms.min()) < latest_ms - lateness_ms[batch.model]:
                    raise OutOfOrder
        times = [int(batch.timestamps_ms.max()) for batch in part.batches]
        latest_ms = max([*times, *([] if latest_ms is None else [latest_ms])], default=None)
        yield part


def by_time(parts: Iterable[Decoded], folder: Path) -> Iterator[Decoded]:
    """What is no row of a batch first, then all rows by ascending bucket; the batches of a bucket share its beginning.

    Parameters
    ----------
    parts
        Read once.
    folder
        An empty one, for the rows.
    """
    held: dict[int, list[Batch]] = {}
    n_bytes = 0
    buckets: set[int] = set()
    for part in parts:
        yield dataclasses.replace(part, batches=[])
        for batch in part.batches:
            n_bytes += batch.numeric.nbytes + batch.codes.nbytes + 64 * batch.n
            numbers = batch.timestamps_ms // BUCKET_MS
            for number in np.unique(numbers).tolist():
                held.setdefault(number, []).append(_taken(batch, np.flatnonzero(numbers == number)))
        if n_bytes > _HELD_BYTES:
            buckets |= held.keys()
            _write(held, folder)
            held, n_bytes = {}, 0
    buckets |= held.keys()
    _write(held, folder)
    held = {}
    for number in sorted(buckets):
        with (folder / str(number)).open("rb") as file:
            while (rows := _next(file)) is not None:
                yield Decoded(batches=[rows], rejects=[], n_events=0, complete_ms=number * BUCKET_MS)


def _taken(batch: Batch, rows: Ints) -> Batch:
    """Some rows of a batch, ascending."""
    if rows.size == batch.n:
        return batch
    place = dict(zip(rows.tolist(), range(rows.size), strict=True)) if batch.unseen else {}
    unseen = {
        column: [(place[row], value) for row, value in pairs if row in place] for column, pairs in batch.unseen.items()
    }
    return dataclasses.replace(
        batch,
        n=rows.size,
        version_codes=batch.version_codes[rows],
        timestamps_ms=batch.timestamps_ms[rows],
        numeric=np.ascontiguousarray(batch.numeric[:, rows]),
        codes=np.ascontiguousarray(batch.codes[:, rows]),
        segments=np.ascontiguousarray(batch.segments[:, rows]),
        unseen={column: pairs for column, pairs in unseen.items() if pairs},
        sources=batch.sources[rows],
        ids=None if batch.ids is None else batch.ids[rows],
    )


def _write(held: Mapping[int, list[Batch]], folder: Path) -> None:
    for number, batches in held.items():
        with (folder / str(number)).open("ab") as file:
            for batch in batches:
                pickle.dump(batch, file, protocol=pickle.HIGHEST_PROTOCOL)


def _next(file: object) -> Batch | None:
    try:
        found: Batch = pickle.load(file)  # type: ignore[arg-type]  # noqa: S301 - written by this process just now
    except EOFError:
        return None
    return found
