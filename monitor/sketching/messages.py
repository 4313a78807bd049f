"""What travels on `drift.sketches`: one message of an ingest commit to one partition.

A message carries the deltas of the models that live on that partition (many versions, panes and segments at once, for a
message costs the score role far more than its bytes) and the clocks of the source partitions that the sender read. The
clocks stand in the last message of a commit: they may only be believed once everything before them is counted.
"""

import msgspec
import zstandard

from monitor.eventtime.watermark import Clock

SCHEMA_VERSION = 3
"""3: on references of format 3, which may have derived columns. 2: sketches of format 2 (`detectors.wire`), which
say what events spoke of. Older ones are read."""
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


class SketchMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One message: deltas, then clocks. `n_partitions` counts the partitions of every source topic."""

    schema_version: int = SCHEMA_VERSION
    deltas: list[Delta] = []
    clocks: list[Clock] = []
    n_partitions: dict[str, int] = {}
    sources: list[SourceRange] = []


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
