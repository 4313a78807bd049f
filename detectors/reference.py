"""What live windows are compared with: the reference's columns, segments, counts and cell means, in one pinned file."""

import functools
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.columns import Column, Kind
from detectors.derived import DERIVED_COLUMNS, Derived
from detectors.errors import ConfigurationError, LayoutMismatch
from detectors.grid import atom_cells, locate, quantile_grid
from detectors.layout import Layout
from detectors.panes import PaneStudy
from detectors.sketch import Sketch

if TYPE_CHECKING:
    from detectors.performance.delay import DelayCurve
    from detectors.performance.reference import PerformanceReference
    from detectors.performance.sketch import PerformanceSketch

REST: Final = "(rest)"
WHOLE: Final = ""
MAX_CATEGORIES: Final = 1_000
MAX_SEGMENT_VALUES: Final = 50


def segment_name(dimension: str, value: str) -> str:
    """The name of one value of a segment dimension: `"origin=EWR"`. The whole is `""`."""
    return f"{dimension}={value}"


class Reference:
    """The pinned side of every comparison. Treat it as immutable.

    Attributes
    ----------
    model, version: what it is the reference of. `version` is a label and no part of the digest.
    layout: the columns.
    dimensions: each segment dimension's values that are segments of their own, at most 50; all others, and nulls,
        lie in `(rest)`.
    sketches: by segment name; `""` is the whole and always there.
    cell_means: (layout.n_cells,) float64: the mean of the whole's values in each numeric cell, NaN in cells without
        values and in categorical columns.
    rare: by segment, see `rare_rows`.
    studies: what its own panes show of windows of some lengths; empty where it has no times.
    seasons: by the name of seasons ("hour_of_week", "hour_of_week Europe/Berlin"), then by number, the sketches of the
        rows of that season.
    derived: how the last columns of `layout` follow from the others; None: it has no derived columns.
    performance: of its labelled rows; None: it was built without labels.
    segment_performance: by segment name, its labelled rows in the cells of `performance`; only segments that have some.
    delay: how long its labels took; None where they have no times.
    importance: of features, in any unit, from 0 on; empty where nobody has said. No part of the digest.
    n: rows of the whole.
    """

    def __init__(
        self,
        *,
        model: str,
        version: str,
        layout: Layout,
        dimensions: Mapping[str, tuple[str, ...]],
        sketches: Mapping[str, Sketch],
        cell_means: Floats,
        rare: Mapping[str, Ints] | None = None,
        studies: Iterable[PaneStudy] = (),
        seasons: Mapping[str, Mapping[int, Mapping[str, Sketch]]] | None = None,
        derived: Derived | None = None,
        performance: "PerformanceReference | None" = None,
        segment_performance: "Mapping[str, PerformanceSketch] | None" = None,
        delay: "DelayCurve | None" = None,
        importance: Mapping[str, float] | None = None,
    ) -> None:
        if WHOLE not in sketches:
            raise ConfigurationError('a reference needs the sketch of the whole, under the name ""')
        if any(sketch.layout != layout for sketch in sketches.values()):
            raise LayoutMismatch("a segment of the reference was counted in other cells")
        if cell_means.shape != (layout.n_cells,):
            raise ConfigurationError(f"{cell_means.shape[0]} cell means where {layout.n_cells} belong")
        _check_derived(layout, derived)
        if performance is None and (segment_performance or delay is not None):
            raise ConfigurationError("the performance of segments, or a delay of labels, without that of the whole")
        if any(own.space != performance.sketch.space for own in (segment_performance or {}).values() if performance):
            raise LayoutMismatch("the performance of a segment of the reference was counted in other cells")
        self.model = model
        self.version = version
        self.layout = layout
        self.dimensions: dict[str, tuple[str, ...]] = {name: tuple(values) for name, values in dimensions.items()}
        self.sketches: dict[str, Sketch] = dict(sketches)
        self.cell_means = cell_means
        self.rare: dict[str, Ints] = dict(rare or {})
        self.studies: tuple[PaneStudy, ...] = tuple(studies)
        self.seasons: dict[str, Mapping[int, Mapping[str, Sketch]]] = dict(seasons or {})
        self.derived = derived
        self.performance = performance
        self.segment_performance: dict[str, PerformanceSketch] = dict(segment_performance or {})
        self.delay = delay
        self.importance: dict[str, float] = dict(importance or {})
        if not all(math.isfinite(one) and one >= 0.0 for one in self.importance.values()):
            raise ConfigurationError("the importance of a feature is a finite number from 0 on")

    def with_studies(self, studies: Iterable[PaneStudy]) -> "Reference":
        """The same reference with what its panes show."""
        return Reference(
            model=self.model, version=self.version, layout=self.layout, dimensions=self.dimensions,
            sketches=self.sketches, cell_means=self.cell_means, rare=self.rare, studies=studies, seasons=self.seasons,
            derived=self.derived, performance=self.performance, segment_performance=self.segment_performance,
            delay=self.delay, importance=self.importance,
        )  # fmt: skip

    def with_performance(
        self,
        performance: "PerformanceReference",
        segment_performance: "Mapping[str, PerformanceSketch]",
        delay: "DelayCurve | None",
    ) -> "Reference":
        """The same reference with what its labels show."""
        return Reference(
            model=self.model, version=self.version, layout=self.layout, dimensions=self.dimensions,
            sketches=self.sketches, cell_means=self.cell_means, rare=self.rare, studies=self.studies,
            seasons=self.seasons, derived=self.derived, performance=performance,
            segment_performance=segment_performance, delay=delay, importance=self.importance,
        )  # fmt: skip

    def with_importance(self, importance: Mapping[str, float]) -> "Reference":
        """The same reference with what its features matter."""
        return Reference(
            model=self.model, version=self.version, layout=self.layout, dimensions=self.dimensions,
            sketches=self.sketches, cell_means=self.cell_means, rare=self.rare, studies=self.studies,
            seasons=self.seasons, derived=self.derived, performance=self.performance,
            segment_performance=self.segment_performance, delay=self.delay, importance=importance,
        )  # fmt: skip

    def performance_of(self, segment: str, length_ms: int | None = None) -> "PerformanceReference | None":
        """What labels showed of a segment (`WHOLE`: of all), with the spread over windows nearest to this length.

        Only the whole has a spread. None where the reference has no label in this segment.
        """
        from detectors.performance.reference import PerformanceReference

        if segment == WHOLE:
            return None if self.performance is None else self.performance.for_length(length_ms)
        sketch = self.segment_performance.get(segment)
        return None if sketch is None else PerformanceReference(sketch)

    def study(self, length_ms: int | None, season: str = "") -> PaneStudy | None:
        """What panes show of windows of this length (milliseconds), or else of the nearest one; None where the
        reference has no times, and for None.

        `season` names the kind of season within which panes were compared; "" is all of the reference.
        """
        own = [study for study in self.studies if study.season == season]
        if not own or length_ms is None:
            return None
        nearest = min(own, key=lambda study: (abs(math.log(study.length_ms / length_ms)), study.length_ms))
        return nearest.for_length(length_ms)

    def rare_rows(self, segment: str) -> Ints:
        """(2, n_columns) the segment's rows whose category one row of the whole has, and two.

        References of the format before do not say: then as far as the counts of the largest categories tell.
        """
        if segment in self.rare:
            return self.rare[segment]
        layout, whole = self.layout, self.sketches[WHOLE].counts
        rare = np.zeros((2, len(layout.columns)), dtype=np.int64)
        if segment in self.sketches:
            counts = self.sketches[segment].counts
            for index in layout.categorical:
                cells = layout.cells(index)
                known, own = whole[cells][:-2], counts[cells][:-2]
                rare[:, index] = own[known == 1].sum(), own[known == 2].sum()
        return rare

    @property
    def n(self) -> int:
        """Rows of the whole."""
        return self.sketches[WHOLE].n

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 (64 hexadecimal digits) of the content; see `detectors.reference_file`."""
        from detectors.reference_file import digest_of  # it makes references: the import would go round in a circle

        return digest_of(self)

    def season_keys(self) -> Iterator[tuple[str, int, str]]:
        """Kind, number and segment of the sketches of each season, in order."""
        for kind in sorted(self.seasons):
            for season in sorted(self.seasons[kind]):
                for name in sorted(self.seasons[kind][season]):
                    yield kind, season, name

    def encode(self) -> bytes:
        """The bytes of a reference file."""
        from detectors.reference_file import encode_reference

        return encode_reference(self)

    @classmethod
    def decode(cls, data: bytes) -> "Reference":
        """The reference in the bytes of a file.

        Raises
        ------
        MalformedReference: no reference file, truncated, corrupt, or of an unknown format version.
        """
        from detectors.reference_file import decode_reference

        return decode_reference(data)

    def __repr__(self) -> str:
        return f"Reference({self.model!r}, {self.version!r}, n={self.n}, {self.layout!r}, {self.digest[:12]})"


def numeric_column(name: str, values: Floats) -> tuple[Column, Floats]:
    """A numeric column's grid and cell means from its reference values.

    Parameters
    ----------
    name: the column's.
    values: (n,) floats of any width in any order; nulls, invalid and absent values (everything that is not finite) are
        left out.

    Returns
    -------
    The column, and (n_cells,) float64 the mean of the values in each cell, NaN in an empty one. The result does not
    depend on the order of the values.
    """
    values = np.asarray(values, dtype=np.float64)  # float32 would draw edges between its own values
    ordered = np.sort(values[np.isfinite(values)]) + 0.0
    edges = quantile_grid(ordered)
    counts = np.bincount(locate(edges, ordered), minlength=edges.size + 1)
    filled = np.flatnonzero(counts)
    means = np.full(counts.size, np.nan)
    if ordered.size:
        _, exponent = np.frexp(max(-ordered[0], ordered[-1]))
        shift = max(int(exponent) - 400, 0)  # scaling by a power of two is exact and keeps the sums finite
        starts = (np.cumsum(counts) - counts)[filled]
        sums = np.add.reduceat(np.ldexp(ordered, -shift), starts)
        # A mean of equal values can be off by a rounding; it belongs inside its cell.
        means[filled] = np.clip(
            np.ldexp(sums / counts[filled], shift), ordered[starts], ordered[starts + counts[filled] - 1]
        )
    atoms = tuple(atom_cells(edges, ordered).tolist())
    return Column(name=name, kind=Kind.NUMERIC, edges=tuple(edges.tolist()), atoms=atoms), means


def categorical_column(name: str, counts: Mapping[str, int]) -> Column:
    """A categorical column from its reference counts: the 1,000 largest (ties by name) are cells, the rest is
    `other`."""
    ranked = sorted((value for value, count in counts.items() if count > 0), key=lambda value: (-counts[value], value))
    kept, others = ranked[:MAX_CATEGORIES], ranked[MAX_CATEGORIES:]
    return Column(name=name, kind=Kind.CATEGORICAL, categories=tuple(kept), others=tuple(sorted(others)))


def _check_derived(layout: Layout, derived: Derived | None) -> None:
    """Either the layout ends with the derived columns and there are weights for them, or neither."""
    n_observed = len(layout.columns) - len(layout.derived)
    names = tuple(column.name for column in layout.columns[n_observed:])
    if names != (DERIVED_COLUMNS if derived is not None else ()):
        raise ConfigurationError("the derived columns of a reference and its weights for them do not fit")
    if any(layout.columns[index].kind is not Kind.NUMERIC for index in layout.derived):
        raise ConfigurationError("a derived column of the reference is not numeric")
    if derived is not None:
        positions = [layout.numeric[i] if i < len(layout.numeric) else -1 for i in derived.features.tolist()]
        if not set(positions) <= set(layout.features):
            raise ConfigurationError("derived columns follow from what is no numeric feature")
