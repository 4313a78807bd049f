"""From matches to what travels on `drift.sketches`: performance sketches, delays and errors. Pure.

A label that fits no class, or is no number where one is wanted, is a match that no metric can
use: `PerformanceSketch.n_invalid` counts it.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from detectors.arrays import Ints
from detectors.grid import locate
from detectors.performance import matches as columns
from detectors.performance.accumulate import accumulate_matches
from detectors.performance.delay import EDGES_MS, N_DELAY_CELLS
from detectors.performance.sketch import LOSS, SQUARE, N, PerformanceSketch, shapes_of
from detectors.performance.space import PerformanceSpace
from detectors.reference import REST, WHOLE, Reference, segment_name
from monitor.join.matches import Matches
from monitor.join.measured import MatchReader
from monitor.sketching.deltas import MAX_MESSAGE_BYTES
from monitor.sketching.messages import ErrorEntry, ErrorSums, PerformanceDelta, PerformanceEntry

MAX_PART_BYTES: Final = 64 * 1024 * 1024
"""Counts of the slots that are accumulated at a time."""


class MatchCounter:
    """Counts the matches of one reference in the cells of its space.

    Parameters
    ----------
    space, threshold: see `monitor.join.measured.MatchReader`.
    """

    def __init__(self, reference: Reference, space: PerformanceSpace, threshold: float | None = None) -> None:
        self._space = space
        self._reader = MatchReader(space, reference, threshold)
        self._segments = [(WHOLE,)] + [
            tuple(segment_name(dimension, value) for value in (*values, REST))
            for dimension, values in reference.dimensions.items()
        ]
        self._slot_bytes = 8 * max(1, sum(int(np.prod(shape)) for shape in shapes_of(space).values()))

    def deltas(self, matches: Matches) -> Iterator[PerformanceDelta]:
        """The matches by version, pane of predictions, pane of labels and segment, each delta small enough for a
        message of its own (one larger sketch goes alone)."""
        shape = matches.shape
        errors: dict[tuple[str, int], ErrorSums] = {}
        entries: list[PerformanceEntry] = []
        n_bytes = 0
        for entry, sketch, corrects in self._entries(matches):
            if entry.segment == WHOLE and not corrects:
                key = (entry.version, entry.label_pane_ms)
                errors[key] = errors.get(key, ErrorSums()) + error_sums(sketch)
            own_bytes = len(entry.sketch) + len(entry.version.encode()) + len(entry.segment.encode()) + 512
            if entries and n_bytes + own_bytes > MAX_MESSAGE_BYTES:
                yield PerformanceDelta(
                    model=shape.model, reference=shape.reference, pane_ms=shape.pane_ms, entries=entries
                )
                entries, n_bytes = [], 0
            entries.append(entry)
            n_bytes += own_bytes
        listed = [
            ErrorEntry(version=version, label_pane_ms=start_ms, sums=sums)
            for (version, start_ms), sums in sorted(errors.items())
            if sums != ErrorSums()
        ]
        yield PerformanceDelta(
            model=shape.model, reference=shape.reference, pane_ms=shape.pane_ms, entries=entries, errors=listed
        )

    def _entries(self, matches: Matches) -> Iterator[tuple[PerformanceEntry, PerformanceSketch, bool]]:
        """Entries with their sketches, and whether they take back what earlier panes of labels have: a detector that
        was given those has no way back, and is given the new labels alone."""
        pane_ms = matches.shape.pane_ms
        panes, label_panes = matches.times_ms // pane_ms, matches.at_ms // pane_ms
        corrects = (label_panes != matches.label_times_ms // pane_ms).astype(np.int64)
        keys = paired([matches.version_codes, panes, label_panes, corrects])
        _, group_of = np.unique(keys, return_inverse=True)
        _, first_rows = np.unique(group_of, return_index=True)
        versions = [matches.versions[code] for code in matches.version_codes[first_rows].tolist()]
        starts = (panes[first_rows] * pane_ms).tolist()
        label_starts = (label_panes[first_rows] * pane_ms).tolist()
        corrected = corrects[first_rows].tolist()
        delays = _delays(matches, group_of)
        names = [name for part in self._segments for name in part]
        slots, slot_of = np.unique(self._slots(matches, group_of, len(names)), return_inverse=True)
        rows = np.tile(np.arange(matches.n), len(self._segments))
        counted = self._reader.read(matches)
        most = max(1, MAX_PART_BYTES // self._slot_bytes)
        for first in range(0, slots.size, most):
            last = min(first + most, slots.size)
            own = slice(None) if last - first == slots.size else (slot_of >= first) & (slot_of < last)
            sketches = accumulate_matches(
                self._space, _picked(counted, rows[own]), (slot_of[own] - first).astype(np.int64), last - first
            )
            for slot, sketch in zip(slots[first:last].tolist(), sketches, strict=True):
                group, place = divmod(slot, len(names))
                yield (
                    PerformanceEntry(
                        version=versions[group],
                        pane_start_ms=starts[group],
                        label_pane_ms=label_starts[group],
                        segment=names[place],
                        n=sketch.n,
                        sketch=sketch.encode(),
                        delays=delays.get(group, {}) if place == 0 else {},
                    ),
                    sketch,
                    bool(corrected[group]),
                )

    def _slots(self, matches: Matches, group_of: Ints, width: int) -> Ints:
        """(segments * n,) the group's and the segment's number in one: first all rows' wholes, then each dimension."""
        slots = [group_of * width]
        base = 1
        for part, codes in zip(self._segments[1:], matches.segments, strict=True):
            slots.append(group_of * width + base + np.minimum(codes, len(part) - 1))
            base += len(part)
        return np.concatenate(slots)


def error_sums(sketch: PerformanceSketch) -> ErrorSums:
    """What a sketch says of errors and losses, in whole numbers."""
    said = sketch.confusion[:, :-1]
    losses = sketch.losses.tolist()
    return ErrorSums(
        n_said=int(said.sum()),
        n_wrong=int(said.sum() - np.trace(said)),
        n_loss=losses[N],
        loss=losses[LOSS],
        squares=losses[SQUARE],
    )


def paired(keys: Sequence[Ints]) -> Ints:
    """(n,) one number for each combination of keys, (n,) each, in their order."""
    paired = np.zeros(keys[0].size, dtype=np.int64)
    for key in keys:
        low = int(key.min())
        span = int(key.max()) - low + 1
        if int(paired.max(initial=0)) > (1 << 62) // span:  # times far apart: number the combinations so far
            paired = np.unique(paired, return_inverse=True)[1].astype(np.int64)
        paired = paired * span + (key - low)
    return paired


def _delays(matches: Matches, group_of: Ints) -> dict[int, dict[int, int]]:
    """By group, then by cell of the delay, labels less those taken back."""
    after_ms = (matches.label_times_ms - matches.times_ms).astype(np.float64)
    keys = group_of * N_DELAY_CELLS + locate(EDGES_MS, after_ms)
    used, inverse = np.unique(keys, return_inverse=True)
    n = np.bincount(inverse, weights=matches.sign, minlength=used.size).astype(np.int64)
    found: dict[int, dict[int, int]] = {}
    for key, count in zip(used.tolist(), n.tolist(), strict=True):
        if count:
            group, cell = divmod(key, N_DELAY_CELLS)
            found.setdefault(group, {})[cell] = count
    return found


def _picked(matches: columns.Matches, rows: Ints) -> columns.Matches:
    """Some rows, also several times."""
    return columns.Matches(
        sign=matches.sign[rows],
        label=matches.label[rows] if matches.label.size else matches.label,
        predicted=matches.predicted[rows] if matches.predicted.size else matches.predicted,
        target=matches.target[rows] if matches.target.size else matches.target,
        scores=matches.scores[:, rows],
        parts=matches.parts[:, rows],
        value=matches.value[rows],
    )
