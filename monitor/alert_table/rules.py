"""What fixed rules say of the same hourly windows, from raw rows.

PSI, Kolmogorov-Smirnov and Evidently's default as in `monitor.verdicts.peers`; and NannyML 0.13's univariate drift: the
Jensen-Shannon distance (base 2) of each column of the whole, numeric ones in Doane's bins of the reference, and an
alert where it is more than three standard deviations from its mean over the reference's own chunks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from scipy import spatial

from detectors.arrays import Bools, Floats
from monitor.verdicts import peers
from monitor.verdicts.references import N_NEW
from monitor.verdicts.worlds import CATEGORICAL, N_NUMERIC, Rows

NANNYML: Final = "NannyML three sigma"
RULES: Final = ("PSI > 0.2", "KS p < 0.05", "Evidently", NANNYML)
_SIGMAS: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedRules:
    """The rules' references: some rows for each half of the columns, and chunks for NannyML's limits."""

    halves: tuple[peers.Raw, ...]
    bins: list[Floats]
    shares: list[Floats]
    limits: tuple[Floats, Floats]

    @classmethod
    def of(cls, sample: Rows, chunks: Sequence[Rows]) -> "FixedRules":
        """Of a sample of the reference, and windows of its period."""
        halves = tuple(peers.Raw.of(own) for own in _halves(sample))
        bins = [np.histogram_bin_edges(own[~np.isnan(own)], bins="doane") for own in sample.numeric]
        shares = _shares(sample, bins)
        distances = np.array([_distances(shares, _shares(chunk, bins)) for chunk in chunks])
        mean, spread = distances.mean(axis=0), distances.std(axis=0)
        limits = (np.maximum(mean - _SIGMAS * spread, 0.0), mean + _SIGMAS * spread)
        return cls(halves=halves, bins=bins, shares=shares, limits=limits)

    def flagged(self, rows: Rows) -> dict[str, Bools]:
        """By rule, whether each column is flagged anywhere: numeric ones first."""
        parts = [peers.flagged(raw, own) for raw, own in zip(self.halves, _halves(rows), strict=True)]
        found = {}
        for rule in RULES[:-1]:
            anywhere: list[Bools] = [np.asarray(part[rule].any(axis=0)) for part in parts]
            found[rule] = np.concatenate([own[:N_NUMERIC] for own in anywhere] + [own[N_NUMERIC:] for own in anywhere])
        distance = _distances(self.shares, _shares(rows, self.bins))
        found[NANNYML] = (distance < self.limits[0]) | (distance > self.limits[1])
        return found


def _halves(rows: Rows) -> list[Rows]:
    n = len(CATEGORICAL)
    return [
        replace(
            rows,
            numeric=rows.numeric[copy * N_NUMERIC : (copy + 1) * N_NUMERIC],
            categories=rows.categories[copy * n : (copy + 1) * n],
        )
        for copy in range(rows.numeric.shape[0] // N_NUMERIC)
    ]


def _shares(rows: Rows, bins: Sequence[Floats]) -> list[Floats]:
    counts: list[Any] = []
    for own, edges in zip(rows.numeric, bins, strict=True):
        values = own[~np.isnan(own)]
        # What lies outside of the reference's bins is in a bin more.
        inside = np.histogram(values, edges)[0]
        counts.append(np.append(inside, values.size - inside.sum()))
    for row, ranks in enumerate(rows.categories):
        size = CATEGORICAL[row % len(CATEGORICAL)][1] + N_NEW
        counts.append(np.bincount(ranks[ranks >= 0], minlength=size))
    return [own / max(own.sum(), 1) for own in counts]


def _distances(before: Sequence[Floats], after: Sequence[Floats]) -> Floats:
    pairs = zip(before, after, strict=True)
    return np.nan_to_num([float(spatial.distance.jensenshannon(one, other, base=2)) for one, other in pairs])
