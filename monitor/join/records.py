"""How a prediction and a label lie in bytes: on the wire, in the changelog and on the disk alike.

A record has a fixed width, so that many are one array, and one is a slice of bytes.
"""

import functools
from typing import Any, Final

import msgspec
import numpy as np

from detectors.arrays import Floats, Ints

ID_BYTES: Final = 16
MAX_CODE: Final = 65_535
"""The largest code of a version, or of a segment."""

_TIME: Final = [("low", "<u4"), ("high", "<u2")]  # milliseconds since 1970 in 48 bits: to the year 10889

NUMBER: Final = 0
CLASS: Final = 1
"""Kinds of labels: `label` holds the bits of a float64, or the code of a class."""

LABEL: Final = np.dtype([*_TIME, ("kind", "u1"), ("label", "<u8"), ("value", "<f8")])
"""A label: when, what, and the number that rides along (NaN: none)."""


class Shape(msgspec.Struct, frozen=True, kw_only=True, array_like=True, dict=True):
    """What predictions that lie in the same bytes have in common.

    Attributes
    ----------
    model: its name.
    reference: the digest of the reference whose codes and cells they have.
    pane_ms: the length of the model's panes.
    n_scores: float64 values a prediction: `@score`, then `@score.<class>`, as the reference has them.
    n_dimensions: segment codes a prediction.
    n_columns: monitored columns, of each of which a prediction has a coarse cell.
    """

    model: str
    reference: str
    pane_ms: int
    n_scores: int
    n_dimensions: int
    n_columns: int

    @functools.cached_property
    def dtype(self) -> Any:
        """Of one prediction. `class` is the reference's code of `@label`; two cells share a byte, the first the lower
        half."""
        return np.dtype(
            [
                *_TIME,
                ("version", "<u2"),
                ("class", "<i2"),
                ("scores", "<f8", (self.n_scores,)),
                ("segments", "<u2", (self.n_dimensions,)),
                ("cells", "u1", ((self.n_columns + 1) // 2,)),
            ]
        )


def times_ms(records: Any) -> Ints:
    """(n,) int64 of predictions or labels."""
    times: Ints = records["low"].astype(np.int64) | (records["high"].astype(np.int64) << 32)
    return times


def set_times(records: Any, milliseconds: Ints) -> None:
    """Write (n,) times."""
    records["low"] = milliseconds & 0xFFFF_FFFF
    records["high"] = milliseconds >> 32


def numbers(values: Floats) -> Any:
    """(n,) uint64 of the numbers of labels; equal numbers have equal bits."""
    return (values + 0.0).view("<u8")  # -0.0 + 0.0 is 0.0


def cells_of(packed: Any, n_columns: int) -> Any:
    """(n, n_columns) uint8 from `cells` (n, ceil(n_columns / 2))."""
    both = np.empty((packed.shape[0], 2 * packed.shape[1]), dtype=np.uint8)
    both[:, 0::2], both[:, 1::2] = packed & 15, packed >> 4
    return both[:, :n_columns]


def packed_cells(cells: Any) -> Any:
    """(n, ceil(n_columns / 2)) uint8 from (n, n_columns), each below 16."""
    n, n_columns = cells.shape
    even = np.zeros((n, n_columns + n_columns % 2), dtype=np.uint8)
    even[:, :n_columns] = cells
    return even[:, 0::2] | (even[:, 1::2] << 4)
