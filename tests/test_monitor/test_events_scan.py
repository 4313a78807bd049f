"""The pieces of the compiled scan against Python; and that ordinary events need nothing else."""

import json
import struct
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from detectors.columns import Column, Kind
from detectors.layout import Layout
from monitor.events.json import named, text
from monitor.events.json.decimals import nearest
from monitor.events.json.decoder import JsonDecoder
from monitor.events.json.forgiving import Forgiving
from monitor.events.json.instant import clock_of, instant
from monitor.events.lookup import ASK, CodeTable, PackedTables, find
from monitor.events.models import ModelSpec
from monitor.events.times import TimeRule
from monitor.events.words import PADDING

settings.register_profile("compiled", deadline=None)
settings.load_profile("compiled")
WORK = np.zeros(1)
NOW_MS = 1_700_000_000_000

RULE = TimeRule(min_ms=0)
CLOCK = clock_of(RULE)


def data_of(raw: bytes) -> Any:
    return np.frombuffer(raw + b"\0" + PADDING, dtype=np.uint8)


def parsed(digits: str) -> float | None:
    """The number in a text by the compiled functions; None where they ask Python."""
    end, significant, exponent, flags = text.number(data_of(digits.encode()), np.uint64(0))
    assert int(end) == len(digits)
    value, sure = nearest(np.uint64(significant), exponent, WORK)
    if not sure or flags & text.CUT:
        return None
    return -value if flags & text.NEGATIVE else value


def bits(value: float) -> bytes:
    return struct.pack("<d", value)


DECIMAL = st.builds(
    lambda sign, whole, fraction, exponent: f"{sign}{whole}{fraction}{exponent}",
    st.sampled_from(["", "-"]),
    st.integers(0, 10**20).map(str),
    st.one_of(st.just(""), st.integers(0, 10**20).map(lambda n: f".{n}"), st.integers(0, 999).map(lambda n: f".00{n}")),
    st.one_of(st.just(""), st.integers(-400, 400).map(lambda n: f"e{n}"), st.integers(0, 30).map(lambda n: f"E+{n}")),
)


@settings(max_examples=2_000)
@given(DECIMAL)
@example("9007199254740993")  # half way between two floats: to the even one
@example("9007199254740993.0000000000000001")
@example("1.7976931348623157e308")
@example("1.7976931348623159e308")
@example("2.2250738585072014e-308")
@example("4.9e-324")
@example("1e-400")
@example("-0.0")
def test_a_decimal_is_the_float_that_python_reads(digits: str) -> None:
    found = parsed(digits)
    assert found is None or bits(found) == bits(float(digits))


@settings(max_examples=2_000)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_what_python_writes_of_a_normal_float_is_read_without_asking(value: float) -> None:
    written = repr(value).replace("e+", "e")
    found = parsed(written)
    if found is None:
        assert 0.0 < abs(value) < 2.3e-308, "below the normal floats alone"
    else:
        assert bits(found) == bits(value)


@given(st.text("0123456789.eE+-", min_size=1, max_size=12))
def test_what_is_no_json_number_is_refused(raw: str) -> None:
    end, *_ = text.number(data_of(raw.encode()), np.uint64(0))
    try:
        wanted = bool(json.loads(raw) is not None)
    except ValueError:
        wanted = False
    assert (int(end) == len(raw)) == wanted


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=9), below, max_size=3),
    max_leaves=8,
)


@settings(max_examples=500)
@given(JSON, st.sampled_from([None, 1]), st.booleans(), st.data())
def test_a_value_ends_where_json_ends_and_a_damaged_one_is_never_longer(
    value: Any, indent: int | None, ascii_only: bool, data: st.DataObject
) -> None:
    raw = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assert int(text.value(data_of(raw + b" ,"), np.uint64(0))) == len(raw)
    at = data.draw(st.integers(0, len(raw) - 1))
    damaged = raw[:at] + data.draw(st.sampled_from([b"", b'"', b"\\", b"\x01", b"}", b",", b"\\u12"])) + raw[at + 1 :]
    end = int(text.value(data_of(damaged), np.uint64(0)))
    if end:
        json.loads(damaged[:end].decode(errors="replace"))  # raises where the scan took what is no JSON


@settings(max_examples=1_000)
@given(
    st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)),
    st.sampled_from(["Z", "+00:00", "+05:30", "-11:00", "+23:59", "", "z", "+0530", " UTC", "+05"]),
    st.sampled_from(["T", " ", "t"]),
)
def test_a_time_is_the_one_that_python_reads(at: datetime, offset: str, mark: str) -> None:
    written = at.isoformat(mark) + offset
    found = int(instant(data_of(written.encode()), np.uint64(0), np.uint64(len(written)), CLOCK))
    wanted = RULE.read(written)
    assert found in (-1, wanted)
    if mark != "t" and offset in ("Z", "", " UTC", "+05:30") and at.year > 1970:
        assert found == wanted


@pytest.mark.parametrize(
    "wrong",
    ["2013-02-29T00:00:00Z", "2013-13-01T00:00:00Z", "2013-00-01T00:00:00Z", "2013-01-32T00:00:00Z",
     "2100-02-29T00:00:00Z", "2013-01-01T24:00:00Z", "2013-01-01T00:60:00Z",
     "2013-01-01T00:00:00.Z", "2013-01-01Z", "2013-01-01T00:00", "2013-01-01T00:00:00 UT", "2013-01-01 UTC",
     "2013-01-01T00:00:00Zx", "1969-12-31T23:59:59Z", "2013-01-01T00:00:00+24:00", "20x3-01-01T00:00:00Z"],
)  # fmt: skip
def test_what_is_no_plain_time_is_left_to_python(wrong: str) -> None:
    assert instant(data_of(wrong.encode()), np.uint64(0), np.uint64(len(wrong)), CLOCK) == -1


@pytest.mark.parametrize("leap", ["2012-02-29", "2000-02-29", "2013-12-31", "1970-01-01", "2024-02-29"])
def test_the_days_of_leap_years_are_counted(leap: str) -> None:
    written = f"{leap}T01:02:03.456Z"
    assert instant(data_of(written.encode()), np.uint64(0), np.uint64(len(written)), CLOCK) == RULE.read(written)


@settings(max_examples=300)
@given(st.lists(st.text(max_size=40), max_size=40, unique=True), st.lists(st.text(max_size=40), max_size=20))
def test_a_table_finds_what_it_holds_and_nothing_else(texts: list[str], others: list[str]) -> None:
    codes = {one: code for code, one in enumerate(texts)}
    first = CodeTable(codes={"another": 7}, null=-1, invalid=-2, other=ASK)
    packed = PackedTables([first, CodeTable(codes=codes, null=-1, invalid=-2, other=ASK)])
    for one in [*texts, *others, *(f"{one}x" for one in texts)]:
        raw = b"??" + one.encode()
        place = np.uint64(2), np.uint64(len(raw))
        found = _find(data_of(raw), *place, 1, packed.info, packed.slots, packed.entries, packed.words)
        assert found == codes.get(one, ASK)


def _find(*arguments: Any) -> int:
    return int(find(*arguments))


@given(st.lists(st.sampled_from(["", "1", "2", "a-long-version-name-1", "a-long-version-name-2", "é"]), max_size=30))
def test_versions_are_numbered_in_the_order_they_come(versions: list[str]) -> None:
    raws = [version.encode() for version in versions]
    ends = np.cumsum([len(raw) for raw in raws], dtype=np.uint64) if raws else np.empty(0, dtype=np.uint64)
    places = np.stack([ends - np.array([len(raw) for raw in raws], dtype=np.uint64), ends], axis=1)
    codes, firsts = np.empty(len(raws), dtype=np.int32), np.zeros(3, dtype=np.int64)
    n = named.distinct(data_of(b"".join(raws)), places, codes, firsts)
    seen = list(dict.fromkeys(versions))
    assert n == min(len(seen), 3)
    assert codes.tolist() == [seen.index(v) if seen.index(v) < 3 else ASK for v in versions]


COLUMNS = (
    Column(name="amount", kind=Kind.NUMERIC, edges=(0.0, 1.0)),
    Column(name="@score", kind=Kind.NUMERIC, edges=(0.0, 1.0)),
    Column(name="color", kind=Kind.CATEGORICAL, categories=("red", "7")),
    Column(name="@label", kind=Kind.CATEGORICAL, categories=("yes", "no")),
)
MODELS = tuple(ModelSpec(name=name, layout=Layout(COLUMNS), dimensions={"site": ("north",)}) for name in ("m", "other"))
GOOD: dict[str, Any] = {
    "model": "m",
    "version": "1",
    "prediction_id": "a",
    "timestamp": NOW_MS,
    "features": {"amount": 1.5, "color": "red", "site": "north"},
    "prediction": {"score": 0.5, "label": "yes"},
}
FLAT = {"model": "m", "timestamp": NOW_MS, "amount": 1, "color": 7, "score": 0.25, "label": "no", "site": "south"}
ORDINARY: dict[str, Sequence[bytes]] = {
    "nested": [json.dumps(GOOD).encode()],
    "nested, no spaces": [json.dumps(GOOD, separators=(",", ":")).encode()],
    "over several lines": [json.dumps(GOOD, indent=2).encode()],
    "flat": [json.dumps(FLAT).encode()],
    "bare number": [json.dumps({**GOOD, "prediction": 0.5}).encode()],
    "bare text": [json.dumps({**GOOD, "prediction": "yes"}).encode()],
    "probabilities": [json.dumps({**GOOD, "prediction": {"probabilities": {"yes": 0.7, "no": 0.3}}}).encode()],
    "RFC 3339": [json.dumps({**GOOD, "timestamp": "2023-11-14T22:13:20.123+01:00"}).encode()],
    "an unseen category, an escape, a wrong type": [
        json.dumps({**GOOD, "features": {"amount": "much", "color": "gr\u00fcn", "site": "\n"}}).encode()
    ],
    "many digits": [json.dumps({**GOOD, "features": {"amount": 0.1234567890123456789, "color": 7.0}}).encode()],
    "keys in another order, and more of them": [
        json.dumps({**dict(reversed(GOOD.items())), "trace": {"spans": [1, {"deep": [[]]}]}, "host": None}).encode()
    ],
    "an array": [json.dumps([GOOD, FLAT]).encode()],
    "lines": [json.dumps(GOOD).encode() + b"\n" + json.dumps(FLAT).encode()],
    "two models": [json.dumps(GOOD).encode(), json.dumps({**GOOD, "model": "other"}).encode()],
}


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_events_need_no_forgiveness(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = JsonDecoder(MODELS, forgiving_only=True).decode(ORDINARY[name], "predictions", NOW_MS)
    assert not wanted.rejects

    def refuse(*_: Any) -> None:
        raise AssertionError("the forgiving path was taken")

    monkeypatch.setattr(Forgiving, "row", refuse)
    found = JsonDecoder(MODELS).decode(ORDINARY[name], "predictions", NOW_MS)
    assert [batch.n for batch in found.batches] == [batch.n for batch in wanted.batches]
    for one, two in zip(found.batches, wanted.batches, strict=True):
        np.testing.assert_array_equal(one.numeric, two.numeric)
        np.testing.assert_array_equal(one.codes, two.codes)
        np.testing.assert_array_equal(one.segments, two.segments)


def test_what_asks_more_than_there_is_room_for_is_still_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.events.json.scanner.MAX_ASKS", 2)
    messages = [json.dumps({**GOOD, "features": {"color": f"new {i}"}}).encode() for i in range(7)]
    (batch,) = JsonDecoder(MODELS).decode(messages, "predictions", NOW_MS).batches
    assert [value for _, value in batch.unseen[0]] == [f"new {i}" for i in range(7)]
