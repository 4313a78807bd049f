"""What a labelled reference says of a model's performance: its own metrics, how they spread from window to window, and
how well its estimates without labels have held."""

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import numpy as np

from detectors.arrays import Floats
from detectors.errors import MalformedReference, MalformedSketch
from detectors.performance.intervals import Metric
from detectors.performance.isotonic import rising_share
from detectors.performance.measure import measure
from detectors.performance.sketch import N, PerformanceSketch
from detectors.performance.space import PerformanceSpace

LEAST_PANES: Final = 8
VERSION: Final = 1


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """A metric over windows of the reference, and its estimates there.

    Attributes
    ----------
    n: windows in which it is defined.
    mean, std: of its values; `std` with n - 1.
    low, high: the 2.5 % and the 97.5 % quantile of its values.
    inflation: by what factor the interval of an estimate must be wider, so that it holds 95 % of the measured values of
        these windows, each estimated from all others; at least 1, and 1 below 8 windows.
    """

    n: int
    mean: float
    std: float
    low: float
    high: float
    inflation: float = 1.0


class PerformanceReference:
    """The pinned side of all comparisons of performance. Treat it as immutable.

    Parameters
    ----------
    sketch: of all labelled rows of the reference.
    spread: by metric; see `performance_reference`.
    spreads: the same by the length of windows, milliseconds; see `for_length`.

    Attributes
    ----------
    metrics: the reference's own.
    """

    def __init__(
        self,
        sketch: PerformanceSketch,
        spread: Mapping[str, Spread] | None = None,
        spreads: Mapping[int, Mapping[str, Spread]] | None = None,
    ) -> None:
        self.sketch = sketch
        self.spreads: dict[int, dict[str, Spread]] = {
            length_ms: dict(own) for length_ms, own in sorted((spreads or {}).items())
        }
        self.spread: dict[str, Spread] = dict(spread or {})
        if spread is None and self.spreads:
            self.spread = next(iter(self.spreads.values()))

    def for_length(self, length_ms: int | None) -> "PerformanceReference":
        """The same with the spread over windows of the length that is nearest to this one, by their ratio.

        As it is for None, and where there is one spread or none.
        """
        if length_ms is None or not self.spreads:
            return self
        nearest = min(self.spreads, key=lambda known: (abs(math.log(known / length_ms)), known))
        found = PerformanceReference(self.sketch, self.spreads[nearest], self.spreads)
        found.__dict__["metrics"] = self.metrics  # they do not depend on it
        return found

    @functools.cached_property
    def metrics(self) -> dict[str, Metric]:
        """The reference's own metrics."""
        return measure(self.sketch)

    def relation(self, position: int) -> Floats:
        """(n_cells,) P(class | cell) of score column `position`, which never falls with the score (isotonic)."""
        outcomes = self.sketch.outcomes[self.sketch.space.score_cells(position)].astype(np.float64)
        return rising_share(outcomes[:, 3:].sum(axis=1), outcomes.sum(axis=1))

    def encode(self) -> bytes:
        """Bytes that `decode` reads; the space is kept beside them."""
        spreads = [(length_ms, _packed(own)) for length_ms, own in self.spreads.items()]
        return msgspec.msgpack.encode(_Wire(VERSION, self.sketch.encode(), _packed(self.spread), spreads))

    @classmethod
    def decode(cls, data: bytes, space: PerformanceSpace) -> "PerformanceReference":
        """The reference that `encode` wrote.

        Raises
        ------
        MalformedReference: no such bytes, truncated, corrupt, or of an unknown format version.
        LayoutMismatch: of another space.
        """
        try:
            wire = _decoder.decode(data)
            if wire.version != VERSION:
                raise MalformedReference(f"performance format {wire.version}; this release reads {VERSION}")
            sketch = PerformanceSketch.decode(wire.sketch, space)
            spread = _unpacked(wire.spread)
            spreads = {length_ms: _unpacked(own) for length_ms, own in wire.spreads}
            if any(length_ms <= 0 for length_ms in spreads):
                raise MalformedReference("a spread over windows of no length")
        except (msgspec.DecodeError, MalformedSketch, UnicodeDecodeError, RecursionError) as error:
            raise MalformedReference(f"no performance of a reference: {error}") from error
        return cls(sketch, spread, spreads)


_Spreads = list[tuple[bytes, Spread]]


class _Wire(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    version: int
    sketch: bytes
    spread: _Spreads
    spreads: list[tuple[int, _Spreads]] = []


_decoder = msgspec.msgpack.Decoder(_Wire)


def _packed(spread: Mapping[str, Spread]) -> _Spreads:
    return [(name.encode("utf-8", "surrogatepass"), own) for name, own in sorted(spread.items())]


def _unpacked(spread: _Spreads) -> dict[str, Spread]:
    return {name.decode("utf-8", "surrogatepass"): own for name, own in spread}


def performance_reference(
    sketch: PerformanceSketch,
    panes: Sequence[PerformanceSketch] = (),
    panes_by_length: Mapping[int, Sequence[PerformanceSketch]] | None = None,
) -> PerformanceReference:
    """The reference of all labelled rows, with what its own windows show.

    Parameters
    ----------
    sketch: of all rows.
    panes: of the reference's windows, each a part of `sketch`; those without rows are left out. Windows of the length
        that will be monitored: the spread of shorter ones is larger.
    panes_by_length: the same where windows of several lengths are monitored, by milliseconds; instead of `panes`.

    >>> import numpy as np
    >>> from detectors.performance.examples import binary_sketch, binary_space
    >>> rng = np.random.default_rng(7)
    >>> score = rng.uniform(size=(20, 500))
    >>> label = rng.uniform(size=(20, 500)) < score
    >>> space = binary_space(score.ravel())
    >>> panes = [binary_sketch(s, y, space=space) for s, y in zip(score, label)]
    >>> reference = performance_reference(binary_sketch(score.ravel(), label.ravel(), space=space), panes)
    >>> round(reference.metrics["roc_auc"].value, 2), reference.spread["roc_auc"].n
    (0.83, 20)
    """
    if panes_by_length is None:
        return PerformanceReference(sketch, _spread_over(sketch, panes))
    spreads = {length_ms: _spread_over(sketch, own) for length_ms, own in panes_by_length.items()}
    return PerformanceReference(sketch, spreads={length_ms: own for length_ms, own in spreads.items() if own})


def _spread_over(sketch: PerformanceSketch, panes: Sequence[PerformanceSketch]) -> dict[str, Spread]:
    """By metric, its spread over windows."""
    from detectors.performance.estimate import estimate, said_counts, score_counts  # it needs the reference

    values: dict[str, list[float]] = {}
    ratios: dict[str, list[float]] = {}
    for pane in panes:
        if pane.n <= 0:
            continue
        others = PerformanceReference(sketch.merge(pane.taken_back()))
        estimated: dict[str, Metric] = {}
        if others.sketch.n > 0 and (pane.space.scores or pane.space.classes):
            estimated = estimate(others, score_counts(pane), said_counts(pane))
        for name, metric in measure(pane).items():
            if not math.isfinite(metric.value):
                continue
            values.setdefault(name, []).append(metric.value)
            if name in estimated:
                ratios.setdefault(name, []).append(_missed(estimated[name], metric.value))
    return {name: _spread(own, ratios.get(name, [])) for name, own in values.items()}


def _missed(estimated: Metric, measured: float) -> float:
    """The error of an estimate, in half widths of its interval on that side; NaN where that has none."""
    error = measured - estimated.value
    half = estimated.ci_high - estimated.value if error > 0.0 else estimated.value - estimated.ci_low
    if error == 0.0:
        return 0.0
    return abs(error) / half if half > 0.0 else math.nan


def _spread(values: list[float], ratios: list[float]) -> Spread:
    found = np.array(values)
    low, high = np.quantile(found, [0.025, 0.975])
    known = np.array([ratio for ratio in ratios if math.isfinite(ratio)])
    inflation = 1.0
    if known.size >= LEAST_PANES:
        inflation = max(1.0, float(np.quantile(known, 0.95, method="higher")))
    std = float(found.std(ddof=1)) if found.size > 1 else math.nan
    return Spread(
        n=found.size, mean=float(found.mean()), std=std, low=float(low), high=float(high), inflation=inflation
    )


def rows_by_cell(sketch: PerformanceSketch, position: int) -> Floats:
    """(n_cells,) matches by the cell of score column `position`."""
    cells = sketch.space.score_cells(position)
    counts = sketch.outcomes[cells].sum(axis=1) if sketch.space.classes else sketch.sums[cells, N]
    rows: Floats = counts.astype(np.float64)
    return rows
