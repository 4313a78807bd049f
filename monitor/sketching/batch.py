"""Sketch a decoded batch: one sketch for each version, pane and segment in it. Pure.

Rows are grouped by (version, pane), and each group is counted once for every segment dimension; the segments of the
first add up to the whole. A batch out of order may hold many panes; it is taken in parts, so that the counts of one
part stay in bounded memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from detectors.accumulate import accumulate
from detectors.derive import with_derived
from detectors.reference import REST, WHOLE, Reference, segment_name
from detectors.sketch import Sketch
from monitor.events.batch import Batch

# Counts of one part: its slots times the layout's cells, eight bytes each.
MAX_PART_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class SketchKey:
    """What a sketch is of: a model version, the start of a pane (milliseconds UTC), and a segment."""

    version: str
    pane_start_ms: int
    segment: str


def sketch_batch(batch: Batch, reference: Reference, pane_ms: int) -> Iterator[tuple[SketchKey, Sketch]]:
    """The sketches of `batch` on the reference's grid, its derived columns with them. No key comes twice."""
    if batch.n == 0:
        return
    if reference.derived is not None:
        batch = replace(batch, numeric=with_derived(reference.derived, batch.numeric))
    names = [(WHOLE,)] + [
        tuple(segment_name(dimension, value) for value in (*values, REST))
        for dimension, values in reference.dimensions.items()
    ]
    groups, group_of_row = _group(batch, pane_ms)
    widths = [len(part) for part in names]
    slot_bytes = max(1, reference.layout.n_cells) * 8
    groups_per_part = max(1, MAX_PART_BYTES // (slot_bytes * sum(widths)))
    for first in range(0, groups.shape[1], groups_per_part):
        last = min(first + groups_per_part, groups.shape[1])
        rows = (
            None if last - first == groups.shape[1] else np.flatnonzero((group_of_row >= first) & (group_of_row < last))
        )
        yield from _sketch_groups(batch, rows, reference, names, groups[:, first:last], group_of_row, first)


def _group(batch: Batch, pane_ms: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.intp]]:
    """The (version, pane start) pairs that occur, sorted, (2, n_groups), and each row's position among them, (n,).

    Events come nearly in order, so a batch holds one pane, or few that lie close together and whose numbers can be
    counted. Sorting pairs took longer than all that is counted afterwards; it is left to batches that are scattered
    over time.
    """
    first, last = int(batch.timestamps_ms.min()) // pane_ms, int(batch.timestamps_ms.max()) // pane_ms
    if first == last and len(batch.versions) == 1:
        return np.array([[0], [first * pane_ms]], dtype=np.int64), np.zeros(batch.n, dtype=np.intp)
    panes = batch.timestamps_ms // pane_ms
    if (last - first + 1) * len(batch.versions) <= 4 * batch.n + 1024:
        distinct = np.arange(first, last + 1)
        pane_of_row = panes - first
    else:
        distinct, pane_of_row = np.unique(panes, return_inverse=True)
    key = batch.version_codes * np.int64(distinct.size) + pane_of_row
    present, group_of_row = _dense(key, distinct.size * len(batch.versions), batch.n)
    return np.stack([present // distinct.size, distinct[present % distinct.size] * pane_ms]), group_of_row


def _dense(keys: npt.NDArray[np.int64], n_keys: int, n: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.intp]]:
    """As `np.unique` with its inverse, for keys in [0, n_keys); by counting where there are few."""
    if n_keys > 4 * n + 1024:
        return np.unique(keys, return_inverse=True)
    taken = np.bincount(keys, minlength=n_keys) > 0
    place = np.cumsum(taken) - 1
    return np.flatnonzero(taken), place[keys]


def _sketch_groups(
    batch: Batch,
    rows: npt.NDArray[np.intp] | None,
    reference: Reference,
    names: list[tuple[str, ...]],
    groups: npt.NDArray[np.int64],
    group_of_row: npt.NDArray[np.intp],
    first: int,
) -> Iterator[tuple[SketchKey, Sketch]]:
    """Count the rows of some groups; `rows` are theirs, or None for all of the batch."""
    numeric, codes, segments, unseen = batch.numeric, batch.codes, batch.segments, batch.unseen
    if rows is not None:
        numeric, codes, segments = numeric[:, rows], codes[:, rows], segments[:, rows]
        position_of = {int(row): position for position, row in enumerate(rows)}
        unseen = {
            column: [(position_of[row], value) for row, value in values if row in position_of]
            for column, values in unseen.items()
        }
        group_of_row = group_of_row[rows]
    group = (group_of_row - first).astype(np.int32)
    n_groups = groups.shape[1]
    slots, totals = _slots(group, segments, n_groups, [len(part) for part in names[1:]])
    sketches = accumulate(
        reference.layout, numeric=numeric, codes=codes, slots=slots, n_slots=totals.size, unseen=unseen, totals=totals
    )
    base = 0
    for part in names:
        for number in range(n_groups):
            version, start_ms = batch.versions[int(groups[0, number])], int(groups[1, number])
            for value, segment in enumerate(part):
                sketch = sketches[base + number * len(part) + value]
                if sketch.n:
                    yield SketchKey(version=version, pane_start_ms=start_ms, segment=segment), sketch
        base += n_groups * len(part)


def _slots(
    group: npt.NDArray[np.int32], segments: npt.NDArray[np.int32], n_groups: int, widths: list[int]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Slots of the rows, and their totals: first the groups' wholes, then the segments of each dimension by group.

    A row lies in exactly one segment of the first dimension: the whole is their total. Without one it is counted.
    """
    totals = np.full(n_groups * (1 + sum(widths)), -1, dtype=np.int32)
    if not widths:
        return group.reshape(1, -1), totals
    totals[n_groups : n_groups * (1 + widths[0])] = np.repeat(np.arange(n_groups, dtype=np.int32), widths[0])
    slots = np.empty((len(widths), group.size), dtype=np.int32)
    base = n_groups
    for position, width in enumerate(widths):
        slots[position] = base + group * width + segments[position]
        base += n_groups * width
    return slots, totals
