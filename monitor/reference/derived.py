"""The derived columns of a reference that is built: two more passes over the file.

The first sums the second moments, which give the weights; the second computes the columns, into a temporary file, from
which each is read to draw its grid. So memory holds one column at a time, as for any other.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from detectors.arrays import Floats
from detectors.axes import Spread, derived_of, second_moments
from detectors.columns import Column
from detectors.derive import with_derived
from detectors.derived import DERIVED_COLUMNS, Derived
from detectors.errors import InvalidSetting
from detectors.reference import numeric_column
from monitor.errors import InputError
from monitor.events.batch import Batch

Batches = Callable[[str], Iterator[Batch]]
"""Reads all rows from the start; takes what for."""

_FILE: Final = "derived.npy"


class DerivedColumns(msgspec.Struct, frozen=True, kw_only=True):
    """What the layout gets.

    Attributes
    ----------
    derived
        The weights.
    columns
        In the order of `DERIVED_COLUMNS`.
    means
        (n_cells,) each, of the columns.
    n
        Rows that have derived values.
    """

    derived: Derived
    columns: tuple[Column, ...]
    means: tuple[Floats, ...]
    n: int


def derive_columns(
    path: Path, batches: Batches, spreads: Mapping[int, Spread], n_rows: int, folder: Path
) -> DerivedColumns:
    """Derive weights and columns.

    Parameters
    ----------
    path
        The user's file.
    batches
        Its rows.
    spreads
        Of its numeric features; by position in `numeric` of the batches' layout.
    n_rows
        As many as the batches have together.
    folder
        For temporary files.

    Raises
    ------
    InputError
        Fewer than two numeric features vary, or the file changed since it was opened.
    """
    try:
        summed = second_moments(spreads)
    except InvalidSetting as error:
        raise InputError(
            f"{path}: multivariate: {error}", hint="take `multivariate` out of the configuration"
        ) from error
    for batch in batches("covariance"):
        summed.add(batch.numeric)
    derived = derived_of(summed)
    values = np.lib.format.open_memmap(
        folder / _FILE, mode="w+", dtype=np.float64, shape=(len(DERIVED_COLUMNS), n_rows)
    )
    start = 0
    for batch in batches("derived columns"):
        if start + batch.n > n_rows:
            raise InputError(f"{path} changed while it was read", hint="build the reference again")
        values[:, start : start + batch.n] = with_derived(derived, batch.numeric)[-len(DERIVED_COLUMNS) :]
        start += batch.n
    found = [numeric_column(name, row[:start]) for name, row in zip(DERIVED_COLUMNS, values, strict=True)]
    columns, means = zip(*found, strict=True)
    return DerivedColumns(derived=derived, columns=columns, means=means, n=int(np.isfinite(values[0, :start]).sum()))
