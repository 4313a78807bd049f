"""For whom a model got worse: the loss in each coarse cell of each monitored column, against the reference's there.

An aggregate can stand still over a subgroup that fails, where another one gains: each cell is tested by itself, and the
rate of false ones among all that were looked at is controlled.

References
----------
Welch (1947), The generalization of Student's problem when several different population variances are involved,
Biometrika 34(1-2), 28-35. Agresti & Caffo (2000), Simple and effective confidence intervals for proportions, The
American Statistician 54(4), 280-288: two successes and two failures more. Benjamini & Hochberg (1995), Controlling the
false discovery rate, Journal of the Royal Statistical Society B 57(1), 289-300; for tests that share rows: Benjamini &
Yekutieli (2001), Annals of Statistics 29(4), 1165-1188, positive dependence.
"""

import math
from typing import Final

import msgspec
import numpy as np

from detectors.arrays import Floats
from detectors.errors import LayoutMismatch
from detectors.performance.sketch import LOSS, SQUARE, UNIT, N, PerformanceSketch
from detectors.significance import benjamini_hochberg

LEAST_ROWS: Final = 30
"""A cell with fewer on either side is not looked at: the mean of so few losses is not yet normal."""


class Subgroup(msgspec.Struct, frozen=True, kw_only=True):
    """One part of one column.

    Attributes
    ----------
    column, cell, name: which; `name` for people.
    n_before, n_now: rows with a loss.
    loss_before, loss_now: their means, in the task's unit of loss.
    contribution: what it adds to the change in the aggregate loss: its live share times the change in its loss.
    share: of the live rows.
    p_value: of "the same mean loss", two-sided.
    q_value: corrected over all parts looked at.
    failing: q_value is at most alpha, and the loss went up.
    """

    column: str
    cell: int
    name: str
    n_before: int
    n_now: int
    loss_before: float
    loss_now: float
    contribution: float
    share: float
    p_value: float
    q_value: float
    failing: bool


class Subgroups(msgspec.Struct, frozen=True, kw_only=True):
    """All parts looked at.

    Attributes
    ----------
    parts: the one that adds most to the loss first.
    n_looked_at, n_too_few: parts with enough rows on both sides, and those with some live rows but too few.
    p_aggregate: of "the same mean loss" of all rows.
    masked: the aggregate stands still (p_aggregate above alpha) over a part that fails.
    """

    parts: tuple[Subgroup, ...]
    n_looked_at: int
    n_too_few: int
    p_aggregate: float
    masked: bool

    @property
    def failing(self) -> tuple[Subgroup, ...]:
        """Those whose loss went up beyond chance, the largest contribution first."""
        return tuple(part for part in self.parts if part.failing)


def subgroups(
    before: PerformanceSketch, now: PerformanceSketch, alpha: float = 0.05, between: float = 0.0
) -> Subgroups:
    """Where in the features a loss comes from.

    Prefer `detectors.performance.split` to learn why: a part's loss may have gone up as its inputs moved within it.

    Parameters
    ----------
    before, now: the reference's sketch and the window's, in one space.
    alpha: in (0, 1), the false discovery rate among the parts looked at.
    between: the variance of a window's mean loss that independent rows do not explain; see
        `detectors.performance.loss_test`.

    Returns
    -------
    Tests are Welch's; of a loss that is 0 or 1, with Agresti and Caffo's two rows more of either (one a side). Rows are
    taken to be independent, but for `between`. Columns share their rows, so that the tests depend positively on each
    other. No parts where a side is not settled.

    Raises
    ------
    LayoutMismatch: the two were counted in different cells.

    >>> import numpy as np
    >>> from detectors.performance.examples import binary_sketch, binary_space
    >>> rng = np.random.default_rng(7)
    >>> x, score = rng.uniform(size=(2, 20_000))
    >>> space = binary_space(score, {"x": x})
    >>> label = rng.uniform(size=20_000) < score
    >>> cell = (x * 10).astype(int)
    >>> reference = binary_sketch(score, label, space=space, coarse=[cell])
    >>> wrong = np.where(cell == 3, ~label, label)
    >>> found = subgroups(reference, binary_sketch(score, wrong, space=space, coarse=[cell]))
    >>> [(part.column, part.cell) for part in found.failing]
    [('x', 3)]
    """
    space = before.space
    if space != now.space:
        raise LayoutMismatch("performance sketches of different references cannot be compared")
    if not (space.parts and before.settled and now.settled):
        return Subgroups(parts=(), n_looked_at=0, n_too_few=0, p_aggregate=math.nan, masked=False)
    blocks = [space.part_block(position) for position in range(len(space.parts))]
    places = np.array([place for block in blocks for place in range(block.start, block.stop)], dtype=np.int64)
    names = [(part.column, cell, name) for part in space.parts for cell, name in enumerate(part.cells)]
    binary = space.loss == "zero_one"
    sides = [_means(sketch.sums[places].astype(np.float64)) for sketch in (before, now)]
    (n_r, mean_r, _), (n_l, mean_l, _) = sides
    looked = (n_r >= LEAST_ROWS) & (n_l >= LEAST_ROWS)
    p = np.where(looked, _welch(*sides[0], *sides[1], binary=binary, between=between), np.nan)
    q = benjamini_hochberg(p)
    whole = [_means(sketch.losses[np.newaxis].astype(np.float64)) for sketch in (before, now)]
    share = n_l / max(float(whole[1][0][0]), 1.0)
    contribution = share * (mean_l - mean_r)
    order = [i for i in np.argsort(-contribution, kind="stable").tolist() if looked[i]]
    parts = tuple(
        Subgroup(
            column=names[i][0],
            cell=names[i][1],
            name=names[i][2],
            n_before=int(n_r[i]),
            n_now=int(n_l[i]),
            loss_before=float(mean_r[i]),
            loss_now=float(mean_l[i]),
            contribution=float(contribution[i]),
            share=float(share[i]),
            p_value=float(p[i]),
            q_value=float(q[i]),
            failing=bool(q[i] <= alpha and mean_l[i] > mean_r[i]),
        )
        for i in order
    )
    p_aggregate = float(_welch(*whole[0], *whole[1], binary=binary, between=between)[0])
    return Subgroups(
        parts=parts,
        n_looked_at=int(looked.sum()),
        n_too_few=int(((n_l > 0) & ~looked).sum()),
        p_aggregate=p_aggregate,
        masked=bool(p_aggregate > alpha and any(part.failing for part in parts)),
    )


def _means(sums: Floats) -> tuple[Floats, Floats, Floats]:
    """(rows,) how many, mean loss, and mean square."""
    n = sums[:, N]
    rows = np.maximum(n, 1.0)
    return n, sums[:, LOSS] * UNIT / rows, sums[:, SQUARE] * UNIT / rows


def _welch(
    n_a: Floats,
    mean_a: Floats,
    square_a: Floats,
    n_b: Floats,
    mean_b: Floats,
    square_b: Floats,
    *,
    binary: bool,
    between: float,
) -> Floats:
    """Two-sided p-values of equal means; NaN below two rows; 1 where neither side varies and the means are equal. The
    degrees of freedom are those of the rows."""
    from scipy import special

    if binary:
        mean_a, mean_b = (n_a * mean_a + 1.0) / (n_a + 2.0), (n_b * mean_b + 1.0) / (n_b + 2.0)
        n_a, n_b, square_a, square_b = n_a + 2.0, n_b + 2.0, mean_a, mean_b
    with np.errstate(divide="ignore", invalid="ignore"):
        error_a = np.maximum(square_a - mean_a**2, 0.0) / (n_a - 1.0)
        error_b = np.maximum(square_b - mean_b**2, 0.0) / (n_b - 1.0)
        error = error_a + error_b
        freedom = error**2 / (error_a**2 / (n_a - 1.0) + error_b**2 / (n_b - 1.0))
        error = error + between
        freedom = np.where(freedom > 0.0, freedom, 1e9)  # no variance but the one between windows
        t = (mean_b - mean_a) / np.sqrt(error)
        p = 2.0 * special.stdtr(freedom, -np.abs(t))
    still = np.where(mean_a == mean_b, 1.0, 0.0)
    values: Floats = np.where((n_a < 2.0) | (n_b < 2.0), np.nan, np.where(error > 0.0, p, still))
    return values
