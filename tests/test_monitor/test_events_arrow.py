"""Arrow messages and flat tables: the same columns as the same events in JSON."""

import datetime
import json
import math
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.columns import ABSENT, CODE_ABSENT, CODE_INVALID, CODE_NULL, Column, Kind
from detectors.layout import Layout
from monitor.events.arrow.decoder import ArrowDecoder
from monitor.events.arrow.table import decode_table
from monitor.events.batch import Batch, Decoded
from monitor.events.decoder import MessageDecoder, choose
from monitor.events.json.decoder import JsonDecoder
from monitor.events.models import Limits, ModelSpec
from monitor.events.reasons import Reason

NOW_MS = 1_700_000_000_000
TIME_MS = NOW_MS - 1000
FLIGHTS = ModelSpec(
    name="flights",
    layout=Layout(
        [
            Column(name="distance", kind=Kind.NUMERIC, edges=(0.0,)),
            Column(name="@score", kind=Kind.NUMERIC, edges=(0.5,)),
            Column(name="carrier", kind=Kind.CATEGORICAL, categories=("UA", "1", "true", "1.5")),
            Column(name="@label", kind=Kind.CATEGORICAL, categories=("late", "on-time")),
        ]
    ),
    dimensions={"origin": ("EWR", "JFK"), "carrier": ("UA", "1"), "distance": ("1", "2")},
)
OTHER = ModelSpec(name="other", layout=Layout([Column(name="x", kind=Kind.NUMERIC, edges=(0.0,))]))


def batch_of(n: int = 3, **columns: Any) -> pa.RecordBatch:
    base: dict[str, Any] = {
        "timestamp": [TIME_MS + i for i in range(n)],
        "distance": [1.0, 2.0, None][:n],
        "carrier": ["UA", "ZZ", None][:n],
        "origin": ["EWR", "LGA", None][:n],
        "score": [0.1, 0.2, 0.3][:n],
        "label": ["late", "on-time", None][:n],
        "version": ["1", "2", "1"][:n],
    }
    base.update(columns)
    return pa.RecordBatch.from_pydict({name: column for name, column in base.items() if column is not ...})


def stream(
    *batches: pa.RecordBatch, file: bool = False, metadata: dict[str, str] | None = None, **options: Any
) -> bytes:
    sink = pa.BufferOutputStream()
    schema = batches[0].schema.with_metadata(metadata)
    new = pa.ipc.new_file if file else pa.ipc.new_stream
    with new(sink, schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        for batch in batches:
            writer.write_batch(batch.replace_schema_metadata(metadata))
    return bytes(sink.getvalue())


def decode(*messages: bytes | None, models: Any = (FLIGHTS,), role: Any = "predictions", **limits: int) -> Decoded:
    decoded = ArrowDecoder(models, Limits(**limits)).decode(messages, role, NOW_MS)
    assert decoded.n_events == sum(batch.n for batch in decoded.batches) + len(decoded.rejects)
    return decoded


def only(decoded: Decoded) -> Batch:
    assert not decoded.rejects
    (batch,) = decoded.batches
    return batch


def column(name: str, values: Any) -> Any:
    columns: dict[str, Any] = dict.fromkeys(("origin", "score", "label", "version", "distance", "carrier"), ...)
    batch = only(decode(stream(batch_of(len(values), **{**columns, name: values}))))
    return batch.numeric[0] if name == "distance" else batch.codes[0]


def test_a_stream_becomes_rows() -> None:
    batch = only(decode(stream(batch_of(), batch_of(2)), stream(batch_of(1))))
    assert batch.sources.tolist() == [0, 0, 0, 0, 0, 1]
    assert batch.timestamps_ms[:3].tolist() == [TIME_MS, TIME_MS + 1, TIME_MS + 2]
    np.testing.assert_array_equal(batch.numeric[:, :3], [[1.0, 2.0, math.nan], [0.1, 0.2, 0.3]])
    assert batch.codes[:, :3].tolist() == [[0, 5, CODE_NULL], [0, 1, CODE_NULL]]
    assert batch.segments[:, :3].tolist() == [[0, 2, 2], [0, 2, 2], [0, 1, 2]]
    assert batch.unseen == {0: [(1, "ZZ"), (4, "ZZ")]}
    assert [batch.versions[code] for code in batch.version_codes] == ["1", "2", "1", "1", "2", "1"]


@pytest.mark.parametrize("options", [{"compression": "zstd"}, {"compression": "lz4"}, {}])
@pytest.mark.parametrize("file", [False, True])
def test_files_and_compressed_buffers_are_read(file: bool, options: Any) -> None:
    assert only(decode(stream(batch_of(), file=file, **options))).n == 3


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, math.nan, math.inf, -math.inf, None], [1.0, math.inf, math.inf, math.inf, math.nan]),
        (pa.array([1, None, 3], pa.int8()), [1.0, math.nan, 3.0]),
        (pa.array([2**64 - 1], pa.uint64()), [float(2**64 - 1)]),
        (pa.array([1.5, None], pa.float32()), [1.5, math.nan]),
        (pa.array([np.float16(1.5), None], pa.float16()), [1.5, math.nan]),
        ([Decimal("1.25"), None], [1.25, math.nan]),
        (["1", "", None], [math.inf, math.nan, math.nan]),
        ([True, False, None], [1.0, 0.0, math.nan]),
        ([[1], None], [math.inf, math.nan]),
        ([None, None], [math.nan, math.nan]),
        (pa.array([1.0, None, 1.0]).dictionary_encode(), [1.0, math.nan, 1.0]),
        (pa.array([datetime.date(2020, 1, 1), None]), [math.inf, math.nan]),
    ],
)
def test_a_numeric_column_may_have_any_type(values: Any, expected: list[float]) -> None:
    np.testing.assert_array_equal(column("distance", values), expected)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["UA", "1", None, "zz"], [0, 1, CODE_NULL, 5]),
        (pa.array(["UA", None], pa.large_string()), [0, CODE_NULL]),
        (pa.array(["UA", None], pa.string_view()), [0, CODE_NULL]),
        (pa.array(["UA", None, "UA"]).dictionary_encode(), [0, CODE_NULL, 0]),
        (
            pa.DictionaryArray.from_arrays(pa.array([0, 1, None], pa.int8()), pa.array(["UA", None])),
            [0, CODE_NULL, CODE_NULL],
        ),
        ([1, None, 2], [1, CODE_NULL, 5]),
        (pa.array([1, 1], pa.int8()).dictionary_encode(), [1, 1]),
        ([1.0, 1.5, math.nan, None], [1, 3, CODE_INVALID, CODE_NULL]),
        ([True, False, None], [2, 5, CODE_NULL]),
        ([b"UA", None], [CODE_INVALID, CODE_NULL]),
        ([["UA"], None], [CODE_INVALID, CODE_NULL]),
        ([None, None], [CODE_NULL, CODE_NULL]),
    ],
)
def test_a_categorical_column_may_have_any_type(values: Any, expected: list[int]) -> None:
    assert column("carrier", values).tolist() == expected


@pytest.mark.parametrize(
    "values",
    [
        pa.array([TIME_MS]),
        pa.array([float(TIME_MS)]),
        pa.array([TIME_MS], pa.uint64()),
        pa.array(["2023-11-14T22:13:19Z"]),
        pa.array(["2023-11-14T22:13:19Z"]).dictionary_encode(),
        pa.array([TIME_MS // 1000], pa.timestamp("s", "UTC")),
        pa.array([TIME_MS], pa.timestamp("ms")),
        pa.array([TIME_MS * 1000 + 999], pa.timestamp("us", "Europe/Berlin")),
        pa.array([TIME_MS * 1_000_000], pa.timestamp("ns")),
        pa.array([TIME_MS], pa.timestamp("ms", "+05:30")),
    ],
)
def test_a_timestamp_may_have_any_unit(values: Any) -> None:
    assert only(decode(stream(batch_of(1, timestamp=values)))).timestamps_ms.tolist() == [TIME_MS]


@pytest.mark.parametrize(
    "values",
    [
        pa.array([None, None], pa.int64()), pa.array([-1, NOW_MS * 2]), pa.array([math.nan, 1.5]),
        pa.array(["soon", "2023-11-41"]),
        pa.array([True, False]), pa.array([[1], [2]]), pa.array([2**63, 2**64 - 1], pa.uint64()),
        pa.array([2**62, -(2**62)], pa.timestamp("s")), pa.array([2**31 - 1, -1], pa.date32()), pa.array([None, None]),
        pa.array([2**62, 2**62], pa.timestamp("ns", "UTC")),
    ],
)  # fmt: skip
def test_a_bad_timestamp_rejects_its_row(values: Any) -> None:
    decoded = decode(stream(batch_of(2, timestamp=values)), stream(batch_of()))
    assert [(one.message, one.index, one.reason) for one in decoded.rejects] == [
        (0, i, Reason.BAD_TIMESTAMP) for i in (0, 1)
    ]
    assert [batch.n for batch in decoded.batches] == [3]
    assert [json.loads(one.raw)["carrier"] for one in decoded.rejects] == ["UA", "ZZ"]


def test_bad_rows_among_good_ones() -> None:
    decoded = decode(stream(batch_of(timestamp=[TIME_MS, None, TIME_MS], carrier=["a", "b", "c"])))
    assert decoded.batches[0].unseen == {0: [(0, "a"), (1, "c")]}
    assert decoded.rejects[0].index == 1


def test_features_may_be_a_struct() -> None:
    features = pa.array([{"distance": 5.0, "carrier": "UA"}, None, {"distance": None, "carrier": "1"}])
    batch = only(decode(stream(batch_of(features=features, distance=..., carrier=...))))
    np.testing.assert_array_equal(batch.numeric[0], [5.0, ABSENT, math.nan])
    assert batch.codes[0].tolist() == [0, CODE_ABSENT, 1]


def test_the_prediction_and_segments_may_be_structs() -> None:
    prediction = pa.array([{"score": 0.7, "label": "late"}] * 3)
    segments = pa.array([{"origin": "JFK"}, None, {"origin": None}])
    batch = only(decode(stream(batch_of(score=..., label=..., prediction=prediction, segments=segments))))
    assert (batch.numeric[1].tolist(), batch.codes[1].tolist()) == ([0.7] * 3, [0] * 3)
    assert batch.segments[0].tolist() == [1, 2, 2]


@pytest.mark.parametrize("encoded", [False, True])
def test_of_texts_200_characters_are_kept_and_a_longer_version_is_none(encoded: bool) -> None:
    long = "日" * 200
    columns = {
        "version": pa.array(["1", long, long + "x", "2"]),
        "carrier": pa.array(["UA", long, "UA", long + "x"]),
    }
    if encoded:
        columns = {name: values.dictionary_encode() for name, values in columns.items()}
    decoded = decode(stream(batch_of(4, **dict.fromkeys(("distance", "origin", "score", "label"), ...), **columns)))
    (batch,) = decoded.batches
    assert batch.versions == ("1", "2", long)
    assert batch.unseen == {0: [(1, long), (2, long)]}
    assert [(one.index, one.reason) for one in decoded.rejects] == [(2, Reason.SCHEMA)]


def test_a_version_in_the_metadata_may_have_200_characters_too() -> None:
    fits = decode(stream(batch_of(version=...), metadata={"version": "日" * 200}))
    assert only(fits).versions == ("日" * 200,)
    decoded = decode(stream(batch_of(version=...), metadata={"version": "日" * 201}))
    assert (list(decoded.batches), [one.reason for one in decoded.rejects]) == ([], [Reason.SCHEMA] * 3)


def test_model_and_version_come_from_columns_or_metadata() -> None:
    plain = batch_of(version=...)
    batch = only(decode(stream(plain, metadata={"model": "flights", "version": "7"}), models=(FLIGHTS, OTHER)))
    assert batch.versions == ("7",)
    mixed = batch_of(model=["flights", "other", None], x=[1.0, 2.0, 3.0])
    decoded = decode(stream(mixed), stream(plain), stream(plain, metadata={"model": "no"}), models=(FLIGHTS, OTHER))
    assert [(batch.model, batch.n) for batch in decoded.batches] == [("flights", 1), ("other", 1)]
    assert {one.reason for one in decoded.rejects} == {Reason.UNKNOWN_MODEL}
    assert [(one.message, one.index) for one in decoded.rejects] == [
        (0, 2),
        *((m, i) for m in (1, 2) for i in range(3)),
    ]


def test_feature_logs_have_no_prediction() -> None:
    batch = only(decode(stream(batch_of(prediction_id=[[1], [2], [3]])), role="features"))
    assert (batch.numeric[1] == ABSENT).all()
    assert (batch.codes[1] == CODE_ABSENT).all()


def test_an_id_of_another_type_is_rejected() -> None:
    decoded = decode(stream(batch_of(prediction_id=[1.5, None, 2.5])))
    assert [(one.index, one.reason) for one in decoded.rejects] == [(0, Reason.MISSING_ID), (2, Reason.MISSING_ID)]


def test_a_stream_without_timestamps_is_one_reject() -> None:
    raw = stream(batch_of(timestamp=...))
    decoded = decode(raw, stream(batch_of()))
    assert [(one.reason, one.raw) for one in decoded.rejects] == [(Reason.SCHEMA, raw)]
    assert decoded.batches[0].n == 3


def test_corrupt_messages_are_one_reject_each() -> None:
    raw = stream(batch_of(), batch_of())
    messages = [None, b"", b"x", b"\xff" * 100, raw[:-100], raw[: len(raw) // 2], b"ARROW1\0\0" + raw, raw[:4]]
    decoded = decode(*messages, raw)
    bad = [one for one in decoded.rejects if one.reason is Reason.UNDECODABLE]
    assert {one.message for one in bad} >= {0, 1, 2, 3, 5, 6}
    assert decoded.batches[0].sources.tolist()[-6:] == [8] * 6


def test_a_column_that_is_not_utf_8_is_undecodable() -> None:
    bad = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(np.array([0, 1], np.int32).tobytes()), pa.py_buffer(b"\xff")]
    )
    assert decode(stream(batch_of(1, carrier=bad))).rejects[0].reason is Reason.UNDECODABLE


def test_limits_reject_the_whole_message() -> None:
    raw = stream(batch_of())
    for limits in ({"max_message_bytes": 100}, {"max_events_a_message": 2}):
        assert [one.reason for one in decode(raw, **limits).rejects] == [Reason.OVERSIZE]


def test_no_rows_are_no_events() -> None:
    assert decode(stream(batch_of(0))).n_events == 0


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_mutated_streams_never_raise(data: Any) -> None:
    raw = bytearray(stream(batch_of(), compression=data.draw(st.sampled_from([None, "zstd"]))))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    decode(bytes(raw[: data.draw(st.integers(0, len(raw)))]))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=100), max_size=3))
def test_no_bytes_raise(messages: list[bytes]) -> None:
    decode(*messages)


ROW = st.fixed_dictionaries(
    {
        "timestamp": st.integers(0, 2 * NOW_MS),
        "distance": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "carrier": st.none() | st.sampled_from(["UA", "1", "x", "日本", "", "日" * 200, "日" * 201]),
        "origin": st.none() | st.sampled_from(["EWR", "JFK", "Q"]),
        "score": st.none() | st.floats(0, 1),
        "label": st.none() | st.sampled_from(["late", "never"]),
        "version": st.none() | st.sampled_from(["1", "2", "日" * 200, "日" * 201]),
    }
)


def same(one: Decoded, two: Decoded) -> None:
    assert one.n_events == two.n_events
    for a, b in zip(one.batches, two.batches, strict=True):
        np.testing.assert_array_equal(a.numeric, b.numeric)
        for name in ("timestamps_ms", "codes", "segments", "version_codes"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
        assert (a.n, a.versions, a.unseen) == (b.n, b.versions, b.unseen)
    assert [(r.index, r.reason) for r in one.rejects] == [(r.message, r.reason) for r in two.rejects]


@settings(max_examples=150, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=8))
def test_a_table_gives_what_its_rows_give_as_json(rows: list[dict[str, Any]]) -> None:
    schema = pa.schema([("timestamp", pa.int64()), ("distance", pa.float64()), ("score", pa.float64())]
                       + [(name, pa.string()) for name in ("carrier", "origin", "label", "version")])  # fmt: skip
    table = pa.Table.from_pylist(rows, schema=schema)
    flat = JsonDecoder([FLIGHTS]).decode([json.dumps(row).encode() for row in rows], "predictions", NOW_MS)
    same(decode_table([FLIGHTS], table, "predictions", NOW_MS), flat)
    same(decode(stream(*table.to_batches())), flat)


def test_the_header_decides_then_the_configuration_then_the_first_bytes() -> None:
    raw = stream(batch_of())
    assert choose(None, "auto", raw) == choose(None, "auto", stream(batch_of(), file=True)) == "arrow"
    assert choose(None, "auto", b"{}") == choose(None, "auto", None) == choose(b"text/plain", "auto", b"") == "json"
    assert choose(b"application/json; charset=utf-8", "arrow", raw) == "json"
    assert choose("Application/VND.apache.arrow.stream", "json", b"{}") == "arrow"
    assert choose("application/cloudevents+json", "arrow", raw) == "json"
    assert choose(None, "arrow", b"{}") == "arrow"
    assert choose(b"\xff", "json", raw) == "json"


def test_formats_may_be_mixed_in_one_batch() -> None:
    message = {"timestamp": TIME_MS, "distance": 9.0, "version": "2", "carrier": "YY"}
    one = json.dumps(message).encode()
    messages = [one, stream(batch_of()), b"bad", one, stream(batch_of(timestamp=...)), stream(batch_of(1))]
    decoded = MessageDecoder([FLIGHTS]).decode_messages(messages, None, "predictions", NOW_MS)
    batch = decoded.batches[0]
    assert batch.sources.tolist() == [0, 1, 1, 1, 3, 5]
    np.testing.assert_array_equal(batch.numeric[0], [9.0, 1.0, 2.0, math.nan, 9.0, 1.0])
    assert batch.unseen == {0: [(0, "YY"), (2, "ZZ"), (4, "YY")]}
    assert [batch.versions[code] for code in batch.version_codes] == ["2", "1", "2", "1", "2", "1"]
    assert [(one.message, one.reason) for one in decoded.rejects] == [(2, Reason.UNDECODABLE), (4, Reason.SCHEMA)]
    assert decoded.n_events == 8
    only_json = MessageDecoder([FLIGHTS]).decode_messages([one], ["application/json"], "predictions", NOW_MS)
    assert only_json.n_events == 1
