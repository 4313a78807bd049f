"""From pairs to what travels on `drift.sketches`: how often, and by how much, two sides of a feature differ. Pure."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from detectors.arrays import Bools, Floats, Ints
from detectors.feature_skew import ColumnSkew, column_skew, equal_numbers
from monitor.config.schema import FeatureSkew
from monitor.join.feature_records import OTHER
from monitor.join.pairs import Pairs
from monitor.join.performance import paired
from monitor.sketching.deltas import MAX_MESSAGE_BYTES
from monitor.sketching.feature_skew import FeatureSkewDelta, FeatureSkewEntry, encoded

_COLUMN_BYTES: Final = 256
"""About what the counts of one column take; numbers of many magnitudes make sums of as many bytes."""


def skew_deltas(pairs: Pairs, settings: FeatureSkew) -> Iterator[FeatureSkewDelta]:
    """The pairs by version, pane of predictions, pane of label time and column, each delta small enough for a message
    of its own. Only columns that both sides have, and as the same kind."""
    shape = pairs.served_shape
    panes, label_panes = pairs.times_ms // shape.pane_ms, pairs.at_ms // shape.pane_ms
    codes = pairs.served["version"].astype(np.int64)
    _, first_rows, group_of = np.unique(paired([codes, panes, label_panes]), return_index=True, return_inverse=True)
    columns = _columns(pairs, settings, group_of, first_rows.size)
    n_bytes = sum(_COLUMN_BYTES + len(name.encode()) for name in columns)
    most = max(1, MAX_MESSAGE_BYTES // max(1, n_bytes))
    entries = [
        FeatureSkewEntry(
            version=pairs.versions[int(codes[row])],
            pane_start_ms=int(panes[row]) * shape.pane_ms,
            label_pane_ms=int(label_panes[row]) * shape.pane_ms,
            columns={name: encoded(own[group]) for name, own in columns.items() if own[group] != ColumnSkew()},
        )
        for group, row in enumerate(first_rows.tolist())
    ]
    for start in range(0, len(entries), most):
        yield FeatureSkewDelta(
            model=shape.model, reference=shape.reference, pane_ms=shape.pane_ms, entries=entries[start : start + most]
        )


def _columns(pairs: Pairs, settings: FeatureSkew, group_of: Ints, n_groups: int) -> dict[str, list[ColumnSkew]]:
    shape, other = pairs.served_shape, pairs.recomputed_shape
    served, recomputed = (
        np.ascontiguousarray(side["values"].T) for side in (pairs.served, pairs.recomputed)
    )  # fmt: skip
    sign = pairs.sign.astype(np.int64)
    found: dict[str, list[ColumnSkew]] = {}
    place_of = {name: place for place, name in enumerate(other.numeric)}
    for place, name in enumerate(shape.numeric):
        if name in place_of:
            one, two = served[place].view(np.float64), recomputed[place_of[name]].view(np.float64)
            there = np.isfinite(one), np.isfinite(two)
            found[name] = column_skew(*there, *_numbers(one, two, there, settings), sign, group_of, n_groups)
    place_of = {name: place for place, name in enumerate(other.categorical, len(other.numeric))}
    # Which categories share `OTHER` is the reference's choice: between two of them it says nothing.
    least = OTHER if shape.reference == other.reference else OTHER + 1
    for place, name in enumerate(shape.categorical, len(shape.numeric)):
        if name in place_of:
            first, second = served[place], recomputed[place_of[name]]
            told = (first >= least) | (first < OTHER), (second >= least) | (second < OTHER)
            known = told[0] & told[1]
            there = (first >= least) & known, (second >= least) & known
            found[name] = column_skew(*there, first == second, None, sign, group_of, n_groups)
    return found


def _numbers(one: Floats, two: Floats, there: tuple[Bools, Bools], settings: FeatureSkew) -> tuple[Bools, Floats]:
    """(n,) whether the numbers are equal, and their differences; of what is no number anything."""
    first, second = (np.where(side, values, 0.0) for side, values in zip(there, (one, two), strict=True))
    with np.errstate(over="ignore"):
        differences: Any = first - second
    return equal_numbers(first, second, settings.tolerance, settings.absolute), differences
