"""The compiled loops over Arrow memory give what the plain functions give; what a decoder remembers changes nothing."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.columns import CODE_NULL, Column, Kind
from detectors.layout import Layout
from monitor.events.arrow import decoder as arrow
from monitor.events.arrow import direct
from monitor.events.arrow.arrays import indices, numbers
from monitor.events.arrow.decoder import ArrowDecoder
from monitor.events.arrow.dictionaries import Dictionaries
from monitor.events.arrow.table import TableDecoder, decode_table
from monitor.events.arrow.times import milliseconds
from monitor.events.batch import Decoded
from monitor.events.frame import Frame
from monitor.events.json.instant import PER
from monitor.events.models import ModelSpec
from monitor.events.reasons import Reason
from monitor.events.times import MIN_TIMESTAMP_MS, SCALES, TimeRule

NOW_MS = 1_700_000_000_000
EDGE_TIMES = (0, -1, NOW_MS, 253_402_300_799_999, 253_402_300_800_000, 2**63 - 1, -(2**63))


def model(name: str = "m", *, categories: tuple[str, ...] = ("a", "b")) -> ModelSpec:
    columns = [
        Column(name="x", kind=Kind.NUMERIC, edges=(0.0,)),
        Column(name="y", kind=Kind.NUMERIC, edges=(0.0,)),
        Column(name="c", kind=Kind.CATEGORICAL, categories=categories),
        Column(name="d", kind=Kind.CATEGORICAL, categories=categories),
    ]
    return ModelSpec(name=name, layout=Layout(columns), dimensions={"c": ("b",), "y": ("1",), "z": ("1",)})


def message(*batches: pa.RecordBatch, **metadata: str) -> bytes:
    sink = pa.BufferOutputStream()
    schema = batches[0].schema.with_metadata(metadata)
    with pa.ipc.new_stream(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch.replace_schema_metadata(metadata))
    return bytes(sink.getvalue())


def rows(n: int = 3, **columns: Any) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"timestamp": [NOW_MS - i for i in range(n)], **columns})


def dictionary(index: list[int | None], values: list[str | None], kind: Any = None) -> Any:
    return pa.DictionaryArray.from_arrays(pa.array(index, kind or pa.int32()), pa.array(values, pa.string()))


def same(one: Decoded, two: Decoded) -> None:
    assert one.n_events == two.n_events
    for a, b in zip(one.batches, two.batches, strict=True):
        for name in ("numeric", "timestamps_ms", "codes", "segments", "version_codes", "sources"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
        assert (a.model, a.n, a.versions, a.unseen) == (b.model, b.n, b.versions, b.unseen)
    assert one.rejects == two.rejects


def values_of(kind: Any) -> Any:
    if pa.types.is_floating(kind):
        return st.floats(width=32 if kind == pa.float32() else 64)
    low = 0 if pa.types.is_unsigned_integer(kind) else -(2 ** (kind.bit_width - 1))
    return st.integers(low, low + 2**kind.bit_width - 1)


@st.composite
def sliced(draw: Any, kind: Any, values: Any) -> Any:
    """An array with nulls whose memory holds values, with an offset of its own."""
    found = draw(st.lists(values, min_size=1, max_size=40))
    nulls = draw(st.none() | st.lists(st.booleans(), min_size=len(found), max_size=len(found)))
    whole = pa.array(np.array(found, dtype=direct.KINDS[kind].dtype), mask=None if nulls is None else np.array(nulls))
    start = draw(st.integers(0, len(found) - 1))
    return whole.slice(start, draw(st.integers(1, len(found) - start)))


@pytest.mark.parametrize("kind", direct.KINDS, ids=str)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_numbers_are_read_as_the_plain_function_reads_them(kind: Any, data: Any) -> None:
    array = data.draw(sliced(kind, values_of(kind)))
    n = len(array)
    exported = direct.Exported(pa.RecordBatch.from_pydict({"other": pa.nulls(n), "x": array}))
    out = np.full((3, n + 2), 7.0)
    places = np.array([[1, 2]])
    direct.read_numbers(exported.address, direct.KINDS[kind], places, out, 1, n + 1)
    np.testing.assert_array_equal(out[2, 1:-1].view(np.int64), numbers(array).view(np.int64))
    out[2, 1:-1] = 7.0
    assert (out == 7.0).all()


@pytest.mark.parametrize("kind", [kind for kind in direct.KINDS if pa.types.is_integer(kind)], ids=str)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_codes_are_read_as_the_plain_function_reads_them(kind: Any, data: Any) -> None:
    size = data.draw(st.integers(1, 5))
    index = data.draw(sliced(kind, st.integers(0, size - 1)))
    array = pa.DictionaryArray.from_arrays(index, pa.array([str(i) for i in range(size)]))
    table = np.array([*range(10, 10 + size), CODE_NULL], dtype=np.int32)
    out = np.empty(len(array), dtype=np.int32)
    exported = direct.Exported(pa.RecordBatch.from_pydict({"c": array}))
    assert direct.read_codes(exported.address, direct.KINDS[kind], 0, table, out)
    np.testing.assert_array_equal(out, table[indices(array)])


@pytest.mark.parametrize("index", [3, 2, -1, 127, -128])
def test_an_index_outside_the_dictionary_is_found(index: int) -> None:
    bits = pa.py_buffer(bytes([0b101]))
    values = pa.py_buffer(np.array([0, index, 1], dtype=np.int8).tobytes())
    array = pa.DictionaryArray.from_arrays(pa.Array.from_buffers(pa.int8(), 3, [bits, values]), pa.array(["a", "b"]))
    exported = direct.Exported(pa.RecordBatch.from_pydict({"c": array}))
    kind, out = direct.KINDS[pa.int8()], np.empty(3, dtype=np.int32)
    assert not direct.read_codes(exported.address, kind, 0, np.array([5, 6, -1], np.int32), out)
    decoded = ArrowDecoder([model()]).decode([message(rows(c=array))], "predictions", NOW_MS)
    assert decoded.batches[0].codes[0].tolist() == [0, CODE_NULL, 1]


@pytest.mark.parametrize(
    "kind",
    [pa.int64(), pa.timestamp("s"), pa.timestamp("ms"), pa.timestamp("us", "UTC"), pa.timestamp("ns", "Europe/Berlin")],
    ids=str,
)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_times_are_read_as_the_plain_function_reads_them(kind: Any, data: Any) -> None:
    rule = TimeRule(
        unit=data.draw(st.sampled_from(sorted(SCALES))), min_ms=data.draw(st.sampled_from([0, MIN_TIMESTAMP_MS]))
    )
    clock = direct.clock_for(kind, rule)
    ticks = int(clock[PER])
    near = [time for edge in EDGE_TIMES for time in (edge, edge * ticks, edge * ticks - 1) if abs(time) < 2**63]
    array = data.draw(sliced(pa.int64(), st.sampled_from(near) | values_of(pa.int64()))).view(kind)
    out = np.empty(len(array), dtype=np.int64)
    exported = direct.Exported(pa.RecordBatch.from_pydict({"t": array}))
    direct.read_times(exported.address, 0, clock, out)
    np.testing.assert_array_equal(out, milliseconds(array, rule))


@pytest.mark.parametrize("kind", [pa.date32(), pa.uint64(), pa.int32(), pa.float64(), pa.string()])
def test_other_times_are_left_to_the_plain_function(kind: Any) -> None:
    assert direct.clock_for(kind, TimeRule()) is None


def test_native_times_without_a_zone_are_left_to_the_plain_function_where_they_are_not_utc() -> None:
    assert direct.clock_for(pa.timestamp("us"), TimeRule(timezone="Europe/Berlin")) is None
    assert direct.clock_for(pa.timestamp("us", "UTC"), TimeRule(timezone="Europe/Berlin")) is not None


def test_values_that_lie_askew_in_memory_are_read() -> None:
    memory = pa.py_buffer(b"x" + np.arange(9.0).tobytes())
    array = pa.Array.from_buffers(pa.float64(), 9, [None, memory.slice(1)])
    decoded = decode_table([model()], rows(9, x=array), "predictions", NOW_MS)
    assert decoded.batches[0].numeric[0].tolist() == list(range(9))


def test_columns_that_no_model_has_may_have_any_type() -> None:
    batch = rows(
        1,
        x=[2.0],
        a=pa.array(["q"], pa.string_view()),
        b=pa.RunEndEncodedArray.from_arrays(pa.array([1], pa.int32()), pa.array([1])),
        u=pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])]),
        e=pa.array([[{"k": None}]]),
        f=pa.array([[1]], pa.list_view(pa.int8())),
        g=pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int8())),
        h=pa.ExtensionArray.from_storage(pa.uuid(), pa.array([bytes(16)], pa.binary(16))),
        i=pa.nulls(1),
    )
    decoded = ArrowDecoder([model()]).decode([message(batch)], "predictions", NOW_MS)
    assert (decoded.batches[0].numeric[0].tolist(), decoded.rejects) == ([2.0], [])


DICTIONARIES = [
    ["a", "b", "q"], ["a", "b", "r"], ["b", "a", "q"], ["a", "b"], ["a", "b", "q", "b"], ["a", None, "q"],
    ["q", "q", "q"],
]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_messages_with_other_dictionaries_and_schemas_are_not_confused(data: Any) -> None:
    messages = []
    for _ in range(data.draw(st.integers(1, 6))):
        columns: dict[str, Any] = {}
        for name in data.draw(st.permutations(("c", "d", "x", "y"))):
            values = data.draw(st.sampled_from(DICTIONARIES))
            index = st.none() | st.integers(0, len(values) - 1)
            columns[name] = dictionary(data.draw(st.lists(index, min_size=3, max_size=3)), values)
            if name in ("x", "y"):
                columns[name] = data.draw(st.sampled_from([[1.0, None, 2.0], [1, None, 2], ["1", "2", None]]))
        if data.draw(st.booleans()):
            columns["segments"] = pa.array([{"c": "b"}, None, {"c": None}])
        if data.draw(st.booleans()):
            columns["timestamp"] = [NOW_MS, None, NOW_MS]
        messages.append(message(rows(**columns), version=data.draw(st.sampled_from("12"))))
    together = ArrowDecoder([model()]).decode(messages, "predictions", NOW_MS)
    n = 0
    for index, raw in enumerate(messages):
        alone = ArrowDecoder([model()]).decode([raw], "predictions", NOW_MS)
        (batch,) = alone.batches
        (whole,) = together.batches
        own = whole.sources == index
        for name in ("numeric", "codes", "segments"):
            np.testing.assert_array_equal(getattr(whole, name)[:, own], getattr(batch, name), err_msg=name)
        assert {whole.versions[code] for code in whole.version_codes[own]} == set(batch.versions)
        for column, pairs in batch.unseen.items():
            assert [(n + row, value) for row, value in pairs] == [
                (row, value) for row, value in whole.unseen[column] if n <= row < n + batch.n
            ]
        n += batch.n


def test_an_equal_dictionary_is_looked_up_once_and_another_one_anew() -> None:
    known = Dictionaries()
    first = known.of(3, pa.array(["a", "b", None]))
    assert first.values == ["a", "b", None, None]
    assert known.of(3, pa.array(["a", "b", None])) is first
    for other in (["a", "b"], ["a", "c", None], ["a", "b", ""], ["a", "b", None, "c"]):
        # Empty text is null: the equality of dictionaries must still tell the two apart.
        assert known.of(3, pa.array(other)).values == [value or None for value in (*other, None)]
    assert known.of(3, pa.array(["a", "b", None], pa.large_string())) is not first
    assert known.of(4, pa.array(["a", "b", None])) is not first


def test_dictionaries_are_remembered_within_a_bound() -> None:
    known = Dictionaries()
    large = pa.array(["x" * 100_000])
    found = [known.of(column, large) for column in range(20)]
    again = [known.of(column, large) is one for column, one in enumerate(found)]
    assert (any(again), all(again)) == (True, False)
    assert [known.of(column, large).values for column in range(20)] == [["x" * 100_000, None]] * 20


def test_many_schemas_are_told_apart() -> None:
    decoder = TableDecoder({"m": Frame(model(), "predictions")})
    for _ in range(2):
        for number in range(40):
            seen = decoder.see(pa.schema([("timestamp", pa.int64()), (f"f{number}", pa.int64())]))
            assert seen.schema.names == ["timestamp", f"f{number}"]


def test_a_version_in_the_metadata_is_that_of_its_own_message() -> None:
    batch = rows(1, x=[1.0])
    decoded = ArrowDecoder([model()]).decode(
        [message(batch, version="1"), message(batch), message(batch, version="2")], "predictions", NOW_MS
    )
    (found,) = decoded.batches
    assert [found.versions[code] for code in found.version_codes] == ["1", "", "2"]


@pytest.mark.parametrize("most", [0, 2_000])
def test_messages_are_the_same_taken_together_or_one_by_one(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    models = (model("m"), model("other", categories=("q",)))
    parts = [
        rows(4, model=["m", "other", None, "m"], x=[1.0, 2.0, 3.0, None], c=["a", "q", "a", "zz"]),
        rows(2, model=["other", "other"], y=[1, None], c=dictionary([0, None], ["zz"])),
        rows(3, model=["m"] * 3, timestamp=[NOW_MS, -1, 2 * NOW_MS], version=["1", "2", None], c=["zz", "zz", "b"]),
    ]
    messages = [message(part) for part in parts] + [b"bad"] + [message(part.slice(1)) for part in parts]
    together = ArrowDecoder(models).decode(messages, "predictions", NOW_MS)
    monkeypatch.setattr(arrow, "_AT_ONCE_BYTES", most)
    same(ArrowDecoder(models).decode(messages, "predictions", NOW_MS), together)
    assert [batch.n for batch in together.batches] == [4, 5]


def test_rows_of_several_models_may_lie_beside_columns_of_any_type() -> None:
    batch = rows(
        4,
        model=["m", "m", "other", "m"],
        c=pa.array(["a", "b", None, "zz"], pa.string_view()),
        r=pa.RunEndEncodedArray.from_arrays(pa.array([4], pa.int32()), pa.array([1])),
    )
    decoded = ArrowDecoder([model(), model("other")]).decode([message(batch)], "predictions", NOW_MS)
    first, second = decoded.batches
    assert (first.codes[0].tolist(), second.codes[0].tolist()) == ([0, 1, 3], [CODE_NULL])
    assert first.unseen == {0: [(2, "zz")]}


@pytest.mark.parametrize("columns", [{"name": [1]}, {"features": [{"name": 1}]}])
def test_a_name_that_is_not_utf_8_makes_a_message_undecodable(columns: Any) -> None:
    raw = message(rows(1, **columns)).replace(b"name", b"n\xffme")
    (reject,) = ArrowDecoder([model()]).decode([raw], "predictions", NOW_MS).rejects
    assert (reject.reason, reject.raw) == (Reason.UNDECODABLE, raw)
