"""What others' rules say of the same windows, from raw rows.

- `KS, 5 % FDR`: the p-value of `scipy.stats.ks_2samp` (asymptotic), Benjamini-Hochberg over all numeric columns and
  segments.
- `KS p < 0.05`: the same p-value as it is, on the whole and in each segment.
- `PSI > 0.2`: likewise; ten bins by the reference's deciles, or each category; nulls left out; a share of 0 is 0.0001.
- `Evidently`: on the whole alone, the rule of its release 0.7.23 for a reference of more than 1,000 rows: Wasserstein's
  distance over the reference's standard deviation, or the Jensen-Shannon distance (natural logarithm) of categories and
  of numeric columns of at most five values, is 0.1 or more.

Evidently itself takes seconds a window; `monitor.verdicts.evidently_peer` runs it on some, to show that the rule is
its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import spatial, stats

from detectors.arrays import Bools, Floats, Ints
from detectors.kolmogorov import ks_sf
from detectors.significance import benjamini_hochberg
from monitor.verdicts.awake import Cell, Power, power, reference_rows
from monitor.verdicts.changes import KINDS, Kind
from monitor.verdicts.quiet_windows import N_REFERENCE, quiet_rows
from monitor.verdicts.references import N_NEW
from monitor.verdicts.worlds import CATEGORICAL, COLUMNS, N_NUMERIC, N_SEGMENTS, Rows, World, draw

RULES: Final = ("KS, 5 % FDR", "KS p < 0.05", "PSI > 0.2", "Evidently")
_FLOOR: Final = 1e-4
_FEW_VALUES: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """A reference's values: by segment (the whole first), then by column.

    `values` are sorted and without nulls; `deciles` are distinct; `counts` are by rank of the category.
    """

    values: list[list[Floats]]
    deciles: list[list[Floats]]
    shares: list[list[Floats]]
    counts: list[list[Ints]]

    @classmethod
    def of(cls, rows: Rows) -> "Raw":
        """Of a reference's rows."""
        values, deciles, shares, counts = [], [], [], []
        for own in _segments(rows):
            columns = [np.sort(column[~np.isnan(column)]) for column in rows.numeric[:, own]]
            edges = [np.unique(np.quantile(column, np.arange(1, 10) / 10.0)) for column in columns]
            values.append(columns)
            deciles.append(edges)
            shares.append([_binned(*pair) for pair in zip(columns, edges, strict=True)])
            counts.append(_counts(rows, own))
        return cls(values=values, deciles=deciles, shares=shares, counts=counts)


def flagged(raw: Raw, rows: Rows, only: int | None = None) -> dict[str, Bools]:
    """By rule, (segments, columns): the whole first. `only`: the one column that Evidently is asked for; None: all."""
    distance, size = np.zeros((N_SEGMENTS + 1, N_NUMERIC)), np.ones((N_SEGMENTS + 1, N_NUMERIC))
    psi = np.zeros((N_SEGMENTS + 1, len(COLUMNS)))
    evidently = np.zeros(psi.shape, dtype=np.bool_)
    for segment, own in enumerate(_segments(rows)):
        for column in range(N_NUMERIC):
            live = rows.numeric[column, own]
            live = np.sort(live[~np.isnan(live)])
            if live.size:
                before = raw.values[segment][column]
                distance[segment, column] = ks_statistic(before, live)
                size[segment, column] = max(round(before.size * live.size / (before.size + live.size)), 1)
                psi[segment, column] = _psi(raw.shares[segment][column], _binned(live, raw.deciles[segment][column]))
                if not segment and only in (None, column):
                    evidently[0, column] = _evidently(before, live)
        for row, count in enumerate(_counts(rows, own)):
            before_count = raw.counts[segment][row]
            if count.sum():
                psi[segment, N_NUMERIC + row] = _psi(before_count / before_count.sum(), count / count.sum())
                if not segment:
                    evidently[0, N_NUMERIC + row] = _jensen_shannon(before_count, count) >= 0.1
    p = ks_sf(distance.reshape(-1), size.reshape(-1)).reshape(size.shape)
    q = benjamini_hochberg(p.reshape(-1)).reshape(p.shape)
    none = np.zeros((N_SEGMENTS + 1, len(CATEGORICAL)), dtype=np.bool_)
    return {
        "KS, 5 % FDR": np.concatenate([q <= 0.05, none], axis=1),
        "KS p < 0.05": np.concatenate([p < 0.05, none], axis=1),
        "PSI > 0.2": psi > 0.2,
        "Evidently": evidently,
    }


def quiet_round(
    world: World, seed: Sequence[int], n_windows: dict[int, int]
) -> dict[int, dict[str, tuple[int, int, int]]]:
    """By rows and rule: windows, those with anything flagged, and those where half of the whole's columns are."""
    rng = np.random.default_rng(seed)
    raw = Raw.of(draw(world, rng, N_REFERENCE))
    result = {}
    for n_rows, number in n_windows.items():
        found = [flagged(raw, rows) for windows in quiet_rows(world, rng, n_rows, number) for rows in windows]
        result[n_rows] = {
            rule: (
                len(found),
                sum(bool(own[rule].any()) for own in found),
                sum(bool(own[rule][0].mean() >= 0.5) for own in found),
            )
            for rule in RULES
        }
    return result


def awake_round(
    seed: Sequence[int], n_windows: dict[int, int], kinds: Sequence[Kind] = KINDS
) -> dict[str, dict[Cell, Power]]:
    """What each rule finds in the windows of `monitor.verdicts.product.awake_round`."""
    raw = Raw.of(reference_rows(seed))
    found: dict[str, list[list[bool]]] = {rule: [] for rule in RULES}

    def judge(windows: Sequence[Rows], kind: Kind) -> list[bool]:
        flags = [flagged(raw, rows, kind.column) for rows in windows]
        for rule in RULES:
            found[rule].append([bool(own[rule][:, kind.column].any()) for own in flags])
        return found[RULES[0]][-1]

    cells = list(power(judge, seed, n_windows, kinds))
    return {
        rule: {cell: Power(n=len(own), found=sum(own)) for cell, own in zip(cells, found[rule], strict=True)}
        for rule in RULES
    }


def _segments(rows: Rows) -> list[Bools]:
    return [np.ones(rows.n, dtype=np.bool_), *(rows.segment == number for number in range(N_SEGMENTS))]


def _counts(rows: Rows, own: Bools) -> list[Ints]:
    result = []
    for row, (_, n, _) in enumerate(CATEGORICAL):
        ranks = rows.categories[row, own]
        result.append(np.bincount(ranks[ranks >= 0], minlength=n + N_NEW).astype(np.int64))
    return result


def _binned(values: Floats, edges: Floats) -> Floats:
    """(n_edges + 1,) shares of sorted values in bins closed above."""
    ends = np.concatenate([[0], np.searchsorted(values, edges, side="right"), [values.size]])
    shares: Floats = np.diff(ends) / values.size
    return shares


def _psi(before: Floats, after: Floats) -> float:
    there = (before > 0.0) | (after > 0.0)
    r, current = np.maximum(before[there], _FLOOR), np.maximum(after[there], _FLOOR)
    return float(np.sum((current - r) * np.log(current / r)))


def ks_statistic(before: Floats, live: Floats) -> float:
    """As `scipy.stats.ks_2samp` of two sorted samples; the smaller is looked up in the larger alone."""
    distances = [
        np.abs(
            np.searchsorted(live, live, side=side) / live.size - np.searchsorted(before, live, side=side) / before.size
        ).max()
        for side in ("left", "right")
    ]
    return float(max(distances))


def _evidently(before: Floats, live: Floats) -> bool:
    few = np.unique(before[:: max(before.size // 100, 1)])
    if few.size <= _FEW_VALUES and np.unique(before).size <= _FEW_VALUES:
        keys = np.union1d(before, live)
        sides = [np.bincount(np.searchsorted(keys, side), minlength=keys.size) for side in (before, live)]
        return _jensen_shannon(*sides) >= 0.1
    return bool(stats.wasserstein_distance(before, live) / max(float(before.std()), 0.001) >= 0.1)


def _jensen_shannon(before: Ints, after: Ints) -> float:
    return float(spatial.distance.jensenshannon(before / before.sum(), after / after.sum()))
