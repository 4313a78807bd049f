"""A reference as the bytes of a file, and the hash of its content.

`DRIFTREF`, one byte of format version, the SHA-256 of what follows (32 bytes), then zstd-compressed MessagePack. The
hash finds truncation and corruption before anything is parsed. Format 2 has no panes, seasons, rare rows and derived
columns; format 3 has no labels, and is still written where there are none: the release before reads it, and passes over
the importance of features, as it does over any key that it does not know.
"""

import hashlib
import os
from collections.abc import Iterable
from typing import Final

import msgspec
import numpy as np
import zstandard

from detectors.arrays import Floats
from detectors.columns import Column, Kind
from detectors.derived import Derived
from detectors.errors import DetectorError, MalformedReference
from detectors.layout import Layout
from detectors.panes import PaneStudy
from detectors.reference import Reference
from detectors.sketch import Sketch

_MAGIC: Final = b"DRIFTREF"
_VERSION: Final = 4
_UNLABELLED: Final = 3
_READABLE: Final = (2, 3, 4)
_LIMIT_BYTES: Final = 1 << 32  # a reference is megabytes; a header that claims more is corrupt
_ROOM_BYTES: Final = 64 * 1024 * 1024
_RATIO: Final = 1_000
"""What a file may decompress to: so many bytes, and so many times its own. Sketches of segments of one row shrink some
340 times; zeros, 30,000 times."""


def digest_of(reference: Reference) -> str:
    """SHA-256 (64 hexadecimal digits) of the content: model, columns, dimensions and all that is counted.

    The version label and the importance of features are left out: they do not change what windows are compared with.
    Means and M2 of the sketches are left out too, because they depend in the last bit on the order of the rows: the
    same rows in another order are the same reference. So is `n_both`, which files of the format before do not have:
    `coverage` alone looks at it, for its p-value. The extremes are in, and so are the cell means, which
    `numeric_column` takes from the sorted values.
    """
    digest = hashlib.sha256()

    def add(*parts: bytes) -> None:
        for part in parts:
            digest.update(len(part).to_bytes(8, "little") + part)

    add(_raw(reference.model), reference.layout.fingerprint)
    records = [_column_record(column) for column in reference.layout.columns]
    add(msgspec.msgpack.encode([(one.name, one.kind, one.edges, one.categories, one.others) for one in records]))
    if any(record.atoms is not None for record in records):  # files of the format before do not name them
        add(msgspec.msgpack.encode([record.atoms for record in records]))
    dimensions = [(_raw(name), [*map(_raw, values)]) for name, values in sorted(reference.dimensions.items())]
    add(msgspec.msgpack.encode(dimensions))
    # One NaN, and one 0, which is not -0.0.
    one_nan = np.where(np.isnan(reference.cell_means), np.nan, reference.cell_means + 0.0)
    add(one_nan.astype("<f8").tobytes())
    for name in sorted(reference.sketches):
        sketch = reference.sketches[name]
        counted = (sketch.counts, sketch.nulls, sketch.invalid)
        add(_raw(name), sketch.n.to_bytes(8, "little"))
        add(*(part.astype("<i8").tobytes() for part in counted))
        add(*((part + 0.0).astype("<f8").tobytes() for part in (sketch.minimum, sketch.maximum)))
    if reference.rare or reference.studies or reference.seasons:  # files of the format before have none of them
        for name in sorted(reference.rare):
            add(_raw(name), reference.rare[name].astype("<i8").tobytes())
        add(msgspec.msgpack.encode(reference.studies))
        for kind, season, name in reference.season_keys():
            sketch = reference.seasons[kind][season][name]
            counted = (sketch.counts, sketch.nulls, sketch.invalid)
            add(_raw(kind), season.to_bytes(8, "little"), _raw(name), sketch.n.to_bytes(8, "little"))
            add(*(part.astype("<i8").tobytes() for part in counted))
    if reference.derived is not None:
        add(reference.derived.encode())
    if reference.performance is not None:
        add(b"labels", _labelled(reference))
    return digest.hexdigest()


def encode_reference(reference: Reference) -> bytes:
    """The bytes of a reference file."""
    record = _Record(
        model=_raw(reference.model),
        version=_raw(reference.version),
        digest=reference.digest,
        columns=[_column_record(column) for column in reference.layout.columns],
        dimensions={_raw(name): [*map(_raw, values)] for name, values in sorted(reference.dimensions.items())},
        sketches={_raw(name): reference.sketches[name].encode() for name in sorted(reference.sketches)},
        cell_means=reference.cell_means.astype("<f8").tobytes(),
        rare={_raw(name): rows.astype("<i8").tobytes() for name, rows in sorted(reference.rare.items())},
        studies=list(reference.studies),
        seasons=[
            (kind, *rest, reference.seasons[kind][season][name].encode())
            for kind, season, name in reference.season_keys()
            for rest in ((season, _raw(name)),)
        ],
        derived=b"" if reference.derived is None else reference.derived.encode(),
        labelled=_labelled(reference),
        importance={_raw(name): reference.importance[name] for name in sorted(reference.importance)},
    )
    body = zstandard.ZstdCompressor(level=9).compress(msgspec.msgpack.encode(record))
    return _MAGIC + bytes([_VERSION if record.labelled else _UNLABELLED]) + hashlib.sha256(body).digest() + body


def decode_reference(data: bytes) -> Reference:
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
        readable = f"{', '.join(map(str, _READABLE[:-1]))} and {_READABLE[-1]}"
        raise MalformedReference(f"reference format {data[len(_MAGIC)]}; this release reads {readable}")
    body = data[header + 32 :]
    if hashlib.sha256(body).digest() != data[header : header + 32]:
        raise MalformedReference("the reference file is truncated or corrupt")
    try:
        raw = _decompressed(body)
        record = msgspec.msgpack.decode(raw, type=_Record)
        layout = Layout(_column(item) for item in record.columns)
        reference = Reference(
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
            importance={_text(name): value for name, value in record.importance.items()},
        )
        if record.labelled:
            from detectors.performance.reference_wire import decode_labelled  # it is seldom needed, and not small

            reference = reference.with_performance(*decode_labelled(record.labelled, layout))
    except (zstandard.ZstdError, msgspec.DecodeError, ValueError, DetectorError) as error:
        raise MalformedReference(f"the reference file is corrupt: {error}") from error
    if reference.digest != record.digest:
        raise MalformedReference("the content of the reference file is not what its digest says")
    return reference


def _decompressed(body: bytes) -> bytes:
    """What the frame holds; nothing is made room for before its header has said how much, and that is likely."""
    size = zstandard.frame_content_size(body)
    if size < 0:
        raise MalformedReference("the reference file does not say how large it is")
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 4
    if size > min(_LIMIT_BYTES, _ROOM_BYTES + _RATIO * len(body), memory):
        raise MalformedReference(f"the reference file of {len(body):,} bytes claims to hold {size:,}")
    return zstandard.ZstdDecompressor().decompress(body, max_output_size=size)


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
    labelled: bytes = b""
    importance: dict[bytes, float] = {}


def _labelled(reference: Reference) -> bytes:
    """See `detectors.performance.reference_wire`; empty without labels."""
    if reference.performance is None:
        return b""
    from detectors.performance.reference_wire import encode_labelled

    return encode_labelled(reference.layout, reference.performance, reference.segment_performance, reference.delay)


def _seasons(
    entries: Iterable[tuple[str, int, bytes, bytes]], layout: Layout
) -> dict[str, dict[int, dict[str, Sketch]]]:
    seasons: dict[str, dict[int, dict[str, Sketch]]] = {}
    for kind, season, name, data in entries:
        seasons.setdefault(kind, {}).setdefault(season, {})[_text(name)] = Sketch.decode(data, layout)
    return seasons


def _column_record(column: Column) -> _ColumnRecord:
    edges = np.array(column.edges, dtype="<f8").tobytes()
    categories, others = (tuple(map(_raw, part)) for part in (column.categories, column.others))
    return _ColumnRecord(_raw(column.name), column.kind, edges, categories, others, column.atoms)


def _column(record: _ColumnRecord) -> Column:
    edges = np.frombuffer(record.edges, dtype="<f8")
    if np.any(~(edges[1:] > edges[:-1])) or np.any(np.isnan(edges)):
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
