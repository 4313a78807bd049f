"""In which portions messages are decoded and committed, so that what they become fits into memory."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.events.arrow.decoder import rows_of
from monitor.kafka import groups
from monitor.kafka.groups import groups_of


def arrow(*n_rows: int, file: bool = False, **options: str) -> bytes:
    sink = pa.BufferOutputStream()
    schema = pa.schema([("timestamp", pa.int64())])
    new = pa.ipc.new_file if file else pa.ipc.new_stream
    with new(sink, schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        for n in n_rows:
            writer.write_batch(pa.record_batch([pa.array([1_700_000_000_000] * n, pa.int64())], schema=schema))
    return bytes(sink.getvalue())


def sizes(*raws: bytes | None) -> list[int]:
    found = groups_of(raws)
    return [group.stop - group.start for group in found]


def test_the_rows_of_arrow_are_known_without_decoding_it() -> None:
    for options in ({}, {"compression": "zstd"}):
        for file in (False, True):
            assert rows_of(arrow(3, 0, 1_000, file=file, **options)) == 1_003
    assert rows_of(arrow(5) + arrow(6)) == 11
    for bad in (b"", b"{}", b"ARROW1", arrow(5)[:-40], b"\xff" * 100):
        assert rows_of(bad) == 0


def test_usual_messages_are_one_group() -> None:
    assert sizes() == [0]
    assert sizes(*[b'{"timestamp": 1700000000000}' + b" " * 420] * 50_000) == [50_000]
    assert sizes(*[b" " + b"x" * 449, b"", None, b"[]"] * 10_000) == [40_000]
    assert sizes(*[arrow(5_000)] * 50) == [50]


def test_few_messages_of_many_events_are_several_groups() -> None:
    packed = arrow(100_000, compression="zstd")
    assert len(packed) < 10_000
    assert sizes(*[packed] * 7) == [2, 2, 2, 1]
    assert sizes(b"{}", packed, arrow(1_000_000, compression="zstd"), b"{}") == [2, 1, 1]
    assert sizes(*[b"[" + b" " * 8_000_000 + b"]"] * 8) == [4, 4]


@settings(deadline=None)  # the first call compiles
@given(st.lists(st.none() | st.sampled_from([b"", b"{}", b"[" + b" " * 700, b"x" * 300, arrow(9), arrow(4)])))
def test_groups_tile_the_messages_and_hold_what_fits_or_one(raws: list[bytes | None]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(groups, "MAX_EVENTS", 10)
        found = groups_of(raws)
    assert [at for group in found for at in range(group.start, group.stop)] == list(range(len(raws)))
    for group in found:
        own = [groups._events(raw or b"") for raw in raws[group]]
        assert sum(own) <= 10 or len(own) == 1
