"""Messages of `drift.sketches`: what is written is read, and whatever else the bytes are is refused, never more."""

import contextlib

import msgspec
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.eventtime.watermark import Clock
from monitor.sketching.messages import (
    MAX_DECODED_BYTES,
    SCHEMA_VERSION,
    BadSketchMessage,
    Delta,
    Entry,
    NewerSketchMessage,
    SketchMessage,
    SourceRange,
    decode,
    encode,
)

# All of Unicode that UTF-8 can carry; decoding replaces lone surrogates before they come here.
texts = st.text(st.characters(exclude_categories=["Cs"]))
int64s = st.integers(-(2**63), 2**63 - 1)
entries = st.builds(Entry, version=texts, pane_start_ms=int64s, segment=texts, n=int64s, sketch=st.binary(max_size=64))
deltas = st.builds(Delta, model=texts, reference=texts, pane_ms=int64s, entries=st.lists(entries, max_size=3))
clocks = st.builds(Clock, topic=texts, partition=int64s, max_event_ms=st.none() | int64s, idle=st.booleans())
ranges = st.builds(SourceRange, topic=texts, partition=int64s, first=int64s, last=int64s)
messages = st.builds(
    SketchMessage,
    deltas=st.lists(deltas, max_size=3),
    clocks=st.lists(clocks, max_size=3),
    n_partitions=st.dictionaries(texts, int64s, max_size=3),
    sources=st.lists(ranges, max_size=3),
)

ENTRY = Entry(version="1", pane_start_ms=60_000, segment="site=north", n=7, sketch=bytes(range(256)))
FULL = SketchMessage(
    deltas=[Delta(model="m", reference="abc", pane_ms=60_000, entries=[ENTRY, ENTRY])],
    clocks=[Clock(topic="predictions", partition=3, max_event_ms=1_700_000_000_000, idle=True)],
    n_partitions={"predictions": 6},
    sources=[SourceRange(topic="predictions", partition=3, first=10, last=20)],
)
MIB = 1 << 20


def compressed(plain: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=1).compress(plain)


def stream(plain: bytes, times: int) -> bytes:
    """A frame that does not say how large it is."""
    compressor = zstandard.ZstdCompressor(level=1).compressobj()
    return b"".join(compressor.compress(plain) for _ in range(times)) + compressor.flush()


@given(messages)
def test_what_is_written_is_read(message: SketchMessage) -> None:
    assert decode(encode(message)) == message


@given(messages)
def test_equal_messages_are_equal_to_the_byte(message: SketchMessage) -> None:
    assert encode(decode(encode(message))) == encode(message)


@pytest.mark.parametrize("text", ["", "\0", "é", "日本", "🛩️", "e\u0301", "\u202e", "\U0010ffff", "a" * 100_000])
def test_names_and_segments_are_kept_to_the_code_point(text: str) -> None:
    entry = msgspec.structs.replace(ENTRY, version=text, segment=text)
    message = SketchMessage(deltas=[Delta(model=text, reference="abc", pane_ms=1, entries=[entry])])
    assert decode(encode(message)) == message


def test_a_message_whose_fields_a_later_release_added_is_read_without_them() -> None:
    fields = {"schema_version": SCHEMA_VERSION, "n_partitions": {"t": 1}, "invented_later": [1, 2]}
    assert decode(compressed(msgspec.msgpack.encode(fields))) == SketchMessage(n_partitions={"t": 1})


def test_a_later_schema_version_is_newer_and_not_corrupt() -> None:
    for fields in ({"deltas": "of another form"}, {}):
        data = compressed(msgspec.msgpack.encode({"schema_version": SCHEMA_VERSION + 1, **fields}))
        with pytest.raises(NewerSketchMessage, match=f"schema version {SCHEMA_VERSION + 1}, .* up to {SCHEMA_VERSION}"):
            decode(data)


def test_every_truncation_is_refused() -> None:
    data = encode(FULL)
    for length in range(len(data)):
        with pytest.raises(BadSketchMessage):
            decode(data[:length])


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_bytes_at_random_are_refused(data: bytes) -> None:
    with pytest.raises(BadSketchMessage):
        decode(data)


@settings(max_examples=300)
@given(st.binary(max_size=40).map(lambda tail: compressed(b"\x81\xa6deltas\x91\x94\xa2" + tail)))
def test_text_that_is_not_utf8_is_refused(data: bytes) -> None:
    with pytest.raises(BadSketchMessage):
        decode(data)


@settings(max_examples=300)
@given(st.data())
def test_a_flipped_byte_is_refused_or_read_but_never_an_error_of_another_kind(data: st.DataObject) -> None:
    raw = bytearray(msgspec.msgpack.encode(FULL))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 127))
    # The two errors that a caller waits for; the byte may be the schema version's.
    with contextlib.suppress(BadSketchMessage, NewerSketchMessage):
        assert isinstance(decode(compressed(bytes(raw))), SketchMessage)


@pytest.mark.parametrize(
    "value", [None, 7, "text", [], [1, 2], {"deltas": 7}, {"deltas": [[1]]}, {"clocks": [[b"", 0]]}, {"sources": {}}]
)
def test_what_is_no_message_is_refused(value: object) -> None:
    with pytest.raises(BadSketchMessage, match="not a sketch message"):
        decode(compressed(msgspec.msgpack.encode(value)))


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(BadSketchMessage):
        decode(compressed(b"\x81\xa1x" * 100_000))


@pytest.mark.parametrize("declared", [MAX_DECODED_BYTES + 1, 1 << 40, (1 << 63) + 1])
def test_a_frame_that_claims_to_be_huge_is_refused_before_any_memory_is_taken(declared: int) -> None:
    # RFC 8878: magic number, a descriptor that says "single segment, eight bytes of content size", that size, no block
    frame = bytes.fromhex("28b52ffd") + b"\xe0" + declared.to_bytes(8, "little") + b"\x01\x00\x00"
    with pytest.raises(BadSketchMessage):
        decode(frame)


def test_a_frame_that_hides_its_size_is_read_up_to_the_bound_and_no_further() -> None:
    assert decode(stream(msgspec.msgpack.encode(FULL), 1)) == FULL
    bomb = stream(bytes(MIB), MAX_DECODED_BYTES // MIB + 1)
    assert len(bomb) < MIB
    with pytest.raises(BadSketchMessage):
        decode(bomb)


def test_a_frame_that_lies_about_its_size_is_refused() -> None:
    honest = encode(FULL)
    size = zstandard.frame_content_size(honest)
    plain = zstandard.ZstdDecompressor().decompress(honest)
    lying = bytearray(honest)
    header = zstandard.frame_header_size(honest)
    at = honest[:header].rindex((size - 256).to_bytes(2, "little"))
    lying[at : at + 2] = (size - 256 + 10).to_bytes(2, "little")
    assert zstandard.frame_content_size(bytes(lying)) == len(plain) + 10
    with pytest.raises(BadSketchMessage):
        decode(bytes(lying))
