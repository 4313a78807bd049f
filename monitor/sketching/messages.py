"""What travels on `drift.sketches`: one message of an ingest commit to one partition.

A message carries the deltas of the models that live on that partition (many versions, panes and segments at once, for a
message costs the score role far more than its bytes) and the clocks of the source partitions that the sender read. The
clocks stand in the last message of a commit: they may only be believed once everything before them is counted.

What people and pipelines say (`drift.controls`) travels here too, in the order in which ingest read it: decisions have
one input, and what they make of it can be repeated.

The join sends on the same topic, on the partition where the model lives, what the matches of one block of `drift.joins`
say of performance and of feature skew, and on every partition how far label time is complete.
"""

import msgspec
import zstandard

from monitor.decisions.controls import Control
from monitor.eventtime.watermark import Clock
from monitor.sketching.feature_skew import FeatureSkewDelta

SCHEMA_VERSION = 4
"""4: performance deltas, the block that they came from, clocks of label time, controls, and what is in no sketch. 3: on
references of format 3, which may have derived columns. 2: sketches of format 2 (`detectors.wire`), which say what
events spoke of. Older ones are read."""
# A message decompresses to at most this: a corrupt or hostile frame must not take the worker's memory.
MAX_DECODED_BYTES = 256 * 1024 * 1024


class BadSketchMessage(ValueError):  # noqa: N818 - the name says what it is
    """The bytes are not a message of `drift.sketches`. Drop it and count it."""


class NewerSketchMessage(Exception):  # noqa: N818 - likewise
    """A later release wrote the message. Stop, and leave it unread: an upgraded worker reads it."""

    def __init__(self, version: int) -> None:
        super().__init__(f"a sketch message of schema version {version}, and this release reads up to {SCHEMA_VERSION}")
        self.version = version


class Entry(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The sketch of one version, pane and segment. `n` is its number of events, readable without decoding `sketch`."""

    version: str
    pane_start_ms: int
    segment: str
    n: int
    sketch: bytes


class Delta(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """New counts of one model. `reference` is the digest of the reference whose grid the sketches lie on."""

    model: str
    reference: str
    pane_ms: int
    entries: list[Entry]


class SourceRange(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Offsets `[first, last]` of one source partition that the commit absorbed."""

    topic: str
    partition: int
    first: int
    last: int


class PerformanceEntry(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Matches of one version, pane of predictions, pane of labels and segment; negative where labels were corrected.

    Attributes
    ----------
    pane_start_ms: of the predictions' pane.
    label_pane_ms: where the labels' pane starts, in label time; of what is taken back, that of the label which does so.
    n: matches, less those taken back.
    sketch: an encoded `detectors.performance.sketch.PerformanceSketch`.
    delays: of the whole only: by cell of `detectors.performance.delay.EDGES_MS`, labels by their delay.
    """

    version: str
    pane_start_ms: int
    label_pane_ms: int
    segment: str
    n: int
    sketch: bytes
    delays: dict[int, int] = {}


class ErrorSums(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Errors and losses as whole numbers, so that they add up to the bit.

    Attributes
    ----------
    n_said, n_wrong: matches whose prediction named a class, and those that named another than the label's.
    n_loss: matches with a loss; `loss` and `squares` are the sums of their losses and squared losses in units of
        `detectors.performance.sketch.UNIT`.
    """

    n_said: int = 0
    n_wrong: int = 0
    n_loss: int = 0
    loss: int = 0
    squares: int = 0

    def __add__(self, other: "ErrorSums") -> "ErrorSums":
        return ErrorSums(
            n_said=self.n_said + other.n_said,
            n_wrong=self.n_wrong + other.n_wrong,
            n_loss=self.n_loss + other.n_loss,
            loss=self.loss + other.loss,
            squares=self.squares + other.squares,
        )


class ErrorEntry(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What the labels of one pane of label time say of one version."""

    version: str
    label_pane_ms: int
    sums: ErrorSums


class PerformanceDelta(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """New matches of one model, in the cells of the space of the reference with this digest."""

    model: str
    reference: str
    pane_ms: int
    entries: list[PerformanceEntry] = []
    errors: list[ErrorEntry] = []


class UnreadCounts(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What of one model's events in one pane is in no sketch.

    Attributes
    ----------
    rejects: by reason, events that were rejected. One counts at its own time where that could be read, else at the time
        that Kafka holds for its message, which stays the same when it is read again.
    n_looked: events that were looked at for features that the reference does not know, one in
        `monitor.events.looked.ONE_IN`.
    features: by name of such a feature, how many of them have it.
    nameless: by reason, rejected events that name no model, where several models are configured: they may be any's.
    """

    model: str
    pane_start_ms: int
    rejects: dict[str, int] = {}
    n_looked: int = 0
    features: dict[str, int] = {}
    nameless: dict[str, int] = {}


class BlockName(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Which message of `drift.joins` matches came from: it stays the same when they are sent again.

    `part` numbers the messages that one partition of `drift.sketches` is sent of it.
    """

    partition: int
    offset: int
    part: int = 0


class SketchMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One message: deltas, then clocks. `n_partitions` counts the partitions of every source topic.

    `block` names where the deltas in `performance` and `features` came from. `label_clocks` say of partitions of
    `drift.joins` how far label time is complete there, and `n_label_partitions` how many of them there are.
    """

    schema_version: int = SCHEMA_VERSION
    deltas: list[Delta] = []
    clocks: list[Clock] = []
    n_partitions: dict[str, int] = {}
    sources: list[SourceRange] = []
    performance: list[PerformanceDelta] = []
    features: list[FeatureSkewDelta] = []
    block: BlockName | None = None
    label_clocks: list[Clock] = []
    n_label_partitions: dict[str, int] = {}
    controls: list[Control] = []
    unread: list[UnreadCounts] = []


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(SketchMessage)


class _Version(msgspec.Struct, frozen=True, kw_only=True):
    """What every schema has, whatever else it holds."""

    schema_version: int


_version_decoder = msgspec.msgpack.Decoder(_Version)


def encode(message: SketchMessage) -> bytes:
    """The message as zstd-compressed MessagePack."""
    return zstandard.ZstdCompressor(level=1).compress(_encoder.encode(message))


def decode(data: bytes) -> SketchMessage:
    """The message in `data`, of this schema or an earlier one.

    Raises `BadSketchMessage` when it is not a message, `NewerSketchMessage` when it is of a later schema.
    """
    try:
        if zstandard.frame_content_size(data) > MAX_DECODED_BYTES:
            raise BadSketchMessage(f"larger than {MAX_DECODED_BYTES} bytes when decompressed")
        plain = zstandard.ZstdDecompressor().decompress(data, max_output_size=MAX_DECODED_BYTES)
        version = _version_decoder.decode(plain).schema_version
        if version > SCHEMA_VERSION:
            raise NewerSketchMessage(version)
        return _decoder.decode(plain)
    except (zstandard.ZstdError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadSketchMessage(f"not a sketch message: {error}") from error
