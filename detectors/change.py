"""What changed, in words and two numbers: the direction of a verdict, and the quantity before and after.

A verdict's method says which quantity to look at: rates have their own; of a numeric column it is the mean or the
standard deviation, or the share of the cell that changed most where neither moved; of a categorical one the share of a
category.
"""

import math
from typing import Final

import msgspec
import numpy as np

from detectors.arrays import Codes, Floats, Ints
from detectors.baseline import Baseline, Counts
from detectors.columns import Kind
from detectors.plan import Plan, plan_of
from detectors.reference import WHOLE, Reference
from detectors.score import ScoreColumns
from detectors.stack import Stack
from detectors.tables import Table, tabulate
from detectors.verdict import VerdictColumns

DIRECTIONS: Final = (
    "none",
    "up",
    "down",
    "wider",
    "narrower",
    "new category",
    "category gone",
    "category up",
    "category down",
    "more missing",
    "fewer missing",
    "more invalid",
    "fewer invalid",
    "above range",
    "below range",
    "reshaped",
    "fewer features",
    "fewer predictions",
)
"""In the order of the codes. `reshaped`: neither the mean nor the width tells it; `quantity` names the range of values
whose share changed most."""
_TINY: Final = float(np.finfo(float).tiny)
_CODE: Final = {name: code for code, name in enumerate(DIRECTIONS)}


class ChangeColumns(msgspec.Struct, frozen=True, kw_only=True):
    """Beside the rows of `VerdictColumns`, (rows,) each.

    Attributes
    ----------
    direction: int32 into `DIRECTIONS`.
    quantities: the texts that `quantity` points into: "mean", "standard deviation", "share of UA".
    quantity: int32, what `before` and `after` are values of.
    before, after: the reference's and the window's; NaN where a side has none.
    """

    quantities: tuple[str, ...]
    quantity: Codes
    direction: Codes
    before: Floats
    after: Floats


class _Changes:
    def __init__(self, n: int) -> None:
        self.names: dict[str, int] = {"": 0}
        self.quantity = np.zeros(n, dtype=np.int32)
        self.direction = np.zeros(n, dtype=np.int32)
        self.before, self.after = np.full(n, np.nan), np.full(n, np.nan)

    def put(self, row: int, direction: str, quantity: str, before: float, after: float) -> None:
        self.quantity[row] = self.names.setdefault(quantity, len(self.names))
        self.direction[row] = _CODE[direction]
        self.before[row], self.after[row] = before, after


def changes(
    reference: Reference, window: Stack, baseline: Counts | None, scores: ScoreColumns, verdicts: VerdictColumns
) -> ChangeColumns:
    """What changed in the drifted rows of a window's verdicts; "none" in the others."""
    found = _Changes(len(verdicts))
    rows = np.flatnonzero(verdicts.drifted)
    if rows.size:
        names = window.names
        other = Baseline.matching(reference, baseline, names)
        live = tabulate(reference.layout, window)
        look = _Look(reference, other, live, window)
        for row in rows.tolist():
            score = int(verdicts.row[row])
            column, segment = int(scores.column[score]), int(verdicts.segment[row])
            method = scores.methods[scores.method[score]]
            found.put(row, *look.at(segment, column, method, float(scores.statistic[score])))
    return ChangeColumns(
        quantities=tuple(found.names),
        quantity=found.quantity,
        direction=found.direction,
        before=found.before,
        after=found.after,
    )


class _Look:
    """Both sides of one window."""

    def __init__(self, reference: Reference, baseline: Baseline, live: Table, window: Stack) -> None:
        self._reference, self._layout = reference, reference.layout
        self._before, self._after = baseline.table, live
        self._events = baseline.events, window.events
        self._whole = reference.sketches[WHOLE]
        self._shares: dict[int, tuple[Plan, Ints, Floats, Floats]] = {}
        self._moments = [
            (side.mean, np.sqrt(side.m2 / np.maximum(side.valid, 1))) for side in (self._before, self._after)
        ]

    def at(self, segment: int, column: int, method: str, statistic: float) -> tuple[str, str, float, float]:
        if column == len(self._layout.columns):
            return self._coverage(segment)
        place = (segment, column)
        numeric = self._layout.columns[column].kind is Kind.NUMERIC
        if method in ("missing", "invalid"):
            tally = "nulls" if method == "missing" else "invalid"
            before, after = (
                float(getattr(side, tally)[place] / max(side.spoken[place], 1)) for side in (self._before, self._after)
            )
            return f"{'more' if after > before else 'fewer'} {method}", f"share {method}", before, after
        if method == "unseen":
            before, after = (
                float(side.unseen[place] / max(side.spoken[place], 1)) for side in (self._before, self._after)
            )
            return "new category", "share of new categories", before, after
        if method == "out_of_range":
            return self._range(segment, column)
        if not numeric:
            return self._cell(segment, column)
        return self._moved(segment, column, method, statistic)

    def _coverage(self, segment: int) -> tuple[str, str, float, float]:
        shares = []
        for events in self._events:
            _, features, prediction, _ = events[segment].tolist()
            shares.append((features - prediction) / max(features, prediction, 1))
        fewer = "fewer features" if shares[1] < shares[0] else "fewer predictions"
        return fewer, "balance of features and predictions", shares[0], shares[1]

    def _range(self, segment: int, column: int) -> tuple[str, str, float, float]:
        position = self._layout.numeric.index(column)
        low, high = float(self._whole.minimum[position]), float(self._whole.maximum[position])
        cells = self._layout.cells(column)
        counts = self._after.counts[segment, cells]
        shares = [
            float(side.outside[segment, column] / max(side.spoken[segment, column], 1))
            for side in (self._before, self._after)
        ]
        if shares[0] > 0.0:  # beside live panes, which lie out of the reference's range themselves
            return (
                ("up" if shares[1] > shares[0] else "down"),
                "share out of the reference's range",
                shares[0],
                shares[1],
            )
        if counts[-1] >= counts[0]:
            return "above range", "maximum", high, float(self._after.maximum[segment, column])
        return "below range", "minimum", low, float(self._after.minimum[segment, column])

    def _moved(self, segment: int, column: int, method: str, statistic: float) -> tuple[str, str, float, float]:
        place = (segment, column)
        means = [float(mean[place]) for mean, _ in self._moments]
        widths = [float(width[place]) for _, width in self._moments]
        scale = max(widths[0], _TINY)
        shift, stretch = (means[1] - means[0]) / scale, math.log(max(widths[1], _TINY) / scale)
        spread_said = method in ("spread", "variance")
        if not spread_said and (abs(shift) >= 0.1 or method == "mean") and abs(shift) >= abs(stretch) / 3.0:
            return ("up" if shift > 0 else "down"), "mean", means[0], means[1]
        if abs(stretch) >= 0.1 and (not spread_said or (stretch > 0) == (statistic > 0)):
            return ("wider" if stretch > 0 else "narrower"), "standard deviation", widths[0], widths[1]
        if method == "location" and shift != 0 and (shift > 0) == (statistic > 0):
            return ("up" if shift > 0 else "down"), "mean", means[0], means[1]
        return self._cell(segment, column)

    def _cell(self, segment: int, column: int) -> tuple[str, str, float, float]:
        """The cell whose share changed most."""
        own = self._layout.columns[column]
        if column not in self._shares:
            self._shares[column] = self._shares_of(column)
        plan, largest, shares_before, shares_after = self._shares[column]
        cell = int(largest[segment])
        before, after = float(shares_before[segment, cell]), float(shares_after[segment, cell])
        if own.kind is Kind.NUMERIC:
            return "reshaped", f"share of values {self._range_of(plan, column, cell)}", before, after
        last = plan.index.shape[1] - 1
        if cell == last:
            return ("more missing" if after > before else "fewer missing"), "share missing", before, after
        if cell == last - 1:
            known = len(own.categories) > last - 1 or own.others
            what = "share of all other categories" if known else "share of new categories"
            if before == 0.0:
                return "new category", what, before, after
            return ("category up" if after > before else "category down"), what, before, after
        name = own.categories[cell]
        if after == 0.0:
            return "category gone", f"share of {name}", before, after
        return ("category up" if after > before else "category down"), f"share of {name}", before, after

    def _shares_of(self, column: int) -> tuple[Plan, Ints, Floats, Floats]:
        """A column's plan; of each segment the cell that changed most; and (segments, cells) both sides' shares."""
        kind = self._layout.columns[column].kind
        plan = plan_of(self._reference, (kind, "bins", (column,), 10))
        before, after = (
            counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
            for counts in (plan.pick(side.counts, side.nulls)[:, 0] for side in (self._before, self._after))
        )
        return plan, np.argmax(np.abs(after - before), axis=1), before, after

    def _range_of(self, plan: Plan, column: int, cell: int) -> str:
        edges = self._layout.columns[column].edges
        offset = int(self._layout.offsets[column])
        starts = [int(start) - offset for start in plan.starts if offset <= start < self._layout.offsets[column + 1]]
        first = starts[cell]
        last = starts[cell + 1] if cell + 1 < len(starts) else len(edges) + 1
        return range_text(
            float(edges[first - 1]) if first > 0 else None, float(edges[last - 1]) if last <= len(edges) else None
        )


def range_text(low: float | None, high: float | None) -> str:
    """The values in (low, high] in words; None: no bound. In three digits, and all those before the point; in more only
    where the two would read alike."""
    texts = ["", ""]
    for digits in (3, 4, 6, 9, 17):
        texts = ["" if bound is None else _figure(bound, digits) for bound in (low, high)]
        if texts[0] != texts[1]:
            break
    lower, upper = texts
    return f"{lower} to {upper}" if lower and upper else f"above {lower}" if lower else f"up to {upper}"


def _figure(value: float, digits: int) -> str:
    before_point = len(f"{abs(value):.0f}") if abs(value) < 1e9 else 0
    return f"{value:,.{max(digits, before_point)}g}"
