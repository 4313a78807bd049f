"""What derived columns find that no column shows: a correlation of 0.7 that goes to 0 in one pair of twenty columns.

Windows of 500 rows against 50,000. A verdict a column by Simes over `ks` and `js` (and over the sixteen projections of
`@joint`), then Benjamini-Hochberg at 5 % over the 23 verdicts.
"""

import numpy as np
from support.multivariate import reference_of_rows, sketch_rows

from detectors.dependence import DesignEffect
from detectors.derive import with_derived
from detectors.derived import verdict_column
from detectors.reference import Reference
from detectors.registry import get
from detectors.score import comparison_of

P = 20
ALPHA = 0.05


def rows_of(rng, n, correlation):
    values = rng.standard_normal((P, n))
    values[1] = correlation * values[0] + np.sqrt(1.0 - correlation**2) * values[1]
    return values * np.arange(1.0, P + 1.0)[:, np.newaxis] + 100.0


def found_in(windows, correlation, seed):
    """The share of windows in which each verdict says drift, by column; "any" is any of them."""
    rng = np.random.default_rng(seed)
    reference = reference_of_rows(rows_of(rng, 50_000, 0.7))
    names = [f"w{number:04}" for number in range(windows)]
    live = {
        name: sketch_rows(reference.layout, with_derived(reference.derived, rows_of(rng, 500, correlation)))
        for name in names
    }
    whole = reference.sketches[""]
    pinned = Reference(
        model="m", version="1", layout=reference.layout, dimensions={}, cell_means=reference.cell_means,
        sketches={"": whole, **dict.fromkeys(names, whole)}, derived=reference.derived,
    )  # fmt: skip
    shape = (windows, len(reference.layout.columns))  # and methods
    none = DesignEffect.none(windows * len(reference.layout.columns))
    p_values = np.stack(
        [
            get(name).score(comparison_of(pinned, live, get(name).grid), none).p_value.reshape(shape)
            for name in ("ks", "js")
        ],
        axis=2,
    )
    verdicts = [verdict_column(column.name) for column in reference.layout.columns]
    columns = list(dict.fromkeys(verdicts))
    joined = np.stack(
        [simes(p_values[:, [v == column for v in verdicts]].reshape(windows, -1)) for column in columns], axis=1
    )
    drifted = benjamini_hochberg(joined) <= ALPHA
    return {"any": drifted.any(axis=1).mean(), **dict(zip(columns, drifted.mean(axis=0), strict=True))}


def simes(p_values):
    ordered = np.sort(p_values, axis=1)
    return np.min(ordered * ordered.shape[1] / np.arange(1, ordered.shape[1] + 1), axis=1)


def benjamini_hochberg(p_values):
    order = np.argsort(p_values, axis=1)
    n = p_values.shape[1]
    scaled = np.take_along_axis(p_values, order, axis=1) * n / np.arange(1, n + 1)
    found = np.empty_like(scaled)
    np.put_along_axis(found, order, np.minimum.accumulate(scaled[:, ::-1], axis=1)[:, ::-1], axis=1)
    return found


def test_a_broken_correlation_is_found_in_nine_windows_of_ten_and_in_no_column_itself():
    found = found_in(600, 0.0, seed=1)
    assert found["@distance"] >= 0.95
    assert found["@residual"] >= 0.99
    assert found["@joint"] >= 0.75
    assert max(found[f"x{k}"] for k in range(P)) <= 0.05


def test_an_unbroken_one_is_found_as_seldom_as_the_level_says():
    found = found_in(600, 0.7, seed=2)
    assert found["any"] <= 0.07
    assert max(found[name] for name in ("@distance", "@residual", "@joint")) <= 0.02
