"""An e-detector: evidence over time that something changed, at a rate of false alarms that is chosen beforehand.

For verdicts that come window by window. One window's p-value says little, and among a thousand windows some are small
by chance; here each non-overlapping window (a pane) places a bet against "nothing changed", and what the bets won since
any past moment adds up. Prefer a detector of `detectors.sequential` for a series of losses, which come one by one and
have no p-values.

**From p to e.** A p-value p, P(p <= u) <= u while nothing changed, becomes an e-value, whose mean is at most 1 then, by
a calibrator (Shafer 2021; Vovk & Wang 2021)

    e(p) = kappa p^(kappa - 1),    0 < kappa < 1,

of which a small kappa wins much from a tiny p and a large one little from each of many p that are somewhat small. p is
lifted to `floor` first: the far tail of a p-value that was calibrated on some dozens of panes is not to be believed,
and no single pane says more than 23 to a level. A larger p is a valid p-value, too.

**From e to a detector.** The Shiryaev-Roberts recursion sums over every possible moment of the change (Shin, Ramdas &
Rinaldo 2023, section 2)

    R_n = (R_{n-1} + 1) e_n,    R_0 = 0.

While nothing changed, R_n - n is a supermartingale, whatever the dependence of the p-values on what they look at, if
each is valid given the panes before. So is every weighted mean of such R with weights that sum to at most 1 and never
grow: over `kappas`, columns, segments. An alarm where that mean reaches `level` comes after `level` panes or more on
average: the expected time to a false alarm (average run length) is the level times the pane's length. It holds at every
moment at which one looks, and for any number of columns.

**Onset.** The cumulative sum of log e since its last minimum (Page's CUSUM over e-values); the change is placed after
that minimum.

References
----------
Shin, Ramdas & Rinaldo (2023), E-detectors: a nonparametric framework for sequential change detection, New England
Journal of Statistics in Data Science 2(2), 229-260. Vovk & Wang (2021), E-values: calibration, combination and
applications, Annals of Statistics 49(3), 1736-1754. Shafer (2021), Testing by betting, Journal of the Royal Statistical
Society A 184(2), 407-431. Roberts (1966), A comparison of some control chart procedures, Technometrics 8(3), 411-430.
Page (1954), Continuous inspection schemes, Biometrika 41(1-2), 100-115.
"""

import math
from functools import lru_cache
from typing import Final

import msgspec
import numpy as np

from detectors.arrays import Floats

_MOST: Final = 1e12
"""R stays below: it can pass any level, and never overflows. A smaller R is an e-detector, too."""


class Evidence(msgspec.Struct, frozen=True, array_like=True):
    """What an e-detector knows of one series.

    Attributes
    ----------
    sums: R, one a kappa, at least 0.
    log_e: the cumulative sum of log e over its last minimum, at least 0.
    onset_ms: the start of the first pane after that minimum; None while the sum is at its minimum.
    """

    sums: tuple[float, ...] = ()
    log_e: float = 0.0
    onset_ms: int | None = None

    @property
    def value(self) -> float:
        """The mean of R over the kappas: compare it, or its weighted sum over series, with `EDetector.level`."""
        return math.fsum(self.sums) / len(self.sums) if self.sums else 0.0


@lru_cache(maxsize=1024)  # most cells do not move, p = 1, or are beyond the floor
def _bets(kappas: tuple[float, ...], p: float) -> tuple[tuple[float, ...], float]:
    """The e-value of each kappa, and the logarithm of their mean."""
    bets = tuple([kappa * p ** (kappa - 1.0) for kappa in kappas])
    return bets, math.log(math.fsum(bets) / len(bets))


class EDetector(msgspec.Struct, frozen=True, kw_only=True):
    """Shiryaev-Roberts over calibrated p-values.

    Parameters
    ----------
    kappas: of the calibrators, each in (0, 1); their detectors are averaged. The default covers p-values from 1e-3,
        found in two panes, to those that are only a third of their usual size, found in some tens.
    floor: the smallest p-value that is believed, in (0, 1]. With 1e-3 the largest e of a pane is 23.

    Edge cases: p = 0 counts as `floor`, NaN (nothing could be tested) as 1. A pane that is missing is no pane.

    >>> import numpy as np
    >>> rng = np.random.default_rng(7)
    >>> p = np.concatenate([rng.uniform(size=60), rng.uniform(size=20) ** 4])  # changed from pane 60 on
    >>> detector, evidence = EDetector(), Evidence()
    >>> level = detector.level(budget_ms=365 * 86_400_000, n=1, pane_ms=86_400_000)  # once a year of days
    >>> for pane, one in enumerate(p.tolist()):
    ...     evidence = detector.advance(evidence, one, start_ms=pane)
    ...     if evidence.value >= level:
    ...         break
    >>> pane, evidence.onset_ms
    (64, 60)
    """

    kappas: tuple[float, ...] = (0.2, 0.5, 0.8)
    floor: float = 1e-3

    def __post_init__(self) -> None:
        if not self.kappas or not all(0.0 < kappa < 1.0 for kappa in self.kappas):
            raise ValueError(f"kappas lie between 0 and 1: {self.kappas}")
        if not 0.0 < self.floor <= 1.0:
            raise ValueError(f"the smallest p-value that is believed lies in (0, 1]: {self.floor}")

    @staticmethod
    def level(*, budget_ms: float, n: float, pane_ms: float) -> float:
        """The level at which there are at most `n` false alarms in `budget_ms` on average, over panes of `pane_ms`."""
        return budget_ms / n / pane_ms

    def advance(self, evidence: Evidence, p: float, start_ms: int) -> Evidence:
        """After one more pane, which starts at `start_ms` and gave `p`."""
        bets, gain = _bets(self.kappas, 1.0 if p != p else min(max(p, self.floor), 1.0))
        sums = evidence.sums or (0.0,) * len(bets)
        after = tuple([min((own + 1.0) * bet, _MOST) for own, bet in zip(sums, bets, strict=True)])
        log_e = evidence.log_e + gain
        if log_e <= 0.0:
            return Evidence(after)
        return Evidence(after, log_e, start_ms if evidence.onset_ms is None else evidence.onset_ms)

    def values(self, p: Floats) -> Floats:
        """`Evidence.value` after each pane, for many series at once: of p (..., panes), the same shape."""
        believed = np.clip(np.where(np.isnan(p), 1.0, p), self.floor, 1.0)
        total = np.zeros_like(believed)
        for kappa in self.kappas:
            sums = np.zeros(believed.shape[:-1])
            for pane in range(believed.shape[-1]):
                sums = np.minimum((sums + 1.0) * kappa * believed[..., pane] ** (kappa - 1.0), _MOST)
                total[..., pane] += sums
        return total / len(self.kappas)
