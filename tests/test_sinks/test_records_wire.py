"""The wire format of results: everything comes back, nothing else gets in, and newer is not corrupt."""

import contextlib
from collections.abc import Mapping
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.batches import batch_of, batches_of

from sinks.errors import BadRecord, NewerRecord
from sinks.records import FIRST_MS, LAST_MS, RECORDS, Field, Record, Source, decode, encode, record_of, source_of
from sinks.records import registry as registry_module

SOURCE = Source(topic="s.drift.sketches", partition=3, offset=2**40)
DRIFT_SCORE = RECORDS["drift_score"]
SCORE: Mapping[str, Any] = {
    "model": "flight-delay", "version": "3", "segment": "", "column": "distance", "method": "psi",
    "window_start_ms": 0, "window_end_ms": 3_600_000, "reference": "ab", "compare": "pinned", "statistic": 0.3,
    "effect": 0.29, "p_value": 0.001, "calibration": "panes", "threshold": 0.2, "n_reference": 27_004,
    "n_current": 812, "error_bound": 0.0, "revision": 1,
}  # fmt: skip


def one(**changes: Any) -> pa.RecordBatch:
    return batch_of(DRIFT_SCORE, [{**SCORE, **changes}])


def with_column(batch: pa.RecordBatch, name: str, values: pa.Array) -> pa.RecordBatch:
    """The batch with a column of another type, or one more."""
    columns = dict(zip(batch.schema.names, batch.columns, strict=True)) | {name: values}
    return pa.RecordBatch.from_pydict(columns, metadata=batch.schema.metadata)


def test_every_file_with_a_record_is_found() -> None:
    assert {"column_profile", "drift_score", "drift_verdict", "late_dropped", "reference_column", "reject"} <= set(
        RECORDS
    )
    assert all(name == record.name for name, record in RECORDS.items())


@pytest.mark.parametrize("name", list(RECORDS))
def test_a_record_says_what_every_field_means_and_what_is_its_key(name: str) -> None:
    record = RECORDS[name]
    assert all(field.meaning and not field.meaning.endswith(".") for field in record.fields)
    assert len({field.name for field in record.fields}) == len(record.fields)
    keys = [field.key for field in record.fields]
    assert keys == sorted(keys, reverse=True), "the key comes first: it is ClickHouse's sorting key"
    assert any(keys)


@pytest.mark.parametrize("name", list(RECORDS))
@settings(deadline=None)
@given(data=st.data())
def test_a_batch_comes_back_whole(name: str, data: st.DataObject) -> None:
    batch = data.draw(batches_of(RECORDS[name]))
    back = decode(encode(batch, SOURCE))
    # repr tells NaN from NaN no different, and 0.0 from -0.0.
    assert repr(back.to_pylist()) == repr(batch.to_pylist())
    assert back.schema.equals(batch.schema)
    assert record_of(back) is RECORDS[name]
    assert source_of(back) == SOURCE


@settings(deadline=None)
@given(st.data())
def test_equal_batches_give_equal_bytes(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(RECORDS)))
    batch = data.draw(batches_of(RECORDS[name]))
    again = batch_of(RECORDS[name], batch.to_pylist())
    assert encode(again, SOURCE) == encode(batch, SOURCE)


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_give_a_batch_or_bad_record(data: bytes) -> None:
    with contextlib.suppress(BadRecord):
        decode(data)


@settings(deadline=None)
@given(st.data())
def test_a_truncated_message_is_a_bad_record(data: st.DataObject) -> None:
    whole = encode(data.draw(batches_of(DRIFT_SCORE)), SOURCE)
    with pytest.raises(BadRecord):
        decode(whole[: data.draw(st.integers(0, len(whole) - 1))])


@settings(deadline=None)
@given(st.data())
def test_a_damaged_message_gives_a_batch_or_bad_record(data: st.DataObject) -> None:
    whole = bytearray(encode(one(), SOURCE))
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(BadRecord, NewerRecord):
        decode(bytes(whole))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("n_current", pa.array([-1], pa.int64())),
        ("n_current", pa.array([1.5])),
        ("n_current", pa.array([None], pa.uint64())),
        ("window_start_ms", pa.array([FIRST_MS - 1])),
        ("window_end_ms", pa.array([LAST_MS + 1])),
        ("statistic", pa.array(["0.3"])),
        ("statistic", pa.array([None], pa.float64())),
        ("effect", pa.array([1])),
        ("column", pa.array([None], pa.dictionary(pa.int32(), pa.string()))),
        ("column", pa.array(["distance"])),
    ],
)
def test_a_value_outside_the_contract_is_a_bad_record(name: str, values: pa.Array) -> None:
    assert decode(encode(one(), SOURCE)).num_rows == 1
    with pytest.raises(BadRecord, match=name):
        decode(encode(with_column(one(), name, values), SOURCE))


def test_a_missing_field_of_the_first_version_is_a_bad_record() -> None:
    with pytest.raises(BadRecord, match="'method'"):
        decode(encode(one().drop_columns(["method"]), SOURCE))


def test_an_arrow_stream_of_someone_else_is_a_bad_record() -> None:
    with pytest.raises(BadRecord, match="no record of ours"):
        decode(encode(one().replace_schema_metadata({}), SOURCE))


def test_two_batches_in_one_message_are_a_bad_record() -> None:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, one().schema) as writer:
        writer.write_batch(one())
        writer.write_batch(one())
    with pytest.raises(BadRecord, match="one whole batch"):
        decode(sink.getvalue().to_pybytes())


def test_fields_of_a_later_release_are_passed_over() -> None:
    batch = with_column(one(), "severity", pa.array(["high"]))
    assert decode(encode(batch, SOURCE)).to_pylist() == [SCORE]


@pytest.mark.parametrize(
    "field",
    [
        Field(name="power", type=pa.float64(), meaning="to find it", default=0.0),
        Field(name="source", type=pa.dictionary(pa.int32(), pa.string()), meaning="which", default="a book"),
        Field(name="ranks", type=pa.list_(pa.uint64()), meaning="of the columns", default=[]),
    ],
)
def test_a_message_of_the_release_before_has_the_default_of_a_field_that_is_new(
    monkeypatch: pytest.MonkeyPatch, field: Field
) -> None:
    before = encode(one(), SOURCE)
    know(monkeypatch, msgspec.structs.replace(DRIFT_SCORE, fields=(*DRIFT_SCORE.fields, field)))
    assert decode(before).to_pylist() == [{**SCORE, field.name: field.default}]


def test_a_later_version_is_newer_and_not_corrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as later:
        record = msgspec.structs.replace(DRIFT_SCORE, version=3)
        know(later, record)
        newer = encode(batch_of(record, [SCORE]), SOURCE)
        assert decode(newer).num_rows == 1
    with pytest.raises(NewerRecord, match=r"version 3 of .*'drift_score'.* reads up to 2") as caught:
        decode(newer)
    assert caught.value.version == 3


def test_a_record_that_this_release_does_not_know_is_newer() -> None:
    other = Record(
        name="verdict", table="verdicts", meaning="Later.", fields=(Field(name="n", type=pa.uint64(), meaning="n"),)
    )
    with pytest.raises(NewerRecord, match="'verdict'"):
        decode(encode(batch_of(other, [{"n": 1}]), SOURCE))


def know(monkeypatch: pytest.MonkeyPatch, record: Record) -> None:
    """Let this release have another form of a record."""
    changed = {**RECORDS, record.name: record}
    for module in ("registry", "wire"):
        monkeypatch.setattr(f"sinks.records.{module}.records", lambda: changed)
    assert registry_module.records()[record.name] is record
