"""What live windows are compared with: the reference's columns, segments, counts and cell means, in one pinned file.

File format: `DRIFTREF`, one byte of format version, the SHA-256 of what follows (32 bytes), then zstd-compressed
MessagePack. The hash finds truncation and corruption before anything is parsed.
"""

import functools
import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec
import numpy as np
import zstandard

from detectors.arrays import Floats, Ints
from detectors.columns import Column, Kind
from detectors.derived import DERIVED_COLUMNS, Derived
from detectors.errors import ConfigurationError, DetectorError, LayoutMismatch, MalformedReference
from detectors.grid import atom_cells, locate, quantile_grid
from detectors.layout import Layout
from detectors.panes import PaneStudy
from detectors.sketch import Sketch

REST: Final = "(rest)"
WHOLE: Final = ""
MAX_CATEGORIES: Final = 1_000
MAX_SEGMENT_VALUES: Final = 50
_MAGIC: Final = b"DRIFTREF"
_VERSION: Final = 3
_READABLE: Final = (2, 3)
_LIMIT_BYTES: Final = 1 << 32  # a reference is megabytes; a header that claims more is corrupt


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
    seasons: by the kind of season ("hour_of_week"), then by its number, the sketches of the rows of that season.
    derived: how the last columns of `layout` follow from the others; None: it has no derived columns.
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
    ) -> None:
        if WHOLE not in sketches:
            raise ConfigurationError('a reference needs the sketch of the whole, under the name ""')
        if any(sketch.layout != layout for sketch in sketches.values()):
            raise LayoutMismatch("a segment of the reference was counted in other cells")
        if cell_means.shape != (layout.n_cells,):
            raise ConfigurationError(f"{cell_means.shape[0]} cell means where {layout.n_cells} belong")
        _check_derived(layout, derived)
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

    def with_studies(self, studies: Iterable[PaneStudy]) -> "Reference":
        """The same reference with what its panes show."""
        return Reference(
            model=self.model, version=self.version, layout=self.layout, dimensions=self.dimensions,
            sketches=self.sketches, cell_means=self.cell_means, rare=self.rare, studies=studies, seasons=self.seasons,
            derived=self.derived,
        )  # fmt: skip

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
        """SHA-256 (64 hexadecimal digits) of the content: model, columns, dimensions and all that is counted.

        The version label is left out: moving a label does not change what windows are compared with. Means and M2 of
        the sketches are left out too, because they depend in the last bit on the order of the rows: the same rows in
        another order are the same reference. So is `n_both`, which files of the format before do not have: `coverage`
        alone looks at it, for its p-value. The extremes are in, and so are the cell means, which `numeric_column`
        takes from the sorted values.
        """
        digest = hashlib.sha256()

        def add(*parts: bytes) -> None:
            for part in parts:
                digest.update(len(part).to_bytes(8, "little") + part)

        add(_raw(self.model), self.layout.fingerprint)
        records = [_column_record(column) for column in self.layout.columns]
        add(msgspec.msgpack.encode([(one.name, one.kind, one.edges, one.categories, one.others) for one in records]))
        if any(record.atoms is not None for record in records):  # files of the format before do not name them
            add(msgspec.msgpack.encode([record.atoms for record in records]))
        dimensions = [(_raw(name), [*map(_raw, values)]) for name, values in sorted(self.dimensions.items())]
        add(msgspec.msgpack.encode(dimensions))
        one_nan = np.where(np.isnan(self.cell_means), np.nan, self.cell_means + 0.0)  # and one 0, which is not -0.0
        add(one_nan.astype("<f8").tobytes())
        for name in sorted(self.sketches):
            sketch = self.sketches[name]
            counted = (sketch.counts, sketch.nulls, sketch.invalid)
            add(_raw(name), sketch.n.to_bytes(8, "little"))
            add(*(part.astype("<i8").tobytes() for part in counted))
            add(*((part + 0.0).astype("<f8").tobytes() for part in (sketch.minimum, sketch.maximum)))
        if self.rare or self.studies or self.seasons:  # files of the format before have none of them
            for name in sorted(self.rare):
                add(_raw(name), self.rare[name].astype("<i8").tobytes())
            add(msgspec.msgpack.encode(self.studies))
            for kind, season, name in self._season_keys():
                sketch = self.seasons[kind][season][name]
                counted = (sketch.counts, sketch.nulls, sketch.invalid)
                add(_raw(kind), season.to_bytes(8, "little"), _raw(name), sketch.n.to_bytes(8, "little"))
                add(*(part.astype("<i8").tobytes() for part in counted))
        if self.derived is not None:
            add(self.derived.encode())
        return digest.hexdigest()

    def _season_keys(self) -> Iterator[tuple[str, int, str]]:
        for kind in sorted(self.seasons):
            for season in sorted(self.seasons[kind]):
                for name in sorted(self.seasons[kind][season]):
                    yield kind, season, name

    def encode(self) -> bytes:
        """The bytes of a reference file."""
        record = _Record(
            model=_raw(self.model),
            version=_raw(self.version),
            digest=self.digest,
            columns=[_column_record(column) for column in self.layout.columns],
            dimensions={_raw(name): [*map(_raw, values)] for name, values in sorted(self.dimensions.items())},
            sketches={_raw(name): self.sketches[name].encode() for name in sorted(self.sketches)},
            cell_means=self.cell_means.astype("<f8").tobytes(),
            rare={_raw(name): rows.astype("<i8").tobytes() for name, rows in sorted(self.rare.items())},
            studies=list(self.studies),
            seasons=[
                (kind, *rest, self.seasons[kind][season][name].encode())
                for kind, season, name in self._season_keys()
                for rest in ((season, _raw(name)),)
            ],
            derived=b"" if self.derived is None else self.derived.encode(),
        )
        body = zstandard.ZstdCompressor(level=9).compress(msgspec.msgpack.encode(record))
        return _MAGIC + bytes([_VERSION]) + hashlib.sha256(body).digest() + body

    @classmethod
    def decode(cls, data: bytes) -> "Reference":
        """The reference in the bytes of a file.

        Raises
        ------
        MalformedReference: no reference file, truncated, corrupt, or of an unknown format version.
        """
        header = len(_MAGIC) + 1
        if data[: len(_MAGIC)] != _MAGIC:
            raise MalformedReference("this is no Driftline reference file")
        if len(data) < header + 32:
            raise MalformedReference("the reference file is truncated")
        if data[len(_MAGIC)] not in _READABLE:
            readable = " and ".join(map(str, _READABLE))
            raise MalformedReference(f"reference format {data[len(_MAGIC)]}; this release reads {readable}")
        body = data[header + 32 :]
        if hashlib.sha256(body).digest() != data[header : header + 32]:
            raise MalformedReference("the reference file is truncated or corrupt")
        try:
            raw = zstandard.ZstdDecompressor().decompress(body, max_output_size=_LIMIT_BYTES)
            record = msgspec.msgpack.decode(raw, type=_Record)
            layout = Layout(_column(item) for item in record.columns)
            reference = cls(
                model=_text(record.model),
                version=_text(record.version),
                layout=layout,
                dimensions={_text(name): tuple(map(_text, values)) for name, values in record.dimensions.items()},
                sketches={_text(name): Sketch.decode(part, layout) for name, part in record.sketches.items()},
                cell_means=np.frombuffer(record.cell_means, dtype="<f8").astype(np.float64),
                rare={
                    _text(name): np.frombuffer(rows, dtype="<i8").astype(np.int64).reshape(2, len(layout.columns))
                    for name, rows in record.rare.items()
                },
                studies=record.studies,
                seasons=_seasons(record.seasons, layout),
                derived=Derived.decode(record.derived) if record.derived else None,
            )
        except (zstandard.ZstdError, msgspec.DecodeError, ValueError, DetectorError) as error:
            raise MalformedReference(f"the reference file is corrupt: {error}") from error
        if reference.digest != record.digest:
            raise MalformedReference("the content of the reference file is not what its digest says")
        return reference

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


class _ColumnRecord(msgspec.Struct, frozen=True, array_like=True):
    name: bytes
    kind: Kind
    edges: bytes
    categories: tuple[bytes, ...]
    others: tuple[bytes, ...]
    atoms: tuple[int, ...] | None = None


class _Record(msgspec.Struct, frozen=True, omit_defaults=True):
    model: bytes
    version: bytes
    digest: str
    columns: list[_ColumnRecord]
    dimensions: dict[bytes, list[bytes]]
    sketches: dict[bytes, bytes]
    cell_means: bytes
    rare: dict[bytes, bytes] = {}
    studies: list[PaneStudy] = []
    seasons: list[tuple[str, int, bytes, bytes]] = []
    derived: bytes = b""


def _seasons(
    entries: Iterable[tuple[str, int, bytes, bytes]], layout: Layout
) -> dict[str, dict[int, dict[str, Sketch]]]:
    seasons: dict[str, dict[int, dict[str, Sketch]]] = {}
    for kind, season, name, data in entries:
        seasons.setdefault(kind, {}).setdefault(season, {})[_text(name)] = Sketch.decode(data, layout)
    return seasons


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


def _column_record(column: Column) -> _ColumnRecord:
    edges = np.array(column.edges, dtype="<f8").tobytes()
    categories, others = (tuple(map(_raw, part)) for part in (column.categories, column.others))
    return _ColumnRecord(_raw(column.name), column.kind, edges, categories, others, column.atoms)


def _column(record: _ColumnRecord) -> Column:
    edges = np.frombuffer(record.edges, dtype="<f8")
    if np.any(~(np.diff(edges) > 0)) or np.any(np.isnan(edges)):
        raise MalformedReference(f"the edges of {record.name!r} do not increase")
    return Column(
        name=_text(record.name),
        kind=record.kind,
        edges=tuple(edges.tolist()),
        atoms=_atoms(record, edges),
        categories=tuple(map(_text, record.categories)),
        others=tuple(map(_text, record.others)),
    )


def _atoms(record: _ColumnRecord, edges: Floats) -> tuple[int, ...] | None:
    atoms = record.atoms
    if atoms is not None and (sorted(set(atoms)) != list(atoms) or any(not 0 < cell < edges.size for cell in atoms)):
        raise MalformedReference(f"the atoms of {record.name!r} are no cells of it")
    return atoms


def _raw(text: str) -> bytes:
    """UTF-8; a lone surrogate, which JSON can carry, passes through."""
    return text.encode("utf-8", "surrogatepass")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogatepass")
