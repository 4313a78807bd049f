"""Rejects as messages: headers and body come back, and nothing else gets in."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.batches import rows_of

from sinks.errors import BadRecord, NewerRecord
from sinks.records import RECORDS, Reject, decode_reject, encode_reject, rejects_batch

REJECT = RECORDS["reject"]
rejects = rows_of(REJECT).map(lambda row: Reject(**row))
GOOD = [
    ("schema_version", b"1"), ("model", b""), ("reason", b"schema"), ("source_topic", b"t"), ("source_partition", b"0"),
    ("source_offset", b"7"), ("event_index", b"0"), ("detail", b""), ("time_ms", b"5"),
]  # fmt: skip


def test_a_reject_has_the_fields_of_its_record() -> None:
    assert Reject.__struct_fields__ == tuple(field.name for field in REJECT.fields)


@settings(deadline=None)
@given(rejects)
def test_a_reject_comes_back_from_headers_and_body(reject: Reject) -> None:
    assert decode_reject(*encode_reject(reject)) == reject


def test_a_reject_of_a_tombstone_has_no_bytes_and_unknown_headers_are_passed_over() -> None:
    headers, _ = encode_reject(
        Reject(
            model="",
            reason="undecodable",
            source_topic="t",
            source_partition=0,
            source_offset=1,
            event_index=0,
            detail="",
            time_ms=5,
            raw=b"x",
        )
    )
    assert decode_reject([("traceparent", b"00"), *headers, ("empty", None)], None).raw == b""


@pytest.mark.parametrize(
    "name", ["model", "reason", "source_topic", "source_offset", "event_index", "time_ms", "schema_version"]
)
@pytest.mark.parametrize("value", [None, b"\xff"])
def test_a_reject_with_a_missing_or_broken_header_is_a_bad_record(name: str, value: bytes | None) -> None:
    decode_reject(GOOD, b"")
    with pytest.raises(BadRecord):
        decode_reject([(key, value if key == name else kept) for key, kept in GOOD], b"")


def test_a_reject_without_headers_is_a_bad_record() -> None:
    with pytest.raises(BadRecord):
        decode_reject(None, b"{}")


def test_a_reject_of_a_later_version_is_newer_and_not_corrupt() -> None:
    with pytest.raises(NewerRecord, match="version 2"):
        decode_reject([*GOOD[1:], ("schema_version", b"2")], b"")


@settings(deadline=None)
@given(st.lists(rejects, max_size=4))
def test_rejects_become_one_batch_of_their_record(given_rejects: list[Reject]) -> None:
    batch = rejects_batch(given_rejects)
    assert batch.schema == REJECT.schema
    assert batch.to_pylist() == [msgspec.structs.asdict(reject) for reject in given_rejects]
