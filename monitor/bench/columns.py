"""A reference of many numeric columns, and a window of it: what scoring and memory are measured on."""

import numpy as np

from detectors.accumulate import accumulate
from detectors.arrays import Floats
from detectors.layout import Layout
from detectors.reference import WHOLE, Reference, numeric_column
from detectors.sketch import Sketch


def sketch_of(layout: Layout, values: Floats) -> Sketch:
    """The sketch of one segment's values, (n_numeric, n)."""
    n = values.shape[1]
    return accumulate(
        layout,
        numeric=values,
        codes=np.empty((0, n), dtype=np.int32),
        slots=np.zeros((1, n), dtype=np.int32),
        n_slots=1,
        unseen={},
    )[0]


def make_reference(n_columns: int, rows: int, seed: int = 7) -> Reference:
    """`n_columns` lognormal columns, drawn from `rows` values each."""
    values = np.random.default_rng(seed).lognormal(size=(n_columns, rows))
    drawn = [numeric_column(f"column_{i}", own) for i, own in enumerate(values)]
    layout = Layout(column for column, _ in drawn)
    return Reference(
        model="bench",
        version="1",
        layout=layout,
        dimensions={},
        sketches={WHOLE: sketch_of(layout, values)},
        cell_means=np.concatenate([means for _, means in drawn]),
    )


def make_window(reference: Reference, rows: int, seed: int = 8) -> Sketch:
    """A live window of `rows` events in which every third column has drifted."""
    values = np.random.default_rng(seed).lognormal(size=(len(reference.layout.numeric), rows))
    values[::3] *= 1.2
    return sketch_of(reference.layout, values)
