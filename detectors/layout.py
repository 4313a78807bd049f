"""Where each column of a model lies in one flat vector of counts."""

import functools
import hashlib
from collections.abc import Iterable

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.columns import Column, Kind
from detectors.derived import is_derived
from detectors.errors import ConfigurationError, UnknownColumn, nearest
from detectors.lookup import Lookup


class Layout:
    """The columns of a reference, and the place of their cells in a sketch.

    Attributes
    ----------
    columns: in the reference's order, which is the order of every result.
    numeric: (n_numeric,) indices into `columns`; position k is row k of a numeric batch and of a sketch's moments.
    categorical: (n_categorical,) indices into `columns`; position k is row k of a batch of codes.
    offsets: (n_columns + 1,) int64; column c has the cells `offsets[c]:offsets[c + 1]`.
    n_cells: of all columns together.
    numeric_indices, categorical_indices: the same two as int64 arrays.
    derived: the indices of the columns that no event has, by name; see `detectors.derived`.
    features, prediction: the indices of either, by name: the prediction's are the others that begin with "@".

    Two layouts with the same columns are equal.

    Raises
    ------
    ConfigurationError: two columns have one name.
    """

    def __init__(self, columns: Iterable[Column]) -> None:
        self.columns: tuple[Column, ...] = tuple(columns)
        names = [column.name for column in self.columns]
        self._index = {name: index for index, name in enumerate(names)}
        if len(self._index) != len(self.columns):
            raise ConfigurationError(f"two columns have one name: {sorted({n for n in names if names.count(n) > 1})}")
        kinds = [column.kind for column in self.columns]
        self.numeric: tuple[int, ...] = tuple(i for i, kind in enumerate(kinds) if kind is Kind.NUMERIC)
        self.categorical: tuple[int, ...] = tuple(i for i, kind in enumerate(kinds) if kind is Kind.CATEGORICAL)
        self.derived: tuple[int, ...] = tuple(i for i, name in enumerate(names) if is_derived(name))
        self.prediction: tuple[int, ...] = tuple(
            i for i, name in enumerate(names) if name.startswith("@") and not is_derived(name)
        )
        self.features: tuple[int, ...] = tuple(i for i, name in enumerate(names) if not name.startswith("@"))
        self.offsets: Ints = _offsets([column.n_cells for column in self.columns])
        self.n_cells: int = int(self.offsets[-1])
        self.numeric_indices: Ints = np.array(self.numeric, dtype=np.int64)
        self.categorical_indices: Ints = np.array(self.categorical, dtype=np.int64)
        self._edges: list[Floats] = [np.array(self.columns[i].edges, dtype=np.float64) for i in self.numeric]

    def index(self, name: str) -> int:
        """The position of a column in `columns`.

        Raises
        ------
        UnknownColumn: names the nearest.
        """
        try:
            return self._index[name]
        except KeyError:
            raise UnknownColumn(f"no column {name!r} in the reference; {nearest(name, self._index)}") from None

    def cells(self, index: int) -> slice:
        """Where column `index` lies in a vector of counts."""
        return slice(int(self.offsets[index]), int(self.offsets[index + 1]))

    def column_edges(self, position: int) -> Floats:
        """(n_cells - 1,) the edges of the numeric column at `position` in `numeric`."""
        return self._edges[position]

    @functools.cached_property
    def observed(self) -> "Layout":
        """The columns that events have: all but the derived ones."""
        if not self.derived:
            return self
        return Layout(column for index, column in enumerate(self.columns) if index not in self.derived)

    @functools.cached_property
    def lookup(self) -> Lookup:
        """How the kernel finds the cells of the numeric columns."""
        return Lookup.of(self._edges)

    @functools.cached_property
    def fingerprint(self) -> bytes:
        """Eight bytes that differ between layouts with different columns or cells."""
        digest = hashlib.blake2b(digest_size=8)
        for column in self.columns:
            for part in (column.categories, column.others, column.edges):
                digest.update(len(part).to_bytes(8, "little"))
            for text in (column.name, column.kind.value, *column.categories, *column.others):
                raw = text.encode("utf-8", "surrogatepass")
                digest.update(len(raw).to_bytes(8, "little") + raw)
            digest.update(np.array(column.edges, dtype="<f8").tobytes())
        return digest.digest()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Layout):
            return NotImplemented
        return self is other or self.columns == other.columns

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __repr__(self) -> str:
        return f"Layout({len(self.numeric)} numeric, {len(self.categorical)} categorical, {self.n_cells} cells)"


def _offsets(sizes: list[int]) -> Ints:
    return np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]).astype(np.int64)
