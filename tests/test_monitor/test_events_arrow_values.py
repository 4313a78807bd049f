"""Arrow messages that are valid, and hostile or odd: no type ends the process, raises, or loses its neighbours."""

import json
import math
import struct
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from detectors.columns import CODE_INVALID, CODE_NULL, Column, Kind
from detectors.layout import Layout
from monitor.events.arrow.decoder import ArrowDecoder
from monitor.events.arrow.extent import extent
from monitor.events.batch import Decoded
from monitor.events.json.decoder import JsonDecoder
from monitor.events.models import Limits, ModelSpec
from monitor.events.reasons import Reason

NOW_MS = 1_700_000_000_000
MODEL = ModelSpec(
    name="m",
    layout=Layout(
        [
            Column(name="x", kind=Kind.NUMERIC, edges=(0.0,)),
            Column(name="c", kind=Kind.CATEGORICAL, categories=("EU", "US", "1")),
        ]
    ),
    dimensions={"region": ("EU", "US")},
)
OTHER = ModelSpec(name="other", layout=Layout([Column(name="x", kind=Kind.NUMERIC, edges=(0.0,))]))


def stream(columns: dict[str, Any], **options: Any) -> bytes:
    batch = pa.RecordBatch.from_arrays([pa.array(one) for one in columns.values()], names=list(columns))
    batch.validate(full=True)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def decode(*messages: bytes, models: Any = (MODEL,), **limits: int) -> Decoded:
    decoded = ArrowDecoder(models, Limits(**limits)).decode(messages, "predictions", NOW_MS)
    assert decoded.n_events == sum(batch.n for batch in decoded.batches) + len(decoded.rejects)
    return decoded


def times(n: int) -> list[int]:
    return [NOW_MS] * n


def garbage_in_a_null(kind: Any) -> Any:
    """EU, null, US; the slot of the null says that its text has 2 GB."""
    views = (
        struct.pack("<i12s", 2, b"EU") + struct.pack("<i12s", 2**31 - 1, b"\1" * 12) + struct.pack("<i12s", 2, b"US")
    )
    array = pa.Array.from_buffers(kind, 3, [pa.py_buffer(b"\x05"), pa.py_buffer(views)], null_count=1)
    array.validate(full=True)
    return array


def runs(values: Any, ends: tuple[int, ...] = (2, 3)) -> Any:
    return pa.RunEndEncodedArray.from_arrays(pa.array(ends, pa.int32()), values)


@pytest.mark.parametrize("kind", [pa.string_view(), pa.binary_view()])
def test_what_lies_in_the_slot_of_a_null_is_not_read(kind: Any) -> None:
    odd = garbage_in_a_null(kind)
    for name in ("x", "c", "region", "version", "timestamp", "model", "prediction_id", "features", "nobody's"):
        decode(stream({"timestamp": times(3), "x": [1.0, 2.0, 3.0], name: odd}))
        decode(stream({"timestamp": times(3), "model": ["m", "other", "m"], name: odd}), models=(MODEL, OTHER))


def test_texts_of_views_are_texts() -> None:
    (batch,) = decode(stream({"timestamp": times(3), "c": garbage_in_a_null(pa.string_view())})).batches
    assert batch.codes[0].tolist() == [0, CODE_NULL, 1]


@pytest.mark.parametrize(
    ("values", "numbers", "codes"),
    [
        (pa.array(["EU", None, "US"], pa.string_view()), [math.inf, math.nan, math.inf], [0, CODE_NULL, 1]),
        (pa.array([1.0, None, math.nan]), [1.0, math.nan, math.inf], [2, CODE_NULL, CODE_INVALID]),
        (pa.array([Decimal("1.5"), None, Decimal(2)]), [1.5, math.nan, 2.0], [CODE_INVALID, CODE_NULL, CODE_INVALID]),
    ],
)
def test_a_dictionary_and_runs_mean_what_their_values_mean(values: Any, numbers: Any, codes: Any) -> None:
    for array in (
        pa.DictionaryArray.from_arrays(pa.array([0, 1, 2], pa.uint32()), values),
        runs(values, (1, 2, 3)),
        runs(values, (5, 6, 7)).slice(4),
    ):
        (batch,) = decode(stream({"timestamp": times(3), "x": array, "c": array})).batches
        np.testing.assert_array_equal(batch.numeric[0], numbers)
        assert batch.codes[0].tolist() == codes


def test_times_ids_and_versions_may_come_in_runs() -> None:
    decoded = decode(
        stream(
            {
                "timestamp": runs(pa.array([NOW_MS, None])),
                "prediction_id": runs(pa.array(["a", None])),
                "version": runs(pa.array([1, 2])),
            }
        ),
        stream({"timestamp": times(3), "prediction_id": runs(pa.array([1.5, None]))}),
    )
    assert [(one.message, one.index, one.reason) for one in decoded.rejects] == [
        (0, 2, Reason.BAD_TIMESTAMP), (1, 0, Reason.MISSING_ID), (1, 1, Reason.MISSING_ID),
    ]  # fmt: skip
    assert decoded.batches[0].versions == ("", "1")


def test_a_bad_row_may_hold_what_python_cannot() -> None:
    mars = pa.array([0, 0]).cast(pa.timestamp("ms", "Mars/Base1"))
    price = pa.Array.from_buffers(pa.decimal128(5, -999_999), 2, [None, pa.py_buffer(bytes([1, *bytes(15)]) * 2)])
    far = pa.array([2**62, 1], pa.timestamp("s"))
    twins = pa.StructArray.from_arrays([pa.array([1, 2]), pa.array([3, 4])], names=["a", "a"])
    decoded = decode(stream({"timestamp": [-1, NOW_MS], "x": mars, "price": price, "far": far, "twins": twins}))
    (reject,) = decoded.rejects
    assert json.loads(reject.raw) == {"timestamp": -1, "x": 0, "price": None, "far": 2**62, "twins": None}
    assert decoded.batches[0].n == 1


def test_rejects_hold_no_more_than_a_few_times_their_message() -> None:
    n, text = 2_000, "z" * 100_000
    shared = pa.DictionaryArray.from_arrays(pa.array([0] * n, pa.int8()), pa.array([text]))
    lists = pa.ListArray.from_arrays(pa.array([*([0] * n), 50_000], pa.int32()), pa.array([1] * 50_000, pa.int8()))
    message = stream({"timestamp": [-1] * n, "note": shared, "many": lists})
    decoded = decode(message)
    assert len(decoded.rejects) == n
    assert sum(len(one.raw) for one in decoded.rejects[:-1]) < 10 * len(message) + 100 * n
    assert json.loads(decoded.rejects[0].raw)["note"] == text
    assert json.loads(decoded.rejects[-1].raw)["row"] == n - 1


FULL = {
    "timestamp": times(1_000),
    "x": np.zeros(1_000),
    "c": pa.array(["EU"] * 1_000).dictionary_encode(),
    "views": pa.array(["a text of some length"] * 1_000, pa.string_view()),
    "lists": pa.array([[1, 2]] * 1_000),
    "nulls": pa.nulls(1_000),
    "union": pa.UnionArray.from_sparse(pa.array([0] * 1_000, pa.int8()), [pa.array(range(1_000))]),
    "runs": runs(pa.array([1.5]), (1_000,)),
}


@pytest.mark.parametrize("options", [{"compression": "zstd"}, {"compression": "lz4"}, {}, {"use_legacy_format": True}])
def test_a_stream_is_measured_before_it_is_read(options: dict[str, Any]) -> None:
    raw = stream(FULL, **options)
    found = extent(raw, 0, len(raw))
    with pa.ipc.open_stream(raw) as read:
        batch = read.read_next_batch()
    assert (found.stop, found.n_rows) == (len(raw), 1_000)
    assert batch.get_total_buffer_size() <= found.n_bytes <= batch.get_total_buffer_size() + 16_000
    assert decode(raw).batches[0].n == 1_000


@pytest.mark.parametrize("columns", [1, 500])
def test_what_would_fill_the_memory_is_oversize(columns: int) -> None:
    n = 2_000_000 // columns
    raw = stream({"timestamp": times(n), **{f"c{i}": np.zeros(n) for i in range(columns)}}, compression="zstd")
    before = pa.total_allocated_bytes()
    peak = pa.default_memory_pool().max_memory()
    limits = {"max_events_a_message": n - 1} if columns == 1 else {"max_decoded_bytes": 8 * n * columns}
    assert [one.reason for one in decode(raw, **limits).rejects] == [Reason.OVERSIZE]
    assert (pa.total_allocated_bytes(), pa.default_memory_pool().max_memory()) == (before, peak)
    limits = {"max_events_a_message": n, "max_decoded_bytes": 10 * n * (columns + 1)}
    assert decode(raw, **limits).n_events == n


def test_values_without_a_buffer_are_counted_too() -> None:
    inner = pa.nulls(2**30)
    many = pa.LargeListArray.from_arrays(pa.array([0, 2**30]), inner)
    assert decode(stream({"timestamp": [-1], "many": many})).rejects[0].reason is Reason.OVERSIZE


def test_additions_to_a_dictionary_are_counted_as_often_as_they_are_copied() -> None:
    schema = pa.schema([("timestamp", pa.int64()), ("c", pa.dictionary(pa.int32(), pa.string()))])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema, options=pa.ipc.IpcWriteOptions(emit_dictionary_deltas=True)) as writer:
        for n in range(1, 51):
            texts = pa.array([str(i) * 100 for i in range(n)])
            codes = pa.DictionaryArray.from_arrays(pa.array([0], pa.int32()), texts)
            writer.write_batch(pa.record_batch([pa.array([NOW_MS]), codes], schema=schema))
    raw = bytes(sink.getvalue())
    found = extent(raw, 0, len(raw))
    assert found.n_rows == decode(raw).batches[0].n == 50
    assert found.n_bytes > sum(range(51)) * 150


def test_one_stream_after_another_is_read() -> None:
    one, two = stream({"timestamp": times(2), "x": [1.0, 2.0]}), stream({"timestamp": times(1), "c": ["EU"]})
    for raw in (one + two, one[:-8] + two, one + bytes(16) + two, one + two + bytes(8)):
        (batch,) = decode(raw).batches
        np.testing.assert_array_equal(batch.numeric[0], [1.0, 2.0, math.nan])
        assert batch.codes[0].tolist() == [CODE_NULL, CODE_NULL, 0]
    assert [one.reason for one in decode(one + two, max_events_a_message=2).rejects] == [Reason.OVERSIZE]


def test_what_follows_a_stream_and_is_none_is_no_loss_but_a_reject() -> None:
    one = stream({"timestamp": times(2)})
    for raw in (one + b"garbage", one + bytes(8) + b"garbage!" * 9, one + one[:-20], one + b'{"timestamp":1}'):
        (reject,) = decode(raw).rejects
        assert (reject.reason, reject.raw) == (Reason.UNDECODABLE, raw)


@pytest.mark.parametrize("value", [None, -1, 1.5, 2**60, True, "soon", "1969-12-31T00:00:00Z", NOW_MS * 2])
def test_a_bad_time_is_told_in_the_words_for_json(value: Any) -> None:
    (event,) = JsonDecoder([MODEL]).decode([json.dumps({"timestamp": value}).encode()], "predictions", NOW_MS).rejects
    (row,) = decode(stream({"timestamp": [value], "x": [1.0]})).rejects
    assert (row.reason, row.detail) == (event.reason, event.detail)


def test_a_bad_time_of_a_type_that_json_has_not_is_told_too() -> None:
    for values in (pa.array([-1], pa.timestamp("s")), pa.array([-1], pa.date32()), pa.array([[1]]), pa.array([b"1"])):
        (row,) = decode(stream({"timestamp": values})).rejects
        assert "is not between `min_time` and 9999" in row.detail
