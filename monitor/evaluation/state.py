"""What the score role keeps, and how it lies in a key-value table.

One partition of `drift.sketches` has one set of keys, and nothing else writes them:

- `pane`: the sketches of some segments of one pane, with the source offset they have absorbed. Segments are grouped so
  that a value stays well below a broker's message limit whatever the number of columns.
- `index`: per model, which panes live and which windows were scored more than once.
- `seal`: the clocks, the watermark of every model, and the offset up to which *everything* is done. It is written last.

Fencing: a value whose `absorbed` is at or past a message's offset has that message's counts in it already, and takes no
more from it. Only when the seal has passed an offset are its results known to be sent and its panes written.
"""

from typing import Protocol, TypeVar

import msgspec
import zstandard

from monitor.watermark import Clocks


class KeyValue(Protocol):
    """Read access to the state: a Faust table's store, or a plain dictionary."""

    def get(self, key: bytes, /) -> bytes | None:
        """The stored value, or None."""
        ...


class PaneId(msgspec.Struct, frozen=True, kw_only=True, array_like=True, order=True):
    """One pane of one model version, sketched on the grid of one reference."""

    start_ms: int
    version: str
    reference: str


class PaneChunk(msgspec.Struct, frozen=True, kw_only=True):
    """Some segments of a pane: segment to encoded sketch. `absorbed` is the last source offset counted in it."""

    absorbed: int
    sketches: dict[str, bytes]


class Rescored(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """How often an interval of one version was scored, where that is more than once."""

    version: str
    reference: str
    start_ms: int
    end_ms: int
    revision: int


class ModelIndex(msgspec.Struct, frozen=True, kw_only=True):
    """The living panes of a model in order of time, and its re-opened windows."""

    absorbed: int = -1
    panes: tuple[PaneId, ...] = ()
    rescored: tuple[Rescored, ...] = ()


class Seal(msgspec.Struct, frozen=True, kw_only=True):
    """Everything up to source offset `absorbed` is counted, scored and sent."""

    absorbed: int = -1
    clocks: Clocks = Clocks()
    watermarks_ms: dict[str, int] = {}


T = TypeVar("T", PaneChunk, ModelIndex, Seal)

SEAL_KEY = b"seal"
_encoder = msgspec.msgpack.Encoder()


def index_key(model: str) -> bytes:
    """The key of a model's index."""
    return _encoder.encode(("index", model))


def pane_key(model: str, pane: PaneId, chunk: int) -> bytes:
    """The key of one chunk of a pane."""
    return _encoder.encode(("pane", model, pane.version, pane.reference, pane.start_ms, chunk))


def pack(value: PaneChunk | ModelIndex | Seal) -> bytes:
    """A state value as bytes."""
    return zstandard.ZstdCompressor(level=1).compress(_encoder.encode(value))


def unpack(data: bytes, kind: type[T]) -> T:
    """The state value in `data`."""
    return msgspec.msgpack.decode(zstandard.ZstdDecompressor().decompress(data), type=kind)


def read(state: KeyValue, key: bytes, kind: type[T], default: T) -> T:
    """The value under `key`, or `default`."""
    data = state.get(key)
    return default if data is None else unpack(data, kind)
