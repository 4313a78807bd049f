"""From matches to what travels on `drift.sketches`: performance sketches, delays and errors. Pure.

Codes of the join (of versions, of label classes, of the reference's categories) become those of the reference's
performance space here. A label that fits no class, or is no number where one is wanted, is a match that no metric can
use: `PerformanceSketch.n_invalid` counts it.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from detectors.arrays import Codes, Floats, Ints
from detectors.columns import Column
from detectors.grid import locate
from detectors.performance import matches as columns
from detectors.performance.accumulate import accumulate_matches
from detectors.performance.classes import class_codes, said_codes
from detectors.performance.delay import EDGES_MS, N_DELAY_CELLS
from detectors.performance.sketch import LOSS, SQUARE, N, PerformanceSketch, shapes_of
from detectors.performance.space import PerformanceSpace
from detectors.reference import REST, WHOLE, Reference, segment_name
from monitor.events.models import LABEL, SCORE
from monitor.join.coarse import CoarseColumns
from monitor.join.matches import Matches
from monitor.sketching.deltas import MAX_MESSAGE_BYTES
from monitor.sketching.messages import ErrorEntry, ErrorSums, PerformanceDelta, PerformanceEntry

MAX_PART_BYTES: Final = 64 * 1024 * 1024
"""Counts of the slots that are accumulated at a time."""


class MatchCounter:
    """Counts the matches of one reference in the cells of its space.

    Parameters
    ----------
    space: of the reference (`detectors.performance.model_space.space_of`).
    """

    def __init__(self, reference: Reference, space: PerformanceSpace) -> None:
        self._space = space
        observed = reference.layout.observed
        scores = [observed.columns[index].name for index in observed.numeric]
        scores = [name for name in scores if name == SCORE or name.startswith(f"{SCORE}.")]
        self._scores = [scores.index(own.name) if own.name in scores else -1 for own in space.scores]
        coarse = CoarseColumns(reference).names
        self._parts = [coarse.index(part.column) if part.column in coarse else -1 for part in space.parts]
        label: Column | None = next((one for one in observed.columns if one.name == LABEL), None)
        self._said = said_codes(space, label)
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
        for entry, sketch in self._entries(matches):
            if entry.segment == WHOLE:
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

    def _entries(self, matches: Matches) -> Iterator[tuple[PerformanceEntry, PerformanceSketch]]:
        pane_ms = matches.shape.pane_ms
        panes, label_panes = matches.times_ms // pane_ms, matches.label_times_ms // pane_ms
        groups, group_of = np.unique(_paired([matches.version_codes, panes, label_panes]), return_inverse=True)
        _, first_rows = np.unique(group_of, return_index=True)
        versions = [matches.versions[code] for code in matches.version_codes[first_rows].tolist()]
        starts = (panes[first_rows] * pane_ms).tolist()
        label_starts = (label_panes[first_rows] * pane_ms).tolist()
        delays = _delays(matches, group_of, groups.size)
        names = [name for part in self._segments for name in part]
        slots, slot_of = np.unique(self._slots(matches, group_of, len(names)), return_inverse=True)
        rows = np.tile(np.arange(matches.n), len(self._segments))
        counted = self._columns(matches)
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
                )

    def _slots(self, matches: Matches, group_of: Ints, width: int) -> Ints:
        """(segments * n,) the group's and the segment's number in one: first all rows' wholes, then each dimension."""
        slots = [group_of * width]
        base = 1
        for part, codes in zip(self._segments[1:], matches.segments, strict=True):
            slots.append(group_of * width + base + np.minimum(codes, len(part) - 1))
            base += len(part)
        return np.concatenate(slots)

    def _columns(self, matches: Matches) -> columns.Matches:
        """The matches as the space wants them."""
        space, n = self._space, matches.n
        scores = np.full((len(space.scores), n), np.nan)
        own_scores = matches.scores
        for row, place in enumerate(self._scores):
            if place >= 0:
                scores[row] = own_scores[place]
        parts = np.empty((len(space.parts), n), dtype=np.uint8)
        cells = matches.cells
        for row, (place, part) in enumerate(zip(self._parts, space.parts, strict=True)):
            last = len(part.cells) - 1
            parts[row] = np.minimum(cells[place], last) if place >= 0 else last
        common: dict[str, Any] = {
            "sign": matches.sign.astype(np.int64), "scores": scores, "parts": parts, "value": matches.values
        }  # fmt: skip
        if not space.classes:
            return columns.Matches.of(space, n, target=targets(matches), **common)
        said = self._said[np.minimum(matches.class_codes, self._said.size - 4)]
        return columns.Matches.of(space, n, label=label_codes(space, matches), predicted=said, **common)


def label_codes(space: PerformanceSpace, matches: Matches) -> Codes:
    """(n,) int32 the true class of each match, `space.other` for any other. A number names the class that is written
    like it: 1 and 1.0 are "1"."""
    is_class, own = matches.is_class, matches.label_codes
    codes = np.full(matches.n, space.other, dtype=np.int32)
    used, inverse = np.unique(own[is_class], return_inverse=True)
    codes[is_class] = class_codes(space.classes, [matches.classes[code] for code in used.tolist()])[inverse]
    values, inverse = np.unique(matches.label_numbers[~is_class], return_inverse=True)
    codes[~is_class] = class_codes(space.classes, [_written(value) for value in values.tolist()])[inverse]
    return codes


def targets(matches: Matches) -> Floats:
    """(n,) the true value of each match; NaN where the label is no number."""
    found = matches.label_numbers.copy()
    used, inverse = np.unique(matches.label_codes[matches.is_class], return_inverse=True)
    texts = np.array([_number(matches.classes[code]) for code in used.tolist()], dtype=np.float64)
    if used.size:
        found[matches.is_class] = texts[inverse]
    return found


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


def _written(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan


def _paired(keys: Sequence[Ints]) -> Ints:
    """(n,) one number for each combination of keys, (n,) each, in their order."""
    paired = np.zeros(keys[0].size, dtype=np.int64)
    for key in keys:
        low = int(key.min())
        span = int(key.max()) - low + 1
        if int(paired.max(initial=0)) > (1 << 62) // span:  # times far apart: number the combinations so far
            paired = np.unique(paired, return_inverse=True)[1].astype(np.int64)
        paired = paired * span + (key - low)
    return paired


def _delays(matches: Matches, group_of: Ints, n_groups: int) -> dict[int, dict[int, int]]:
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
