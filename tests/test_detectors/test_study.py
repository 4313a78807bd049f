"""What panes show, of values whose squares overflow and of categories that one pane alone has."""

import functools
import warnings

import numpy as np
import pytest

from detectors.accumulate import accumulate
from detectors.layout import Layout
from detectors.panes import PaneStudy
from detectors.reference import Reference, categorical_column, numeric_column
from detectors.registry import methods
from detectors.sketch import Sketch
from detectors.stack import stacked
from detectors.study import study

N_PANES, N_ROWS = 40, 60
METHODS = [name for name, method in methods().items() if method.kinds]


def study_of(values: np.ndarray, codes: np.ndarray) -> PaneStudy:
    """Of `N_PANES` panes of a numeric column and one of two categories; any warning is an error."""
    column, means = numeric_column("x", values)
    kind = categorical_column("c", {"a": int((codes == 0).sum()), "b": int((codes == 1).sum())})
    layout = Layout([column, kind])
    rows = [slice(n * N_ROWS, (n + 1) * N_ROWS) for n in range(N_PANES)]
    panes = [
        accumulate(
            layout,
            numeric=values[None, own],
            codes=codes[None, own],
            slots=np.zeros((1, N_ROWS), dtype=np.int32),
            n_slots=1,
            unseen={},
        )[0]
        for own in rows
    ]
    cell_means = np.full(layout.n_cells, np.nan)
    cell_means[layout.cells(0)] = means
    reference = Reference(
        model="m",
        version="1",
        layout=layout,
        dimensions={},
        sketches={"": functools.reduce(Sketch.merge, panes)},
        cell_means=cell_means,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return study(
            reference, [stacked(layout, {"": pane}) for pane in panes], METHODS, length_ms=1_000, pane_ms=1_000
        )


@pytest.mark.parametrize("unit", [1e150, 1e200, 1e307])
def test_the_unit_of_a_column_does_not_show_in_what_its_panes_show_even_where_squares_overflow(unit: float) -> None:
    rng = np.random.default_rng(1)
    values, codes = rng.normal(size=N_PANES * N_ROWS), rng.integers(0, 2, N_PANES * N_ROWS).astype(np.int32)
    plain, huge = study_of(values, codes), study_of(values * unit, codes)
    for name in ("location", "spread", "ks", "js"):
        assert huge.effects[name] == plain.effects[name]
    assert huge.nus["js"] == plain.nus["js"]
    assert all(np.isfinite(value).all() for value in huge.effects.values())


def test_a_category_that_one_pane_alone_has_makes_no_design_effect_infinite() -> None:
    rng = np.random.default_rng(2)
    codes = np.zeros(N_PANES * N_ROWS, dtype=np.int32)
    codes[:5] = 1
    found = study_of(rng.normal(size=codes.size), codes)
    assert all(np.isfinite(value).all() for value in (*found.effects.values(), *found.nus.values()))
