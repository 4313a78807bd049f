"""What the join keeps of one partition of `drift.joins`, and how it lies in a key-value table.

- The *row* of an id: key, the id's 16 bytes; value, its prediction and its labels (`Row`).
- A *list*: key, that of a block (`block_key`); value, the ids that came to its stretch with it.
  So expiry reads a block and deletes what it names.
- `SEAL`: everything else, small, written with each transaction (`Seal`).

A row belongs to a *stretch* of time, a part of the model's horizon, which expires as a whole: that of its anchor, which
is its prediction's time, or while that is not known its earliest label's. A row moves to later stretches alone: what
older blocks of the changelog have of it ends before it does.
"""

import struct
from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from monitor.eventtime.watermark import Clocks
from monitor.join.feature_records import FeatureShape
from monitor.join.records import Shape

SEAL: Final = b"seal"
STATE_VERSION: Final = 1
_BLOCK: Final = struct.Struct(">cHIQ")
BLOCK_KEY_BYTES: Final = _BLOCK.size
STRETCHES: Final = 4
"""Of a horizon: what is kept is kept for at most this part of it too long."""


class NewerState(Exception):  # noqa: N818 - an answer
    """A later release wrote the state. Stop, and leave everything as it is."""


class RowStore(Protocol):
    """Read access to the state: RocksDB, or a plain dictionary."""

    def get_many(self, keys: list[bytes]) -> Sequence[bytes]:
        """The stored values; empty where there is none."""
        ...


class Stretch(msgspec.Struct, kw_only=True, array_like=True):
    """What is known of a stretch. Blocks [n_dropped, n_blocks) of it are still there."""

    n_blocks: int = 0
    n_dropped: int = 0
    unlabelled: int = 0
    waiting: int = 0
    n_left: int = 0
    """Ids with a prediction that nothing matches, ids with labels alone, and ids that its lists name and that a later
    stretch has now."""


class Seal(msgspec.Struct, kw_only=True):
    """What a partition keeps beside its rows.

    Attributes
    ----------
    absorbed: the last offset of `drift.joins` that is in the state; -1 for none.
    models, shapes, feature_shapes, versions, classes: what codes in rows stand for. They only grow.
    stretches: by the code of the model, then by number.
    clocks: of the source partitions.
    watermarks_ms: by the code of the model.
    stretch_ms: likewise, the length of its stretches.
    totals: by the model's name, what became of all its predictions and labels (`monitor.join.outcomes.COUNTS`): exact,
        for they are committed with what they count.
    """

    schema_version: int = STATE_VERSION
    absorbed: int = -1
    models: list[str] = []
    shapes: list[Shape] = []
    feature_shapes: list[FeatureShape] = []
    versions: list[str] = []
    classes: list[str] = []
    stretches: dict[int, dict[int, Stretch]] = {}
    clocks: Clocks = Clocks()
    watermarks_ms: dict[int, int] = {}
    stretch_ms: dict[int, int] = {}
    totals: dict[str, dict[str, int]] = {}


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Seal)


def block_key(model: int, stretch: int, block: int) -> bytes:
    """The key of a block, in the changelog and of its list."""
    return _BLOCK.pack(b"b", model, stretch, block)


def stretch_of(key: bytes) -> int:
    """The number of the stretch of a block's key."""
    number: int = _BLOCK.unpack(key)[2]
    return number


def read_seal(state: RowStore) -> Seal:
    """The seal, or that of a partition that nothing was ever read from. Raises `NewerState`."""
    (data,) = state.get_many([SEAL])
    if not data:
        return Seal()
    seal = seal_in(data)
    if seal.schema_version > STATE_VERSION:
        raise NewerState(f"state of version {seal.schema_version}; this release reads up to {STATE_VERSION}")
    return seal


def seal_in(data: bytes) -> Seal:
    """The seal in its bytes."""
    return _decoder.decode(data)


def write_seal(seal: Seal) -> bytes:
    """The seal's bytes."""
    return _encoder.encode(seal)


class DictStore:
    """The state in memory: for replay and for tests."""

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}

    def get_many(self, keys: list[bytes]) -> list[bytes]:
        """The stored values; empty where there is none."""
        rows = self.rows
        return [rows.get(key, b"") for key in keys]
