"""Features in objects inside of the features: one name, one value, by every path."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from detectors.layout import Layout
from detectors.reference import categorical_column, numeric_column
from monitor.config.schema import Model
from monitor.events.arrow.table import decode_table
from monitor.events.batch import Batch, Decoded
from monitor.events.inner import opened_object
from monitor.events.json.decoder import JsonDecoder
from monitor.events.json.forgiving import Forgiving
from monitor.events.mapping import Mapping as FieldMapping
from monitor.events.models import ModelSpec
from monitor.files.read import iter_decoded
from monitor.reference.build import build_reference

T: Final = 1_690_000_000_000


def spec(names: Sequence[str], dimensions: Sequence[str] = (), **mapping: Any) -> ModelSpec:
    """A model of numeric columns, but for those that end in `c`."""
    columns = [
        categorical_column(name, {"DE": 3, "FR": 2}) if name.endswith("c") else numeric_column(name, np.arange(9.0))[0]
        for name in names
    ]
    return ModelSpec(
        name="m",
        layout=Layout(columns),
        dimensions=dict.fromkeys(dimensions, ("DE", "FR")),
        mapping=FieldMapping(**mapping),
    )


SPEC: Final = spec(["amount", "customer.age", "customer.c", "a.b.c", "a.b", "x", "x.1"], ["customer.c", "a.d"])
BY_ID: Final = spec(
    ["amount", "customer.age", "customer.c", "data.a.b"],
    ["c"],
    prediction_id="customer.id",
    segments={"c": "customer.s"},
    features="data.features",
)
FOUR: Final = spec(["k.l.m.n", "k.l.m.n.o", "k.c"])
CLEAN: Final = spec(["amount", "customer.age", "customer.c", "a.b.c"], ["customer.c", "a.d"])
SPECS: Final = {"plain": SPEC, "by id": BY_ID, "deep": FOUR, "clean": CLEAN}
FAST: Final = {name: JsonDecoder([one]) for name, one in SPECS.items()}
SLOW: Final = {name: JsonDecoder([one], forgiving_only=True) for name, one in SPECS.items()}


def same(one: Decoded, other: Decoded) -> None:
    assert list(one.rejects) == list(other.rejects)
    for a, b in zip(one.batches, other.batches, strict=True):
        for field in ("numeric", "codes", "segments", "timestamps_ms"):
            np.testing.assert_array_equal(getattr(a, field), getattr(b, field), err_msg=field)
        assert a.unseen == b.unseen


def decode(event: Mapping[str, Any], decoder: str = "plain") -> Batch:
    (batch,) = FAST[decoder].decode([json.dumps({"timestamp": T, **event}).encode()], "predictions", T).batches
    return batch


def value(batch: Batch, name: str, model: ModelSpec = SPEC) -> float:
    numeric = [model.layout.columns[index].name for index in model.layout.numeric]
    found: float = batch.numeric[numeric.index(name), 0]
    return found


LEAF: Final = st.sampled_from([None, 1, 2.5, "DE", "US", "", True, [1], [{"age": 3}], 1e300, "1"])
KEYS: Final = st.sampled_from(
    ["amount", "customer", "customer.age", "age", "c", "s", "id", "a", "b", "d", "a.b", "b.c", "a.b.c", "x", "1", "x.1",
     "k", "l", "m", "n", "o", "l.m", "k.l", "m.n.o", "k.l.m.n.o", "data", "data.a", "", "é"]
)  # fmt: skip
OBJECT: Final = st.recursive(
    st.dictionaries(KEYS, LEAF, max_size=3), lambda below: st.dictionaries(KEYS, below | LEAF, max_size=4), max_leaves=8
)
CUSTOMER: Final = st.fixed_dictionaries({}, optional={"age": LEAF, "c": LEAF, "id": LEAF, "s": LEAF, "more": OBJECT})
EVENTS: Final = st.one_of(
    st.builds(lambda features: {"features": features}, OBJECT),
    st.builds(lambda features, customer: {"features": {**features, "customer": customer}}, OBJECT, CUSTOMER),
    st.builds(lambda top, customer: {**top, "customer": customer}, OBJECT, CUSTOMER),
    st.builds(lambda features, data: {"data": {**data, "features": features}}, OBJECT, OBJECT),
    OBJECT,
)


@settings(max_examples=600, deadline=None)
@example([{"data.a": {"b": 1}}], "by id")
@example([{"features": {"a.b": {"c": 1}, "a": {"b.c": 2}}}], "plain")
@example([{"features": {"k": {"l": {"m": {"n": {"o": 1}}}}}}], "deep")
@example([{"features": {"x": {"1": 5}}}], "plain")
@given(events=st.lists(EVENTS, max_size=4), which=st.sampled_from(sorted(SPECS)))
def test_the_compiled_path_equals_the_forgiving_one(events: list[dict[str, Any]], which: str) -> None:
    raws = [json.dumps({"timestamp": T, **event}).encode() for event in events]
    same(FAST[which].decode(raws, "predictions", T), SLOW[which].decode(raws, "predictions", T))


SHAPES: Final = {
    "an object of features": {"features": {"customer": {"age": 31, "c": "DE"}, "amount": 5.0}},
    "at the top": {"customer": {"age": 31, "c": "DE"}, "amount": 5.0},
    "keys with dots": {"features": {"customer.age": 31, "customer.c": "DE", "amount": 5.0}},
    "keys with dots at the top": {"customer.age": 31, "customer.c": "DE", "amount": 5.0},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_ordinary_events_need_no_python(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = spec(["amount", "customer.age", "customer.c"], ["customer.c"])
    decoder = JsonDecoder([model])

    def fail(*_: Any) -> Any:
        raise AssertionError("the forgiving path was taken")

    monkeypatch.setattr(Forgiving, "row", fail)
    (batch,) = decoder.decode([json.dumps({"timestamp": T, **SHAPES[shape]}).encode()], "predictions", T).batches
    assert batch.numeric[:, 0].tolist() == [5.0, 31.0]
    assert batch.segments[0, 0] == 0


def test_the_key_with_the_dots_wins_over_a_path_and_the_path_is_said() -> None:
    features = {"customer": {"age": 31}, "customer.age": 30}
    for event in ({"features": features}, dict(reversed(features.items()))):
        assert value(decode(event), "customer.age") == 30
    found = opened_object(features)
    assert dict(found.hidden) == {"customer > age": 31}
    assert found.leaves == {"customer.age": 30}


def test_an_object_five_keys_down_is_left_whole() -> None:
    found = opened_object({"k": {"l": {"m": {"n": {"o": 1}, "p": 2}}}})
    assert found.leaves == {"k.l.m.n": {"o": 1}, "k.l.m.p": 2}
    batch = decode({"features": {"k": {"l": {"m": {"n": {"o": 1}}}}}}, "deep")
    assert np.isnan(value(batch, "k.l.m.n.o", FOUR))
    assert np.isinf(value(batch, "k.l.m.n", FOUR))  # an object, and so no number


def test_an_array_in_an_object_is_left_out() -> None:
    assert opened_object({"a": {"b": [{"c": 1}]}}).leaves == {"a.b": [{"c": 1}]}


def test_of_two_ways_of_one_length_the_same_wins_in_any_order() -> None:
    features = {"a": {"b.c": 1}, "a.b": {"c": 2}}
    for one in (features, dict(reversed(features.items()))):
        assert opened_object(one).values["a.b.c"] == 2


ROWS: Final = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "amount": st.none() | st.floats(0, 9),
            "customer": st.none()
            | st.fixed_dictionaries({"age": st.none() | st.integers(0, 9), "c": st.sampled_from([None, "DE", "US"])}),
            "a": st.none() | st.fixed_dictionaries({"b": st.fixed_dictionaries({"c": st.sampled_from([None, "DE"])})}),
        },
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=200, deadline=None)
@given(rows=ROWS, nested=st.booleans())
def test_a_struct_column_means_what_the_object_means(rows: list[dict[str, Any]], nested: bool) -> None:
    keys = sorted({key for row in rows for key in row})
    filled = [{key: row.get(key) for key in keys} for row in rows]
    events = [{"timestamp": T, **({"features": row} if nested else row)} for row in filled]
    if not keys:
        return
    raws = [json.dumps(event).encode() for event in events]
    same(
        decode_table([SPEC], pa.Table.from_pylist(events), "predictions", T),
        SLOW["plain"].decode(raws, "predictions", T),
    )


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
@pytest.mark.parametrize("nested", [True, False])
def test_what_no_column_reads_is_said_by_its_dotted_name(form: str, nested: bool, tmp_path: Path) -> None:
    own = {"customer": {"age": 3, "tags": ["a"], "more": {"x": 1}}, "customer.age": 4, "amount": 1.0}
    event = {"timestamp": T, **({"features": own} if nested else own)}
    path = tmp_path / f"f.{form}"
    if form == "jsonl":
        path.write_text(json.dumps(event))
    else:
        pq.write_table(pa.Table.from_pylist([event]), path)
    (part,) = iter_decoded(path, [SPEC], T)
    assert sorted(part.unread) == ["customer > age", "customer.more.x", "customer.tags"]


@pytest.mark.parametrize("form", ["jsonl", "parquet", "a folder of jsonl", "a folder of parquet"])
def test_a_reference_says_what_it_has_of_objects_and_what_it_leaves_out(form: str, tmp_path: Path) -> None:
    inner = {"age": 3, "c": "DE", "tags": ["a"], "size": {"x": {"y": {"z": 1}}}}
    events = [{"features": {"customer": {**inner, "age": i % 7}, "customer.c": "FR"}} for i in range(100)]
    path = tmp_path / "parts"
    path.mkdir()
    ending = form.split()[-1]
    for part, begin in enumerate(range(0, 100, 50)):
        file, rows = path / f"{part}.{ending}", events[begin : begin + 50]
        if ending == "jsonl":
            file.write_text("\n".join(map(json.dumps, rows)))
        else:
            pq.write_table(pa.Table.from_pylist(rows), file)
    if form == ending:
        path = path / f"0.{ending}"
    built = build_reference(Model(name="m", reference="r", segments=("customer.c",), min_samples=10), path)
    kinds = {one.name: one.kind for one in built.inferred}
    assert kinds == {
        "customer.age": "numeric", "customer.c": "categorical", "customer.tags": "left out",
        "customer.size.x.y": "left out", "customer > c": "left out",
    }  # fmt: skip
    assert built.reference.dimensions == {"customer.c": ("FR",)}
