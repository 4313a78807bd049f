"""References with derived columns from matrices of values, as `monitor.reference.build` makes them of files."""

from typing import Any

import numpy as np

from detectors.accumulate import accumulate
from detectors.arrays import Floats
from detectors.axes import SecondMoments, Spread, derived_of, second_moments
from detectors.derive import with_derived
from detectors.derived import DERIVED_COLUMNS, Derived
from detectors.layout import Layout
from detectors.reference import Reference, numeric_column
from detectors.sketch import Sketch


def summed(values: Floats) -> SecondMoments:
    """The second moments of (k, n) features, NaN and infinities left out."""
    finite = {k: np.sort(row[np.isfinite(row)]) for k, row in enumerate(values)}
    moments = second_moments({k: Spread.of(row) for k, row in finite.items() if row.size})
    moments.add(values)
    return moments


def weights_of(values: Floats) -> Derived:
    """The weights that (k, n) features give."""
    return derived_of(summed(values))


def sketch_rows(layout: Layout, values: Floats) -> Sketch:
    """The sketch of (n_numeric, n) values."""
    n = values.shape[1]
    columns: dict[str, Any] = {"codes": np.empty((0, n), np.int32), "slots": np.zeros((1, n), np.int32)}
    return accumulate(layout, numeric=values, n_slots=1, unseen={}, **columns)[0]


def reference_of_rows(values: Floats) -> Reference:
    """A reference of the features x0, x1, ... and the derived columns."""
    derived = weights_of(values)
    whole = with_derived(derived, values)
    names = (*(f"x{k}" for k in range(values.shape[0])), *DERIVED_COLUMNS)
    columns, means = zip(*(numeric_column(name, row) for name, row in zip(names, whole, strict=True)), strict=True)
    layout = Layout(columns)
    return Reference(
        model="m",
        version="1",
        layout=layout,
        dimensions={},
        sketches={"": sketch_rows(layout, whole)},
        cell_means=np.concatenate(means),
        derived=derived,
    )
