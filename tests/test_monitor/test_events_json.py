"""JSON events one by one: what is counted, what is invalid, what is rejected and why."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.columns import ABSENT, CODE_ABSENT, CODE_INVALID, CODE_NULL, Column, Kind
from detectors.layout import Layout
from monitor.events.batch import Batch, Decoded
from monitor.events.json.decoder import JsonDecoder
from monitor.events.mapping import Mapping
from monitor.events.models import Limits, ModelSpec
from monitor.events.reasons import Reason

NOW_MS = 1_700_000_000_000
TIME_MS = NOW_MS - 1000
CORPUS = Path(__file__).parent / "corpus"


def numeric(name: str) -> Column:
    return Column(name=name, kind=Kind.NUMERIC, edges=(0.0, 1.0))


def categorical(name: str, *categories: str, others: tuple[str, ...] = ()) -> Column:
    return Column(name=name, kind=Kind.CATEGORICAL, categories=categories, others=others)


COLUMNS = (
    numeric("distance"),
    numeric("@score"),
    categorical("carrier", "UA", "1", "true", "1.5", "日本", others=("rare",)),
    numeric("temp"),
    categorical("@label", "late", "on-time", "true", "3"),
)
FLIGHTS = ModelSpec(
    name="flights",
    task="binary",
    layout=Layout(COLUMNS),
    dimensions={"origin": ("EWR", "JFK"), "carrier": ("UA", "1"), "temp": ("1", "2.5")},
)
OTHER = ModelSpec(name="other", layout=Layout((numeric("x"),)))
DISTANCE, SCORE, TEMP = 0, 1, 2
CARRIER, LABEL = 0, 1
UNSEEN_CARRIER, OTHER_CARRIER = 6, 5


def event(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "model": "flights",
        "version": "3",
        "prediction_id": "a1",
        "timestamp": TIME_MS,
        "features": {"distance": 1400, "carrier": "UA", "temp": 2.5},
        "prediction": {"score": 0.83, "label": "late"},
        "segments": {"origin": "JFK"},
    }
    base.update(changes)
    return {key: value for key, value in base.items() if value is not ...}


def decode(*messages: Any, role: Any = "predictions", models: Any = (FLIGHTS,), **options: Any) -> Decoded:
    raws = [
        message if message is None or isinstance(message, bytes) else json.dumps(message).encode()
        for message in messages
    ]
    decoder = JsonDecoder(models, **options)
    decoded = decoder.decode(raws, role, NOW_MS)
    assert decoded.n_events == sum(batch.n for batch in decoded.batches) + len(decoded.rejects)
    return decoded


def only(decoded: Decoded) -> Batch:
    assert not decoded.rejects
    (batch,) = decoded.batches
    return batch


def reasons(decoded: Decoded) -> list[tuple[int, int, Reason]]:
    return [(one.message, one.index, one.reason) for one in decoded.rejects]


def carrier(value: Any) -> tuple[int, Any]:
    batch = only(decode(event(features={"carrier": value})))
    return int(batch.codes[CARRIER, 0]), batch.unseen.get(CARRIER)


def test_an_event_becomes_a_row() -> None:
    batch = only(decode(event()))
    assert (batch.model, batch.n, batch.versions) == ("flights", 1, ("3",))
    assert batch.timestamps_ms.tolist() == [TIME_MS]
    assert batch.numeric[:, 0].tolist() == [1400.0, 0.83, 2.5]
    assert batch.codes[:, 0].tolist() == [0, 0]
    assert batch.segments[:, 0].tolist() == [1, 0, 1]
    assert batch.sources.tolist() == [0]
    assert batch.unseen == {}


def test_the_arrays_have_the_types_that_the_kernel_wants() -> None:
    batch = only(decode(event(), event()))
    assert (batch.numeric.dtype, batch.codes.dtype, batch.segments.dtype) == (np.float64, np.int32, np.int32)
    assert (batch.timestamps_ms.dtype, batch.sources.dtype, batch.version_codes.dtype) == (np.int64, np.int32, np.int32)
    assert all(array.flags.c_contiguous for array in (batch.numeric, batch.codes, batch.segments))


@pytest.mark.parametrize("value", ["text", "1", [1], {}, math.nan, math.inf, -math.inf, 10**400, 10**4000])
def test_a_bad_number_is_invalid_and_the_event_is_kept(value: Any) -> None:
    batch = only(decode(event(features={"distance": value, "carrier": "UA"})))
    assert batch.numeric[DISTANCE, 0] == np.inf
    assert batch.codes[CARRIER, 0] == 0


@pytest.mark.parametrize(("value", "found"), [(True, 1.0), (False, 0.0), ("", math.nan), (None, math.nan)])
def test_booleans_are_numbers_and_empty_text_is_null_in_a_numeric_column(value: Any, found: float) -> None:
    raw = json.dumps(event(features={"distance": value})).encode()
    for forgiving_only in (False, True):
        decoded = JsonDecoder([FLIGHTS], forgiving_only=forgiving_only).decode([raw], "predictions", NOW_MS)
        np.testing.assert_array_equal(decoded.batches[0].numeric[DISTANCE], [found])


def test_empty_text_is_no_category() -> None:
    assert carrier("") == (CODE_NULL, None)


def test_a_number_with_more_digits_than_python_converts_is_invalid() -> None:
    raw = json.dumps(event()).encode().replace(b"1400", b"9" * 5000)
    assert only(decode(raw)).numeric[DISTANCE, 0] == np.inf


@pytest.mark.parametrize("features", [{}, {"distance": None, "carrier": None}, {"unknown": [1]}])
def test_an_absent_feature_is_null_and_an_unknown_one_is_ignored(features: Any) -> None:
    batch = only(decode(event(features=features)))
    assert np.isnan(batch.numeric[DISTANCE, 0])
    assert batch.codes[CARRIER, 0] == CODE_NULL


@pytest.mark.parametrize(
    ("value", "code"),
    [("UA", 0), (1, 1), (1.0, 1), ("1", 1), (True, 2), ("true", 2), (1.5, 3), ("日本", 4), ("rare", OTHER_CARRIER)],
)
def test_a_category_is_canonical_text(value: Any, code: int) -> None:
    assert carrier(value) == (code, None)


@pytest.mark.parametrize(
    ("value", "text"),
    [("XX", "XX"), (2, "2"), (2.0, "2"), (False, "false"), ("1.0", "1.0"), (10**30, str(10**30))],
)
def test_an_unseen_category_is_told_with_its_row(value: Any, text: str) -> None:
    assert carrier(value) == (UNSEEN_CARRIER, [(0, text)])


@pytest.mark.parametrize("value", [[1], {"a": 1}, math.nan, math.inf])
def test_a_bad_category_is_invalid(value: Any) -> None:
    assert carrier(value) == (CODE_INVALID, None)


def test_a_lone_surrogate_becomes_text_that_can_be_encoded() -> None:
    raw = json.dumps(event(features={"carrier": "a\ud800"}, version="\udc00")).encode()
    batch = only(decode(raw))
    assert batch.unseen[CARRIER] == [(0, "a\ufffd")]
    assert batch.versions == ("\ufffd",)


@pytest.mark.parametrize(
    ("prediction", "score", "label"),
    [
        (0.5, 0.5, CODE_NULL),
        (1, math.nan, 5),  # a class that the reference never held
        (1.0, 1.0, CODE_NULL),
        ("late", math.nan, 0),
        (True, math.nan, 2),
        (None, ABSENT, CODE_ABSENT),
        (..., ABSENT, CODE_ABSENT),
        ({}, math.nan, CODE_NULL),
        ({"score": 0.2}, 0.2, CODE_NULL),
        ({"label": 3}, math.nan, 3),
        ({"score": "high", "label": []}, math.inf, CODE_INVALID),
        (math.nan, math.inf, CODE_NULL),
        ([0.5], math.inf, CODE_INVALID),
        ({"probabilities": {"late": 0.3, "on-time": 0.7}}, 0.7, 1),
        ({"probabilities": {"late": 0.3, "on-time": 0.7}, "score": 0.1}, 0.1, 1),
        ({"probabilities": {"late": 0.3, "on-time": 0.7}, "label": "late"}, 0.7, 0),
        ({"probabilities": [0.1, 0.2, 0.3, 0.4]}, 0.4, 3),
        ({"probabilities": {}}, math.nan, CODE_NULL),
        ({"probabilities": {"late": "x"}}, math.inf, CODE_INVALID),
        ({"probabilities": {"late": "x", "on-time": 0.1}}, 0.1, 1),
    ],
)
def test_a_prediction_takes_every_form(prediction: Any, score: float, label: int) -> None:
    batch = only(decode(event(prediction=prediction)))
    assert batch.numeric[SCORE, 0] == score or (math.isnan(batch.numeric[SCORE, 0]) and math.isnan(score))
    assert batch.codes[LABEL, 0] == label


def test_a_regression_takes_no_score_from_probabilities() -> None:
    model = ModelSpec(name="flights", task="regression", layout=FLIGHTS.layout)
    batch = only(decode(event(prediction={"probabilities": {"late": 1.0}}), models=(model,)))
    assert np.isnan(batch.numeric[SCORE, 0])


def test_feature_logs_have_no_prediction() -> None:
    for messages in ([event()], [event(prediction=[1], prediction_id=[1], features={"distance": "bad"})]):
        batch = only(decode(*messages, role="features"))
        assert batch.numeric[SCORE, 0] == ABSENT
        assert batch.codes[LABEL, 0] == CODE_ABSENT


def test_a_flat_event_has_its_features_at_the_top() -> None:
    flat = {"timestamp": TIME_MS, "distance": 3, "carrier": "UA", "score": 0.4, "label": "on-time", "origin": "EWR"}
    batch = only(decode(flat, {**flat, "label": "zzz"}, {**flat, "prediction": 0.9}))
    assert batch.numeric[:2].tolist() == [[3.0, 3.0, 3.0], [0.4, 0.4, 0.4]]
    assert batch.codes.tolist() == [[0, 0, 0], [1, 5, 1]]
    assert batch.unseen == {LABEL: [(1, "zzz")]}
    assert batch.segments[0].tolist() == [0, 0, 0]


def test_a_segment_is_named_else_a_feature_else_the_rest() -> None:
    batch = only(
        decode(
            event(segments={"origin": "EWR", "carrier": "1"}),
            event(segments={}, features={"origin": "EWR", "carrier": "UA", "temp": 1}),
            event(segments={"origin": None}, features={"origin": "LGA", "temp": "x"}),
            event(segments=[], features={}),
            event(segments={"origin": ["EWR"], "temp": 1.0}),
        )
    )
    assert batch.segments.tolist() == [[0, 0, 2, 2, 2], [1, 0, 2, 2, 0], [1, 0, 2, 2, 0]]


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        (631_152_000_000, 631_152_000_000),
        (float(TIME_MS), TIME_MS),
        ("1990-01-01T00:00:00Z", 631_152_000_000),
        ("2023-11-14T12:00:00", 1_699_963_200_000),
        ("2023-11-14 12:00:00.5 UTC", 1_699_963_200_500),
        ("2023-11-14", 1_699_920_000_000),
        (str(TIME_MS), TIME_MS),
        (TIME_MS + 0.75, TIME_MS),
        ("2023-11-14T12:00:00.1239Z", 1_699_963_200_123),
        ("2023-11-14T13:30:00+01:30", 1_699_963_200_000),
        (NOW_MS + 86_400_000, NOW_MS + 86_400_000),
    ],
)
def test_a_timestamp_is_milliseconds_or_a_text(timestamp: Any, expected: int) -> None:
    assert only(decode(event(timestamp=timestamp))).timestamps_ms.tolist() == [expected]


@pytest.mark.parametrize(
    "timestamp",
    [
        ..., None, True, [], "soon", "14.11.2023",
        0, 631_151_999_999, TIME_MS // 1000, TIME_MS * 1000, -1, 1.5, math.nan, 10**30,
        NOW_MS + 86_400_001, 4_102_444_800_000, "2100-01-01T00:00:00Z", "1969-12-31T23:59:59Z",
        "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", str(TIME_MS * 1000), 2**63, 2**64,
    ],
)  # fmt: skip
def test_a_bad_timestamp_rejects_the_event_and_not_its_neighbours(timestamp: Any) -> None:
    bad = event(timestamp=timestamp)
    decoded = decode(event(), bad, [event(), bad, event()])
    assert reasons(decoded) == [(1, 0, Reason.BAD_TIMESTAMP), (2, 1, Reason.BAD_TIMESTAMP)]
    assert [batch.n for batch in decoded.batches] == [3]
    assert decoded.batches[0].sources.tolist() == [0, 2, 2]
    assert all(
        json.loads(one.raw) == json.loads(json.dumps(bad)) or math.nan in bad.values() for one in decoded.rejects
    )
    assert {one.model for one in decoded.rejects} == {"flights"}


@pytest.mark.parametrize("identity", [True, 1.5, [], {}])
def test_an_id_that_no_label_can_name_is_rejected(identity: Any) -> None:
    assert reasons(decode(event(prediction_id=identity))) == [(0, 0, Reason.MISSING_ID)]


@pytest.mark.parametrize("identity", [..., None, "", 7, 2**70, "日本"])
def test_an_id_may_be_text_an_integer_or_absent(identity: Any) -> None:
    only(decode(event(prediction_id=identity)))


@pytest.mark.parametrize(
    ("version", "text"), [(..., ""), (None, ""), (3, "3"), ("3", "3"), (2**70, str(2**70)), (1.5, "1.5")]
)
def test_a_version_is_text(version: Any, text: str) -> None:
    assert only(decode(event(version=version))).versions == (text,)


@pytest.mark.parametrize("forgiving_only", [False, True])
@pytest.mark.parametrize("version", ["x" * 200, "日" * 200, "\n" * 200, 10**199])
def test_a_version_may_have_200_characters(version: Any, forgiving_only: bool) -> None:
    longer = version * 10 if isinstance(version, int) else version + "x"
    decoded = decode(event(version=version), event(version=longer), event(), forgiving_only=forgiving_only)
    assert decoded.batches[0].versions == ("3", str(version)) or decoded.batches[0].versions == (str(version), "3")
    assert reasons(decoded) == [(1, 0, Reason.SCHEMA)]
    assert decoded.rejects[0].detail == "version is no text or number of at most 200 characters"


@pytest.mark.parametrize("forgiving_only", [False, True])
def test_of_an_unseen_category_200_characters_are_kept(forgiving_only: bool) -> None:
    long = "日" * 200
    messages = [event(features={"carrier": one}) for one in (long, long + "x", 10**299)]
    messages.append(event(prediction={"score": 0.5, "probabilities": {long + "y": 1.0}}))
    batch = only(decode(*messages, forgiving_only=forgiving_only))
    assert batch.codes[CARRIER, :3].tolist() == [UNSEEN_CARRIER] * 3
    assert batch.unseen == {CARRIER: [(0, long), (1, long), (2, "1" + "0" * 199)], LABEL: [(3, long)]}


def test_events_of_several_messages_are_the_same_taken_together_or_few_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    odd = [event(version="\n"), 7, event(features={"carrier": "new"}), event(timestamp=2 * NOW_MS), event()]
    messages = [[event(version=number) for number in range(5)], event(), odd, b"bad", odd[:1], [event()], []]
    together = decode(*messages)
    for most in (1, 2, 3, 7):
        monkeypatch.setattr("monitor.events.json.decoder.CHUNK", most)
        same(decode(*messages), together)


def test_more_versions_than_the_kernel_tells_apart() -> None:
    batch = only(decode(*(event(version=f"v{i % 40}") for i in range(100))))
    assert [batch.versions[code] for code in batch.version_codes] == [f"v{i % 40}" for i in range(100)]


def test_an_event_belongs_to_its_model() -> None:
    decoded = decode(
        event(), {"model": "other", "timestamp": TIME_MS, "features": {"x": 1}}, event(model="third"), event(model=...),
        event(model=["flights"]), models=(FLIGHTS, OTHER),
    )  # fmt: skip
    assert [(batch.model, batch.n) for batch in decoded.batches] == [("flights", 1), ("other", 1)]
    assert reasons(decoded) == [(i, 0, Reason.UNKNOWN_MODEL) for i in (2, 3, 4)]


def test_a_rank_with_one_model_left_does_not_take_events_that_name_none() -> None:
    flat = {"model": "other", "timestamp": TIME_MS, "x": 1}
    decoded = decode(flat, {**flat, "model": "other"}, {"timestamp": TIME_MS, "x": 1}, models=(FLIGHTS, OTHER))
    assert reasons(decoded) == [(2, 0, Reason.UNKNOWN_MODEL)]


def test_paths_are_mapped() -> None:
    mapping = Mapping(
        timestamp="meta.at", version="meta.v", features="in", score="out.p", label="out.class", prediction_id="meta.id"
    )
    model = ModelSpec(name="flights", layout=FLIGHTS.layout, mapping=mapping)
    message = {"meta": {"at": TIME_MS, "v": 2, "id": 5}, "in": {"distance": 1}, "out": {"p": 0.5, "class": "late"}}
    batch = only(decode(message, {**message, "out": 0.7}, {**message, "out": "late"}, models=(model,)))
    assert batch.numeric[SCORE].tolist()[:2] == [0.5, 0.7]
    assert batch.codes[LABEL].tolist() == [0, CODE_NULL, 0]
    assert batch.versions == ("2",)


def test_crossing_paths_still_decode() -> None:
    mapping = Mapping(timestamp="features.distance", min_time_ms=0)
    model = ModelSpec(name="flights", layout=FLIGHTS.layout, mapping=mapping)
    batch = only(decode(event(features={"distance": 5}), models=(model,)))
    assert (batch.timestamps_ms[0], batch.numeric[DISTANCE, 0]) == (5, 5.0)


def test_names_that_a_struct_cannot_have_still_decode() -> None:
    names = ('quo"te', "back\\slash", "new\nline", "a.b", "", "日本", "__class__", "f0")
    model = ModelSpec(name='mo"del', layout=Layout([numeric(name) for name in names]))
    message = {"model": 'mo"del', "timestamp": TIME_MS, "features": {name: i for i, name in enumerate(names)}}
    assert only(decode(message, models=(model,))).numeric[:, 0].tolist() == list(range(len(names)))


def test_arrays_and_lines_hold_many_events() -> None:
    lines = b"\r\n".join(json.dumps(event(version=v)).encode() for v in "12") + b"\n\n"
    pretty = json.dumps(event(version="5"), indent=1).encode()
    decoded = decode([event(version="0")], lines, [event(version="3"), event(version="4")], pretty, b"[]", b" [ ] ")
    batch = only(decoded)
    assert [batch.versions[code] for code in batch.version_codes] == list("012345")
    assert batch.sources.tolist() == [0, 1, 1, 2, 2, 3]


def test_a_bad_event_never_rejects_its_neighbours() -> None:
    good = json.dumps(event()).encode()
    array = b"[" + b",".join([good, b"nonsense", b'{"features": NaN}', b'"\xff"', good, b"7", b"[1]", b"{}"]) + b"]"
    lines = b"\n".join([good, b"[", good, good[:40], b'{"timestamp": "\xff"}', good, good[:-1]])
    decoded = decode(good, array, lines, good)
    assert [batch.n for batch in decoded.batches] == [7]
    assert decoded.batches[0].sources.tolist() == [0, 1, 1, 2, 2, 2, 3]
    undecodable, schema, time = Reason.UNDECODABLE, Reason.SCHEMA, Reason.BAD_TIMESTAMP
    assert reasons(decoded) == [
        (1, 1, undecodable), (1, 2, time), (1, 3, undecodable), (1, 5, schema), (1, 6, schema), (1, 7, time),
        (2, 1, undecodable), (2, 3, undecodable), (2, 4, undecodable), (2, 6, undecodable),
    ]  # fmt: skip
    assert decoded.rejects[0].raw == b"nonsense"
    assert decoded.rejects[-1].raw == good[:-1]


def test_a_message_without_bytes_is_one_reject() -> None:
    decoded = decode(None, b"", b" \n ", event())
    assert reasons(decoded) == [(i, 0, Reason.UNDECODABLE) for i in range(3)]
    assert decoded.rejects[0].raw == b""


def test_limits_reject_the_whole_message() -> None:
    big = event(prediction_id="x" * 2000)
    decoded = decode(
        event(), big, [event()] * 4, [event()] * 3, limits=Limits(max_message_bytes=1500, max_events_a_message=3)
    )
    assert reasons(decoded) == [(1, 0, Reason.OVERSIZE), (2, 0, Reason.OVERSIZE)]
    assert json.loads(decoded.rejects[0].raw) == big


def test_invalid_utf_8_is_undecodable_wherever_it_lies() -> None:
    for place in (b"UA", b"a1"):
        raw = json.dumps(event(ignored="UA")).encode().replace(place, b"\xff")
        assert reasons(decode(raw)) == [(0, 0, Reason.UNDECODABLE)]
    raw = json.dumps(event(ignored="zz")).encode().replace(b"zz", b"\xff")
    assert reasons(decode(raw, event())) == [(0, 0, Reason.UNDECODABLE)]


def test_the_last_of_two_equal_keys_counts() -> None:
    raw = (
        json.dumps(event())
        .encode()
        .replace(b'"temp"', b'"distance": 7, "temp"')
        .replace(b'"model"', b'"model": "x", "model"')
    )
    assert only(decode(raw)).numeric[DISTANCE, 0] == 7.0


def test_a_byte_order_mark_is_passed_over() -> None:
    only(decode(b"\xef\xbb\xbf" + json.dumps(event()).encode()))


def test_details_are_short_and_encodable() -> None:
    decoded = decode(event(timestamp="\ud800" * 500), event(model="\ud800" * 500))
    assert all(len(one.detail) <= 200 and one.detail.encode() for one in decoded.rejects)


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*.json*")), ids=lambda path: path.name)
def test_the_corpus_gives_what_its_names_say(path: Path) -> None:
    expected = path.name.split(".")[0].partition("-")[0]
    decoded = decode(path.read_bytes(), models=(FLIGHTS,))
    if expected == "kept":
        only(decoded)
    else:
        assert reasons(decoded) == [(0, 0, Reason(expected))]


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"features":{"distance":', b'{"model":"flights","x":['])
@pytest.mark.parametrize("depth", [100, 900, 1100, 100_000])
def test_deep_nesting_never_escapes(opening: bytes, depth: int) -> None:
    decode(opening * depth, opening * depth + b"1" + b"]" * depth, event())


def test_ten_megabytes_are_oversize() -> None:
    decoded = decode(b'{"a": "' + b"x" * 10_000_000 + b'"}', event())
    assert reasons(decoded) == [(0, 0, Reason.OVERSIZE)]


TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=8)
SCALAR = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(-(2**70), 2**70), st.floats(), TEXT,
    st.sampled_from(["UA", "1", "true", "late", "EWR", "1.5", 1, 1.0, 1.5, 0, -0.0, 2.5, 10**400]),
    st.builds(str.__mul__, st.sampled_from(["x", "é", "\n", "日"]), st.integers(195, 205)),
)  # fmt: skip
KEY = TEXT | st.sampled_from(["score", "label"])
JSON = st.recursive(
    SCALAR, lambda below: st.lists(below, max_size=3) | st.dictionaries(KEY, below, max_size=3),
    max_leaves=5,
)  # fmt: skip
TIMES = st.one_of(
    st.just(TIME_MS), st.integers(-5, 2 * NOW_MS), st.datetimes().map(lambda at: at.isoformat() + "Z"),
    st.datetimes().map(lambda at: at.isoformat() + "+05:30"), JSON,
)  # fmt: skip


def maybe(**strategies: Any) -> Any:
    return st.fixed_dictionaries({}, optional=strategies)


FEATURES = maybe(distance=SCALAR | JSON, carrier=SCALAR | JSON, temp=SCALAR | st.floats(0, 3), origin=SCALAR, more=JSON)
PREDICTION = maybe(
    score=SCALAR,
    label=SCALAR,
    probabilities=JSON | st.dictionaries(st.sampled_from(["late", "on-time", "x"]), SCALAR, max_size=3),
)
EVENT = st.fixed_dictionaries(
    {"timestamp": TIMES},
    optional={
        "model": st.sampled_from(["flights", "other", "third"]) | SCALAR,
        "version": SCALAR, "prediction_id": SCALAR, "features": FEATURES | JSON,
        "prediction": PREDICTION | SCALAR | JSON, "segments": maybe(origin=SCALAR, carrier=JSON, temp=SCALAR) | JSON,
        "score": SCALAR, "label": SCALAR, "distance": SCALAR, "carrier": SCALAR, "temp": SCALAR, "origin": SCALAR,
    },
)  # fmt: skip


def same(one: Decoded, two: Decoded) -> None:
    assert one.n_events == two.n_events
    assert list(one.rejects) == list(two.rejects)
    assert [batch.model for batch in one.batches] == [batch.model for batch in two.batches]
    for a, b in zip(one.batches, two.batches, strict=True):
        np.testing.assert_array_equal(a.numeric, b.numeric)
        for name in ("timestamps_ms", "codes", "segments", "sources", "version_codes"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
        assert (a.n, a.versions, a.unseen) == (b.n, b.versions, b.unseen)


FAST = {n: JsonDecoder((FLIGHTS, OTHER)[:n]) for n in (1, 2)}  # kept for the run: what it learns must change nothing
FORGIVING = {n: JsonDecoder((FLIGHTS, OTHER)[:n], forgiving_only=True) for n in (1, 2)}


@settings(max_examples=400, deadline=None)
@given(
    events=st.lists(EVENT, max_size=5), models=st.sampled_from([1, 2]),
    role=st.sampled_from(["predictions", "features"]),
    form=st.sampled_from(["single", "array", "lines"]),
)  # fmt: skip
def test_the_compiled_path_equals_the_forgiving_one(events: Any, models: int, role: Any, form: str) -> None:
    raws = [json.dumps(one).encode() for one in events]
    if form == "array":
        raws = [b"[" + b",".join(raws) + b"]"]
    elif form == "lines":
        raws = [b"\n".join(raws)]
    decoded = FAST[models].decode(raws, role, NOW_MS)
    assert decoded.n_events == sum(batch.n for batch in decoded.batches) + len(decoded.rejects)
    for batch in decoded.batches:
        for pairs in batch.unseen.values():
            assert all(value.encode() is not None for _, value in pairs)
        assert all(version.encode() is not None for version in batch.versions)
    same(decoded, FORGIVING[models].decode(raws, role, NOW_MS))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=4))
def test_no_bytes_raise(messages: list[bytes]) -> None:
    same(FAST[1].decode(messages, "predictions", NOW_MS), FORGIVING[1].decode(messages, "predictions", NOW_MS))


@settings(max_examples=300, deadline=None)
@given(JSON)
def test_no_json_raises(value: Any) -> None:
    raw = json.dumps(value).encode()
    same(FAST[2].decode([raw], "predictions", NOW_MS), FORGIVING[2].decode([raw], "predictions", NOW_MS))


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_mutated_events_never_raise_and_both_paths_agree(data: Any) -> None:
    raw = bytearray(
        json.dumps(
            data.draw(st.sampled_from([event(), [event(), event()], event(prediction=0.5)])), ensure_ascii=False
        ).encode()
    )
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(raw) - 1))
        piece = data.draw(
            st.sampled_from(
                [b"", b"\xff", b'"', b"\\", b"NaN", b"\n", b"1e999", b"[", b"}", b",", b"\\ud800", b"0", b"-"]
            )
        )
        raw[at : at + data.draw(st.integers(0, 4))] = piece
    messages = [bytes(raw), json.dumps(event()).encode()]
    same(FAST[1].decode(messages, "predictions", NOW_MS), FORGIVING[1].decode(messages, "predictions", NOW_MS))


def test_the_order_and_size_of_batches_change_nothing() -> None:
    rng = np.random.default_rng(5)
    forms: list[Any] = [
        event(), event(prediction=0.3), event(prediction="late"), event(features={"distance": "x"}),
        event(timestamp=-1),
        {"timestamp": TIME_MS, "distance": 1.0, "score": 0.5}, event(features={"carrier": "new"}), event(version="9"),
    ]  # fmt: skip
    raws = [json.dumps(forms[i]).encode() for i in rng.integers(0, len(forms), 1500)]
    whole = JsonDecoder([FLIGHTS]).decode(raws, "predictions", NOW_MS)
    same(whole, JsonDecoder([FLIGHTS], forgiving_only=True).decode(raws, "predictions", NOW_MS))
    decoder = JsonDecoder([FLIGHTS])
    pieces = [decoder.decode(raws[i : i + 100], "predictions", NOW_MS) for i in range(0, 1500, 100)]
    np.testing.assert_array_equal(
        whole.batches[0].numeric, np.concatenate([p.batches[0].numeric for p in pieces], axis=1)
    )
    np.testing.assert_array_equal(whole.batches[0].codes, np.concatenate([p.batches[0].codes for p in pieces], axis=1))
    assert len(whole.rejects) == sum(len(piece.rejects) for piece in pieces)
