"""What a reference fixes about a column: its kind and its cells.

Conventions of column batches, so that one array carries values and their faults:

| array | meaning | value |
|---|---|---|
| numeric, float64 | null | `NULL` (NaN) |
| numeric, float64 | invalid: text, a NaN literal or either infinity in the input | `INVALID` (+inf) |
| numeric, float64 | absent: the event has no such column at all; counted nowhere | `ABSENT` (-inf) |
| categorical, int32 | cell index | 0 or more |
| categorical, int32 | null, invalid, absent | `CODE_NULL`, `CODE_INVALID`, `CODE_ABSENT` |
"""

import enum
import math

import msgspec

NULL = math.nan
INVALID = math.inf
ABSENT = -math.inf
CODE_NULL = -1
CODE_INVALID = -2
CODE_ABSENT = -3


class Kind(enum.StrEnum):
    """How a column is counted. A boolean is categorical with the categories "false" and "true"."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One column of a reference and the cells its values are counted in.

    A numeric column has `len(edges) + 1` cells: `(edges[i - 1], edges[i]]`, the outer two open. When the reference
    holds any value, the first cell is what lies below its range and the last what lies above it, by more than rounding;
    see `detectors.grid`.

    A categorical column has one cell for each of `categories`, then `other`, then `unseen`.

    Attributes
    ----------
    name: unique in a reference; "@score" and "@label" are the prediction's, and `detectors.derived` has some more.
    kind: numeric or categorical.
    edges: (n_cells - 1,) strictly increasing float64; empty when the reference holds no value. `edges[0]` may be
        -inf (a reference whose smallest value is the smallest float64), no other edge is infinite.
    atoms: the cells of a numeric column whose values are equal but for rounding, increasing. None where it is not said, as
        in references of the format before: then the cells that have room for one float64 only.
    categories: at most 1,000, largest count first, ties by name.
    others: the reference's further categories, sorted. They are known, so they are `other` and not `unseen`.
    """

    name: str
    kind: Kind
    edges: tuple[float, ...] = ()
    atoms: tuple[int, ...] | None = None
    categories: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def n_cells(self) -> int:
        """The number of cells this column takes in a layout."""
        return len(self.edges) + 1 if self.kind is Kind.NUMERIC else len(self.categories) + 2

    @property
    def other(self) -> int:
        """The code of a known category beyond `categories`."""
        return len(self.categories)

    @property
    def unseen(self) -> int:
        """The code of a value that the reference never held."""
        return len(self.categories) + 1

    def codes(self) -> dict[str, int]:
        """Every known category's code. A value that is not in here has the code `unseen`."""
        table = dict.fromkeys(self.others, self.other)
        table.update((category, code) for code, category in enumerate(self.categories))
        return table
