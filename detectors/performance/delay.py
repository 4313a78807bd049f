"""How long labels take, and whether some are missing that should have come.

Labels are censored data: those of a young window are not missing, they are not yet due. The reference's delay curve
says how many are due at which age. Fewer than that is a broken label pipeline, not a better model.

References
----------
Kaplan & Meier (1958), Nonparametric estimation from incomplete observations, Journal of the American Statistical
Association 53(282), 457-481: the curve of predictions that were observed for unlike times. Cutler & Ederer (1958),
Maximum utilization of the life table method in analyzing survival, Journal of Chronic Diseases 8(6), 699-712: the same
in cells. Yurdakul & Naranjo (2020), Statistical properties of the population stability index, Journal of Risk Model
Validation 14(4), 89-100.
"""

import math
from typing import Final

import msgspec
import numpy as np

from detectors.arrays import Floats, Ints
from detectors.grid import locate
from detectors.methods.psi import FLOOR, psi_term
from detectors.significance import chi2_sf

SECOND: Final = 1_000
EDGES_MS: Final[Floats] = np.concatenate([[0.0], np.rint(SECOND * 2.0 ** (np.arange(0, 103) / 4.0))])
"""Milliseconds: 0, then four cells an octave from a second to 547 days. The same for all models, so that counts add up.
A cell is (edge before, edge]; what is 0 or less is in the first, and what is beyond the last edge in the last."""
N_DELAY_CELLS: Final = EDGES_MS.size + 1
BINS: Final = 10
FEWEST_A_CELL: Final = 20


def delay_counts(delays_ms: Floats, sign: Ints) -> Ints:
    """(N_DELAY_CELLS,) int64: labels by their delay, label time - prediction time; `sign` -1 takes one back.

    Parameters
    ----------
    delays_ms: (n,) finite, milliseconds.
    sign: (n,) 1 or -1.
    """
    counts = np.zeros(N_DELAY_CELLS, dtype=np.int64)
    np.add.at(counts, locate(EDGES_MS, delays_ms), sign)
    return counts


class DelayCurve(msgspec.Struct, frozen=True, kw_only=True):
    """The share of predictions that have a label at each age.

    Attributes
    ----------
    n: predictions it rests on; 0: it foretells nothing.
    labelled: (N_DELAY_CELLS - 1,) the share at each of `EDGES_MS`, never falling; at most 1, below it where some
        predictions never get a label.
    counts: (N_DELAY_CELLS,) labels by delay.
    """

    n: int
    labelled: tuple[float, ...]
    counts: tuple[int, ...]

    def at(self, ages_ms: Floats) -> Floats:
        """(n,) the share that is due at each age: linear between edges, 0 below age 0."""
        due: Floats = np.interp(ages_ms, EDGES_MS, np.array(self.labelled), left=0.0)
        return due


def delay_curve(counts: Ints, unlabelled_ages_ms: Floats) -> DelayCurve:
    """The curve of a reference whose predictions were watched for unlike times: Kaplan-Meier in cells, a life table.

    Parameters
    ----------
    counts: (N_DELAY_CELLS,) its labels by delay.
    unlabelled_ages_ms: (n,) for how long each prediction without a label was watched: at its end it left, unlabelled. A
        prediction that left within a cell was at risk for half of it.

    >>> import numpy as np
    >>> rng = np.random.default_rng(7)
    >>> delay, watched = rng.exponential(3.6e6, size=20_000), rng.uniform(0.0, 2e7, size=20_000)
    >>> counts = delay_counts(delay[delay <= watched], np.ones(int((delay <= watched).sum()), dtype=np.int64))
    >>> curve = delay_curve(counts, watched[delay > watched])
    >>> curve.at(np.array([3.6e6])).round(2).tolist()  # 1 - 1/e
    [0.63]
    """
    left = np.bincount(locate(EDGES_MS, unlabelled_ages_ms), minlength=N_DELAY_CELLS)
    n = int(counts.sum() + left.sum())
    gone = np.cumsum(counts + left) - counts - left
    at_risk = n - gone - left / 2.0
    hazard = np.divide(counts, at_risk, out=np.zeros(N_DELAY_CELLS), where=at_risk > 0.0)
    labelled = 1.0 - np.cumprod(1.0 - np.clip(hazard, 0.0, 1.0))[:-1]
    return DelayCurve(n=n, labelled=tuple(labelled.tolist()), counts=tuple(counts.tolist()))


class MissingLabels(msgspec.Struct, frozen=True, kw_only=True):
    """Labels that should be there by now.

    Attributes
    ----------
    n: predictions. n_labelled: those with a label. expected: how many the curve foretells.
    maturity: n_labelled / n; NaN without predictions.
    missing: the share of the expected that is not there, at least 0; 0 where none is due.
    p_value: one-sided, of "no more are missing than chance makes". NaN without a curve or predictions.
    """

    n: int
    n_labelled: int
    expected: float
    maturity: float
    missing: float
    p_value: float


def missing_labels(curve: DelayCurve, ages_ms: Floats, n: Ints | Floats, n_labelled: int) -> MissingLabels:
    """Compare the labels of a window with what its age foretells.

    Parameters
    ----------
    curve: the reference's.
    ages_ms, n: (groups,) ages now of the window's predictions, and how many have each. One group of the window's middle
        age is right to the width of the window, parts of predictions spread over it to a part of that.
    n_labelled: labels that have come.

    Returns
    -------
    The p-value is by the normal distribution, with the curve's own variance (binomial, of its n): rows independent. A
    batch of labels that comes once a night makes it too small: ask for a `missing` that matters, too.

    >>> import numpy as np
    >>> delays = np.full(1_000, 60_000.0)
    >>> curve = delay_curve(delay_counts(delays, np.ones(1_000, dtype=np.int64)), np.full(1_000, 1e9))
    >>> found = missing_labels(curve, np.array([1e8]), np.array([1_000]), 300)
    >>> found.expected, round(found.missing, 2), found.p_value < 1e-9
    (500.0, 0.4, True)
    """
    total = int(n.sum())
    if total <= 0:
        return MissingLabels(n=0, n_labelled=n_labelled, expected=0.0, maturity=math.nan, missing=0.0, p_value=math.nan)
    due = curve.at(ages_ms)
    expected = float(due @ n)
    share = expected / total
    variance = float(n @ (due * (1.0 - due)))
    if curve.n > 0:
        # Half a row more of either kind: a curve of 0 or 1 from few predictions is not certain.
        smoothed = (share * curve.n + 0.5) / (curve.n + 1.0)
        variance += total**2 * smoothed * (1.0 - smoothed) / curve.n
        p = 0.5 * math.erfc((expected - n_labelled) / math.sqrt(2.0 * variance))
    else:
        p = math.nan
    missing = max(1.0 - n_labelled / expected, 0.0) if expected > 0.0 else 0.0
    return MissingLabels(
        n=total, n_labelled=n_labelled, expected=expected, maturity=n_labelled / total, missing=missing, p_value=p
    )


class DelayDrift(msgspec.Struct, frozen=True, kw_only=True):
    """PSI of the delays against the reference's, of those up to `until_ms`, with its p-value; NaN without labels."""

    psi: float
    p_value: float
    n_before: int
    n_now: int
    until_ms: float


def delay_psi(before: Ints, now: Ints, age_ms: float = math.inf) -> DelayDrift:
    """Whether labels come sooner or later than they did.

    Parameters
    ----------
    before, now: (N_DELAY_CELLS,) labels by delay.
    age_ms: the age of the window's youngest prediction. Longer delays cannot all have been seen yet: both sides are
        cut at the last edge up to it, so that a young window does not look quick.

    Returns
    -------
    PSI over at most ten cells that hold about as many of the reference's delays each; a zero share counts as 1e-4. The
    p-value is PSI / (1/n + 1/m) ~ chi2(cells - 1); of fewer than 20 labels a cell Pearson's statistic takes PSI's place
    there, for a cell that chance left empty adds a logarithm of 1e-4 that no chi-square knows of.
    """
    n_cells = N_DELAY_CELLS if age_ms == math.inf else int(np.searchsorted(EDGES_MS, age_ms, side="right"))
    until = math.inf if n_cells == N_DELAY_CELLS else float(EDGES_MS[n_cells - 1]) if n_cells else 0.0
    m, n = int(before[:n_cells].sum()), int(now[:n_cells].sum())
    if m <= 0 or n <= 0 or int(now.min()) < 0:
        return DelayDrift(psi=math.nan, p_value=math.nan, n_before=max(m, 0), n_now=max(n, 0), until_ms=until)
    ends = np.cumsum(before[:n_cells])
    group = np.minimum((ends - before[:n_cells]) * BINS // m, BINS - 1)
    r, l = (np.bincount(group, weights=side[:n_cells], minlength=BINS) for side in (before, now))  # noqa: E741
    psi = float(np.sum(psi_term(l / n, r / m, np.array(FLOOR))))
    filled = int(np.sum((r > 0) | (l > 0)))
    far = psi / (1.0 / n + 1.0 / m) if min(n, m) >= FEWEST_A_CELL * BINS else _pearson(r, l, m, n)
    p = 1.0 if filled < 2 else float(chi2_sf(np.array([far]), np.array([filled - 1]))[0])
    return DelayDrift(psi=psi, p_value=p, n_before=m, n_now=n, until_ms=until)


def _pearson(before: Floats | Ints, now: Floats | Ints, m: int, n: int) -> float:
    """Pearson's statistic of two rows of counts that add up to m and n."""
    both = before + now
    there = both > 0
    return float(np.sum((math.sqrt(m / n) * now - math.sqrt(n / m) * before)[there] ** 2 / both[there]))


def delay_quantile(counts: Ints, q: float) -> tuple[float, float]:
    """The delay, in milliseconds, that the share q of the labels came within, and the width of its cell: the bound of
    its error. Linear within a cell; infinite bound beyond the last edge; NaN without labels.

    >>> import numpy as np
    >>> delay_quantile(delay_counts(np.array([900.0, 1_000.0]), np.ones(2, dtype=np.int64)), 0.5)
    (500.0, 1000.0)
    """
    n = int(counts.sum())
    if n <= 0 or int(counts.min()) < 0:
        return math.nan, math.nan
    ends = np.cumsum(counts)
    cell = int(np.searchsorted(ends, q * n))
    if cell == 0 or cell >= EDGES_MS.size:
        return float(EDGES_MS[min(cell, EDGES_MS.size - 1)]), 0.0 if cell == 0 else math.inf
    low, high = float(EDGES_MS[cell - 1]), float(EDGES_MS[cell])
    inside = (q * n - float(ends[cell] - counts[cell])) / float(counts[cell])
    return low + (high - low) * inside, high - low
