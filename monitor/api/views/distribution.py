"""A column's counts as bars: numeric ones by width, over the reference's own edges; categories in pairs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from detectors.arrays import Floats
from monitor.api.queries.profiles import Bucket, Distribution

MOST_BARS: Final = 48
MOST_CATEGORIES: Final = 24
LEVELS: Final = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """The share of values in (low, high], in the reference and now, in [0, 1]."""

    low: float
    high: float
    reference: float
    live: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The share of one category, in the reference and now, in [0, 1]; `note`: ``new``, ``gone``, or nothing."""

    name: str
    reference: float
    live: float
    note: str = ""


def bars(found: Distribution) -> list[Bar]:
    """Neighbouring cells put together until each bar is wide enough to be seen. Values below or above the reference's
    range lie between its end and the smallest or largest value seen."""
    edges = np.asarray(found.edges, dtype=np.float64)
    if not edges.size:
        return []
    low, high = float(edges[0]), float(edges[-1])
    low = low if found.minimum is None else min(low, found.minimum)
    high = high if found.maximum is None else max(high, found.maximum)
    bounds = np.concatenate([[low], edges, [high]])
    reference, live = _shares(found.reference_counts), _shares(found.counts)
    least = (edges[-1] - edges[0]) / MOST_BARS
    found_bars: list[Bar] = []
    start, sums = bounds[0], [0.0, 0.0]
    for cell in range(reference.size):
        sums = [sums[0] + float(reference[cell]), sums[1] + float(live[cell])]
        end = float(bounds[cell + 1])
        outer = cell in (0, reference.size - 2, reference.size - 1)  # beyond the reference's range is a bar of its own
        if end - start >= least or outer:
            if end > start or any(sums):
                found_bars.append(Bar(low=float(start), high=end, reference=sums[0], live=sums[1]))
            start, sums = end, [0.0, 0.0]
    return [bar for bar in found_bars if bar.high > bar.low]


def beyond(found: Distribution) -> float | None:
    """The share of values outside the reference's range, in [0, 1]; of categories, of unseen ones. None without any."""
    total = sum(found.counts)
    if not total:
        return None
    outside = found.counts[-1] if found.kind == "categorical" else found.counts[0] + found.counts[-1]
    return outside / total


def pairs(found: Distribution) -> list[Pair]:
    """Categories by the larger of their shares, the rest of them together, then what is unseen and what is null."""
    names = [*found.categories, "other", "not in the reference"]
    reference, live = _shares(found.reference_counts), _shares(found.counts)
    own = [
        Pair(name=name, reference=float(r), live=float(now), note="gone" if r > 0 and now == 0 else "")
        for name, r, now in zip(names, reference, live, strict=False)
    ]
    categories, tail = own[: len(found.categories)], own[len(found.categories) :]
    # A segment may have few of the model's categories: what is in neither is not drawn, unless nothing is in any.
    categories = [one for one in categories if one.reference or one.live] or categories
    categories.sort(key=lambda one: -max(one.reference, one.live))
    rest = categories[MOST_CATEGORIES:]
    shown = categories[:MOST_CATEGORIES]
    other = [*rest, *tail[:1]]
    if any(one.reference or one.live for one in other):
        label = f"{len(rest)} others" if rest else "other"
        shown.append(
            Pair(name=label, reference=sum(one.reference for one in other), live=sum(one.live for one in other))
        )
    if tail[1:] and tail[1].live > 0:
        some = f": {', '.join(name[:40] for name in found.frequent_unseen[:3])}" if found.frequent_unseen else ""
        shown.append(Pair(name=f"not in the reference{some}", reference=0.0, live=tail[1].live, note="new"))
    return shown


def quantiles(
    counts: Sequence[int], edges: Sequence[float], minimum: float | None, maximum: float | None
) -> tuple[float, ...] | None:
    """Those at `LEVELS`, by linear interpolation inside a cell; None without values.

    The error is at most the width of a cell, which holds 1/256 of the reference.
    """
    total = sum(counts)
    if not total or not edges:
        return None
    low = minimum if minimum is not None else edges[0]
    high = maximum if maximum is not None else edges[-1]
    bounds = np.clip(np.concatenate([[low], np.asarray(edges), [high]]), min(low, high), max(low, high))
    cumulative = np.concatenate([[0.0], np.cumsum(np.asarray(counts, dtype=np.float64))]) / total
    return tuple(float(value) for value in np.interp(LEVELS, cumulative, bounds))


def bands(found: Sequence[Bucket], edges: Sequence[float]) -> list[tuple[int, tuple[float, ...]]]:
    """Start and quantiles of each bucket that has values."""
    made = ((one.start_ms, quantiles(one.counts, edges, one.minimum, one.maximum)) for one in found)
    return [(start_ms, levels) for start_ms, levels in made if levels is not None]


def _shares(counts: Sequence[int]) -> Floats:
    values = np.asarray(counts, dtype=np.float64)
    total = values.sum()
    return values / total if total else values
