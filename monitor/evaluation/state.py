"""What the score role keeps, and how it lies in a key-value table.

One partition of `drift.sketches` has one set of keys, and nothing else writes them:

- `pane`: the sketches of some segments of one pane, with the source offset they have absorbed. Segments are grouped so
  that a value stays well below a broker's message limit whatever the number of columns.
- `part`: per model and stretch of time, which panes live and which intervals were scored more than once.
- `index`: per model, which parts there are (`monitor.evaluation.panes`).
- `trail`: the sums of panes that no window needs any more, and `trails`, per model, which there are
  (`monitor.evaluation.trail`).
- `matched`: the matches of some segments of one pane of predictions, `labelled`: per model, what waits for label time
  to go on, and `errors`: per version, the errors by label time (`monitor.evaluation.performance_state`).
- `features`: per model, which pairs wait for label time to go on (`monitor.evaluation.feature_skew_turn`).
- `parked`: what one message brought of a model whose reference is missing (`monitor.evaluation.parking`).
- `seal`: the clocks, the watermark of every model, and the offset up to which *everything* is done. It is written last.

Fencing: a value whose `absorbed` is at or past a message's offset has that message's counts in it already, and takes no
more from it. Only when the seal has passed an offset are its results known to be sent and its panes written. What the
join sent is fenced by the name of its block besides: it may be sent again under another offset.
"""

from typing import Protocol, TypeVar

import msgspec
import zstandard

from monitor.eventtime.watermark import Clocks
from monitor.sketching.feature_skew import FeatureSkewDelta
from monitor.sketching.messages import Delta, PerformanceDelta


class KeyValue(Protocol):
    """Read access to the state: a Faust table's store, or a plain dictionary."""

    def get(self, key: bytes, /) -> bytes | None:
        """The stored value, or None."""
        ...


class PaneId(msgspec.Struct, frozen=True, kw_only=True, array_like=True, order=True):
    """One pane of one model version, sketched on the grid of one reference.

    `pane_ms` is its length: another than the model's now when `windows` were changed since. `n_chunks` is how many
    values hold its segments, so that it can be removed when its reference is gone.
    """

    start_ms: int
    pane_ms: int
    version: str
    reference: str
    n_chunks: int

    @property
    def end_ms(self) -> int:
        """Its end, exclusive."""
        return self.start_ms + self.pane_ms


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


class PartId(msgspec.Struct, frozen=True, kw_only=True, array_like=True, order=True):
    """A stretch of time in the index: `PANES_A_PART` panes of `pane_ms`, from `start_ms`."""

    start_ms: int
    pane_ms: int

    @classmethod
    def at(cls, time_ms: int, pane_ms: int) -> "PartId":
        """The stretch that holds an instant."""
        span_ms = pane_ms * PANES_A_PART
        return cls(start_ms=time_ms // span_ms * span_ms, pane_ms=pane_ms)

    @property
    def end_ms(self) -> int:
        """Its end, exclusive."""
        return self.start_ms + self.pane_ms * PANES_A_PART


class IndexPart(msgspec.Struct, frozen=True, kw_only=True):
    """The living panes that start in a stretch of time, and the re-opened intervals whose last millisecond lies in it.

    An interval is a window, or a pane that was profiled.
    """

    absorbed: int = -1
    panes: tuple[PaneId, ...] = ()
    rescored: tuple[Rescored, ...] = ()


class ModelIndex(msgspec.Struct, frozen=True, kw_only=True):
    """Which parts a model has.

    `removed` and `gone` are the panes and parts that the message at `absorbed` took away: were it repeated, nothing
    else would tell that the changelog has to hear of it. `lateness_ms` and `horizon_ms` are the model's, for when the
    configuration has it no longer. `versions` has the end of the latest pane of each version that is told apart.
    """

    absorbed: int = -1
    parts: tuple[PartId, ...] = ()
    removed: tuple[PaneId, ...] = ()
    gone: tuple[PartId, ...] = ()
    lateness_ms: int = 0
    horizon_ms: int = 0
    versions: dict[str, int] = {}


class BlockId(msgspec.Struct, frozen=True, kw_only=True, array_like=True, order=True):
    """Panes of all versions on one reference, added up once no window needs them: see `monitor.evaluation.trail`."""

    start_ms: int
    block_ms: int
    reference: str
    n_chunks: int


class TrailIndex(msgspec.Struct, frozen=True, kw_only=True):
    """Which blocks a model has."""

    blocks: tuple[BlockId, ...] = ()


class ParkedShare(msgspec.Struct, frozen=True, kw_only=True):
    """What the message at `offset` brought of a model that waits. `low_ms`: the smallest clock before the message;
    `label_low_ms`: the smallest clock of label time, likewise."""

    offset: int
    low_ms: int | None
    deltas: list[Delta]
    performance: list[PerformanceDelta] = []
    features: list[FeatureSkewDelta] = []
    label_low_ms: int | None = None


class Parked(msgspec.Struct, frozen=True, kw_only=True):
    """A model that waits for the `reference` of this digest, with its shares numbered `[first, next)`."""

    reference: str
    first: int = 0
    next: int = 0


STATE_VERSION = 4
"""Of all values of the state. The seal says it: every transaction writes one, so it is that of the last writer.

4: performance, and what is known of blocks. 3: blocks of trailing panes. 2: sketches of format 2, models that wait,
    versions that are told apart. What has 1 to 3 is read.
"""


class NewerState(Exception):  # noqa: N818 - the name says what it is
    """A later release has written this partition's state. Stop: an upgraded worker goes on with it."""

    def __init__(self, version: int) -> None:
        super().__init__(f"the state has version {version}, and this release reads up to {STATE_VERSION}")
        self.version = version


class Seal(msgspec.Struct, frozen=True, kw_only=True):
    """Everything up to source offset `absorbed` is counted, scored and sent.

    `blocks` has of each partition of `drift.joins` the last block that is counted: its offset, and which part of it.
    `label_clocks` say how far label time is complete in these partitions, and `label_ms` for each model.
    """

    schema_version: int = STATE_VERSION
    absorbed: int = -1
    clocks: Clocks = Clocks()
    watermarks_ms: dict[str, int] = {}
    parked: dict[str, Parked] = {}
    blocks: dict[int, tuple[int, int]] = {}
    label_clocks: Clocks = Clocks()
    label_ms: dict[str, int] = {}


class _Version(msgspec.Struct, frozen=True, kw_only=True):
    """What the seal of every release has, whatever else it holds."""

    schema_version: int = STATE_VERSION


T = TypeVar("T", bound=msgspec.Struct)

SEAL_KEY = b"seal"
PANES_A_PART = 64
"""A message reads and writes the parts it touches: few enough that they are small, many enough that the index is."""

_encoder = msgspec.msgpack.Encoder()


def index_key(model: str) -> bytes:
    """The key of a model's index."""
    return _encoder.encode(("index", model))


def pane_key(model: str, pane: PaneId, chunk: int) -> bytes:
    """The key of one chunk of a pane."""
    return _encoder.encode(("pane", model, pane, chunk))


def pane_keys(model: str, pane: PaneId) -> list[bytes]:
    """The keys of all chunks of a pane."""
    return [pane_key(model, pane, chunk) for chunk in range(pane.n_chunks)]


def part_key(model: str, part: PartId) -> bytes:
    """The key of a part of a model's index."""
    return _encoder.encode(("part", model, part))


def trail_key(model: str) -> bytes:
    """The key of the index of a model's blocks."""
    return _encoder.encode(("trails", model))


def block_key(model: str, block: BlockId, chunk: int) -> bytes:
    """The key of one chunk of a block."""
    return _encoder.encode(("trail", model, block, chunk))


def parked_key(model: str, number: int) -> bytes:
    """The key of one share of a model that waits."""
    return _encoder.encode(("parked", model, number))


def pack(value: msgspec.Struct) -> bytes:
    """A state value as bytes."""
    return zstandard.ZstdCompressor(level=1).compress(_encoder.encode(value))


def unpack(data: bytes, kind: type[T]) -> T:
    """The state value in `data`."""
    return msgspec.msgpack.decode(zstandard.ZstdDecompressor().decompress(data), type=kind)


def read(state: KeyValue, key: bytes, kind: type[T], default: T) -> T:
    """The value under `key`, or `default`."""
    data = state.get(key)
    return default if data is None else unpack(data, kind)


def read_seal(state: KeyValue) -> Seal:
    """A partition's seal; an empty one at the beginning. Raises `NewerState`."""
    data = state.get(SEAL_KEY)
    if data is None:
        return Seal()
    plain = zstandard.ZstdDecompressor().decompress(data)
    version = msgspec.msgpack.decode(plain, type=_Version).schema_version
    if version > STATE_VERSION:
        raise NewerState(version)
    return msgspec.msgpack.decode(plain, type=Seal)
