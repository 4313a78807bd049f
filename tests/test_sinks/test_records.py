"""The wire format of results and rejects: everything comes back, and nothing else gets in."""

import contextlib
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.errors import BadRecord
from sinks.records import (
    FIRST_MS,
    LAST_MS,
    ColumnProfile,
    DriftScore,
    LateDropped,
    Reject,
    ResultBatch,
    decode_reject,
    decode_results,
    encode_reject,
    encode_results,
)

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
anything = st.text(st.characters(), max_size=12)  # with lone surrogates
counts = st.one_of(st.integers(0, 300), st.integers(0, 2**63 - 1))
times = st.integers(FIRST_MS, LAST_MS)
floats = st.one_of(st.floats(), st.sampled_from([math.nan, -0.0, math.inf, -math.inf, 5e-324]))
offsets = st.integers(-(2**63), 2**63 - 1)


def scores(of: st.SearchStrategy[str] = text) -> st.SearchStrategy[DriftScore]:
    names = ("model", "version", "reference", "segment", "column", "method")
    figures = ("statistic", "p_value", "q_value", "threshold", "error_bound")
    return st.builds(
        DriftScore,
        **dict.fromkeys(names, of),
        **dict.fromkeys(figures, floats),
        **dict.fromkeys(("window_start_ms", "window_end_ms"), times),
        **dict.fromkeys(("n_reference", "n_current", "revision"), counts),
        drifted=st.booleans(),
        insufficient=st.booleans(),
    )


def profiles(of: st.SearchStrategy[str] = text) -> st.SearchStrategy[ColumnProfile]:
    return st.builds(
        ColumnProfile,
        **dict.fromkeys(("model", "version", "reference", "segment", "column", "kind"), of),
        **dict.fromkeys(("minimum", "maximum", "mean", "std"), floats),
        **dict.fromkeys(("pane_start_ms", "pane_end_ms"), times),
        **dict.fromkeys(("n", "nulls", "invalid", "revision"), counts),
        quantiles=st.lists(floats, max_size=5),
        counts=st.lists(counts, max_size=8),
        frequent_unseen=st.lists(st.tuples(of, counts, counts), max_size=3),
    )


def late(of: st.SearchStrategy[str] = text) -> st.SearchStrategy[LateDropped]:
    return st.builds(
        LateDropped,
        model=of,
        version=of,
        pane_start_ms=times,
        n=counts,
        source_topic=of,
        source_partition=st.integers(0, 2**31 - 1),
        source_offset=offsets,
    )


def batches(of: st.SearchStrategy[str] = text) -> st.SearchStrategy[ResultBatch]:
    return st.builds(
        ResultBatch,
        source_topic=of,
        source_partition=st.integers(0, 2**31 - 1),
        source_offset=offsets,
        scores=st.lists(scores(of), max_size=3),
        profiles=st.lists(profiles(of), max_size=3),
        late=st.lists(late(of), max_size=3),
    )


rejects = st.builds(
    Reject,
    model=text,
    reason=text,
    source_topic=text,
    source_partition=st.integers(0, 2**31 - 1),
    source_offset=offsets,
    index=st.integers(0, 2**32 - 1),
    detail=text,
    time_ms=times,
    raw=st.binary(max_size=50),
)

SCORE = DriftScore(
    model="flight-delay",
    version="3",
    reference="ab",
    segment="",
    column="distance",
    method="psi",
    window_start_ms=0,
    window_end_ms=3_600_000,
    statistic=0.3,
    p_value=0.001,
    q_value=0.002,
    threshold=0.2,
    drifted=True,
    insufficient=False,
    n_reference=27_004,
    n_current=812,
    error_bound=0.0,
    revision=1,
)


def one(**changes: Any) -> bytes:
    row = {**msgspec.to_builtins(SCORE), **changes}
    batch = {"schema_version": 1, "source_topic": "t", "source_partition": 0, "source_offset": 0, "scores": [row]}
    return msgspec.msgpack.encode(batch)


@given(batches())
def test_a_batch_comes_back_whole(batch: ResultBatch) -> None:
    # repr tells NaN from NaN no different, and 0.0 from -0.0.
    assert repr(decode_results(encode_results(batch))) == repr(batch)


@given(batches(anything))
def test_text_without_a_utf8_form_never_stops_a_batch(batch: ResultBatch) -> None:
    back = decode_results(encode_results(batch))
    assert [len(row.column) for row in back.scores] == [len(row.column) for row in batch.scores]
    assert [row.counts for row in back.profiles] == [row.counts for row in batch.profiles]


def test_a_lone_surrogate_becomes_the_replacement_character_and_a_pair_of_halves_is_left_alone() -> None:
    batch = ResultBatch(source_topic="a\ud800b\U0001f600", source_partition=0, source_offset=0)
    assert decode_results(encode_results(batch)).source_topic == "a\ufffdb\U0001f600"


@given(st.binary(max_size=60))
def test_any_bytes_give_a_batch_or_bad_record(data: bytes) -> None:
    with contextlib.suppress(BadRecord):
        decode_results(data)


@given(batches(), st.integers(0, 10_000))
def test_a_truncated_message_is_a_bad_record(batch: ResultBatch, cut: int) -> None:
    data = encode_results(batch)
    with pytest.raises(BadRecord):
        decode_results(data[: cut % len(data)])


def test_deep_nesting_is_a_bad_record() -> None:
    with pytest.raises(BadRecord):
        decode_results(b"\x81\xa1x" + b"\x91" * 100_000)


@pytest.mark.parametrize(
    "changes",
    [
        {"n_current": -1},
        {"n_current": 2**63},
        {"n_current": 1.5},
        {"window_start_ms": FIRST_MS - 1},
        {"window_end_ms": LAST_MS + 1},
        {"statistic": "0.3"},
        {"statistic": None},
        {"drifted": 1},
        {"type": "column_profile"},
        {"column": None},
    ],
)
def test_a_value_outside_the_contract_is_a_bad_record(changes: dict[str, Any]) -> None:
    decode_results(one())
    with pytest.raises(BadRecord):
        decode_results(one(**changes))


def test_fields_of_a_later_release_are_passed_over() -> None:
    assert decode_results(one(severity="high")).scores == [SCORE]


def test_another_schema_version_is_a_bad_record_that_names_it() -> None:
    data = encode_results(ResultBatch(schema_version=2, source_topic="t", source_partition=0, source_offset=0))
    with pytest.raises(BadRecord, match="schema version 2"):
        decode_results(data)


def test_an_integer_beyond_64_bits_is_a_bad_record_for_the_writer() -> None:
    with pytest.raises(BadRecord):
        encode_results(ResultBatch(source_topic="t", source_partition=0, source_offset=2**64))


def test_equal_batches_give_equal_bytes() -> None:
    first = ResultBatch(source_topic="t", source_partition=0, source_offset=0, scores=[SCORE])
    second = ResultBatch(scores=[msgspec.structs.replace(SCORE)], source_offset=0, source_partition=0, source_topic="t")
    assert encode_results(first) == encode_results(second)


def test_a_row_says_its_kind() -> None:
    assert msgspec.to_builtins(SCORE)["type"] == "drift_score"


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
            index=0,
            detail="",
            time_ms=5,
            raw=b"x",
        )
    )
    assert decode_reject([("traceparent", b"00"), *headers, ("empty", None)], None).raw == b""


@pytest.mark.parametrize("name", ["model", "reason", "source_topic", "source_offset", "index", "time_ms"])
@pytest.mark.parametrize("value", [None, b"\xff"])
def test_a_reject_with_a_missing_or_broken_header_is_a_bad_record(name: str, value: bytes | None) -> None:
    good = [
        ("model", b""), ("reason", b"schema"), ("source_topic", b"t"), ("source_partition", b"0"),
        ("source_offset", b"7"), ("index", b"0"), ("detail", b""), ("time_ms", b"5"),
    ]  # fmt: skip
    decode_reject(good, b"")
    with pytest.raises(BadRecord):
        decode_reject([(key, value if key == name else kept) for key, kept in good], b"")


def test_a_reject_without_headers_is_a_bad_record() -> None:
    with pytest.raises(BadRecord):
        decode_reject(None, b"{}")
