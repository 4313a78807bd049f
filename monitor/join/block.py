"""What travels on `drift.joins`: blocks of predictions, of labels and of features, and the clocks of the sources.

The records of a block are sent column by column, byte by byte: what differs little compresses well so. A block says of
what model and reference it is, and names its versions and classes: it can be read alone.
"""

from typing import Any, Final

import msgspec
import numpy as np
import zstandard

from monitor.eventtime.watermark import Clock
from monitor.join.feature_records import FeatureShape
from monitor.join.records import ID_BYTES, LABEL, Shape

SCHEMA_VERSION: Final = 1
MAX_DECODED_BYTES: Final = 256 * 1024 * 1024
"""A message decompresses to at most this: a corrupt or hostile frame must not take the worker's memory."""


class BadJoinMessage(ValueError):  # noqa: N818 - the name says what it is
    """The bytes are not a message of `drift.joins`. Drop it and count it."""


class NewerJoinMessage(Exception):  # noqa: N818 - likewise
    """A later release wrote the message. Stop, and leave it unread: an upgraded worker reads it."""

    def __init__(self, version: int) -> None:
        super().__init__(f"a join message of schema version {version}, and this release reads up to {SCHEMA_VERSION}")
        self.version = version


class Predictions(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Predictions of one shape. `versions` are those that the records' codes name."""

    shape: Shape
    versions: tuple[str, ...]
    ids: bytes
    columns: bytes

    @property
    def n(self) -> int:
        """How many."""
        return len(self.ids) // ID_BYTES

    def records(self) -> Any:
        """(n,) of `shape.dtype`. Raises `BadJoinMessage` where bytes and shape differ."""
        return _records(self.ids, self.columns, self.shape.dtype)


class Labels(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Labels of one model. `classes` are those that the records' codes name."""

    model: str
    classes: tuple[str, ...]
    ids: bytes
    columns: bytes

    @property
    def n(self) -> int:
        """How many."""
        return len(self.ids) // ID_BYTES

    def records(self) -> Any:
        """(n,) of `LABEL`. Raises `BadJoinMessage` where bytes are missing."""
        return _records(self.ids, self.columns, LABEL)


class Features(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The features of one side: as the model was served them, or as they are when computed again."""

    shape: FeatureShape
    recomputed: bool
    versions: tuple[str, ...]
    ids: bytes
    columns: bytes

    @property
    def n(self) -> int:
        """How many."""
        return len(self.ids) // ID_BYTES

    def records(self) -> Any:
        """(n,) of `shape.dtype`. Raises `BadJoinMessage` where bytes and shape differ."""
        return _records(self.ids, self.columns, self.shape.dtype)


class JoinMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One message: blocks, then clocks. `n_partitions` counts the partitions of every source topic."""

    schema_version: int = SCHEMA_VERSION
    predictions: list[Predictions] = []
    labels: list[Labels] = []
    features: list[Features] = []
    clocks: list[Clock] = []
    n_partitions: dict[str, int] = {}


class _Version(msgspec.Struct, frozen=True, kw_only=True):
    schema_version: int


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(JoinMessage)
_version_decoder = msgspec.msgpack.Decoder(_Version)


def columns_of(records: Any) -> bytes:
    """The records' bytes, first all first bytes, then all second ones."""
    width = records.dtype.itemsize
    matrix = np.ascontiguousarray(records).view(np.uint8).reshape(records.size, width)
    return np.ascontiguousarray(matrix.T).tobytes()


def encode(message: JoinMessage) -> bytes:
    """The message as zstd-compressed MessagePack."""
    return zstandard.ZstdCompressor(level=1).compress(_encoder.encode(message))


def decode(data: bytes) -> JoinMessage:
    """The message in `data`.

    Raises `BadJoinMessage` when it is not a message, `NewerJoinMessage` when it is of a later schema.
    """
    try:
        if zstandard.frame_content_size(data) > MAX_DECODED_BYTES:
            raise BadJoinMessage(f"larger than {MAX_DECODED_BYTES} bytes when decompressed")
        plain = zstandard.ZstdDecompressor().decompress(data, max_output_size=MAX_DECODED_BYTES)
        version = _version_decoder.decode(plain).schema_version
        if version > SCHEMA_VERSION:
            raise NewerJoinMessage(version)
        return _decoder.decode(plain)
    except (zstandard.ZstdError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadJoinMessage(f"not a join message: {error}") from error


def unshuffled(columns: bytes, n: int, dtype: Any) -> Any:
    """(n,) records from their columns."""
    matrix = np.frombuffer(columns, dtype=np.uint8).reshape(dtype.itemsize, n)
    return matrix.T.copy().reshape(n * dtype.itemsize).view(dtype)  # a copy also of one row: codes are written in it


def _records(ids: bytes, columns: bytes, dtype: Any) -> Any:
    n = len(ids) // ID_BYTES
    if len(ids) != n * ID_BYTES or len(columns) != n * dtype.itemsize:
        raise BadJoinMessage(f"{len(ids)} bytes of ids and {len(columns)} of records of {dtype.itemsize}")
    return unshuffled(columns, n, dtype)
