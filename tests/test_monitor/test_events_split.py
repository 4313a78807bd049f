"""Messages of several events: what divides them, and that garbage divides nothing and takes no time."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.columns import Column, Kind
from detectors.layout import Layout
from monitor.events.json import split as splitting
from monitor.events.json.decoder import JsonDecoder
from monitor.events.json.forgiving import Refused
from monitor.events.json.split import split
from monitor.events.models import Limits, ModelSpec
from monitor.events.reasons import Reason
from monitor.events.times import TimeRule

NOW_MS = 1_700_000_000_000
MODEL = ModelSpec(name="m", layout=Layout([Column(name="x", kind=Kind.NUMERIC, edges=(0.0,))]))
GOOD = b'{"timestamp":1700000000000,"x":1}'
BOM = b"\xef\xbb\xbf"
MANY = 1_000_000


def outcome(message: bytes, **limits: int) -> tuple[int, list[tuple[int, Reason]]]:
    """Events that are counted, and rejects."""
    decoded = JsonDecoder([MODEL], Limits(**limits)).decode([message], "predictions", NOW_MS)
    n = sum(batch.n for batch in decoded.batches)
    assert decoded.n_events == n + len(decoded.rejects)
    return n, [(one.index, one.reason) for one in decoded.rejects]


def divided(message: bytes, most: int) -> list[bytes] | Reason:
    """The events, or why there are none."""
    try:
        return split(message, most)
    except Refused as refused:
        return refused.reason


@pytest.mark.parametrize(
    ("message", "n", "rejects"),
    [
        (BOM + b"[" + GOOD + b"," + GOOD + b"]", 2, []),
        (BOM + GOOD + b"\n" + GOOD, 2, []),
        (BOM + GOOD, 1, []),
        (b"[warn] broken producer line\n" + GOOD + b"\n" + GOOD, 2, [(0, Reason.UNDECODABLE)]),
        (b"[1]\n" + GOOD + b"\n" + GOOD, 2, [(0, Reason.SCHEMA)]),
        (GOOD + b"\n[warn] broken producer line\n" + GOOD, 2, [(1, Reason.UNDECODABLE)]),
        (b"xx\n" + GOOD, 1, [(0, Reason.UNDECODABLE)]),
        (b"[\n" + GOOD + b",\n" + GOOD + b",\n" + GOOD, 0, [(0, Reason.UNDECODABLE)]),
        (b"[warn] nothing\nbut [garbage]", 0, [(0, Reason.UNDECODABLE)]),
        (b'[{"timestamp":NaN},' + GOOD + b',"]","\\"]",' + GOOD + b"]", 2,
         [(0, Reason.BAD_TIMESTAMP), (2, Reason.SCHEMA), (3, Reason.SCHEMA)]),
        (b"[NaN," + GOOD + b"] x", 0, [(0, Reason.UNDECODABLE)]),
    ],
)  # fmt: skip
def test_a_bad_line_or_element_is_rejected_alone(message: bytes, n: int, rejects: Any) -> None:
    assert outcome(message) == (n, rejects)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"x\n" * 4_000_000, Reason.OVERSIZE),
        (b"{\n" * 4_000_000, Reason.OVERSIZE),
        (b"x\n" * 900_000, Reason.UNDECODABLE),
        (b"{\n" * 900_000, Reason.UNDECODABLE),
        (b"[" * 8_000_000, Reason.UNDECODABLE),
        (b"[[" + b"[]," * 2_600_000, Reason.UNDECODABLE),
        (b"[" + b"{}," * 2_600_000 + b"NaN]", Reason.OVERSIZE),
        (b'["' + b"a" * 8_000_000, Reason.UNDECODABLE),
    ],
)
def test_garbage_is_one_event_and_is_not_looked_at_line_by_line(
    message: bytes, reason: Reason, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed = []

    def parse(raw: bytes) -> Any:
        parsed.append(raw)
        raise Refused(Reason.UNDECODABLE, "")

    monkeypatch.setattr(splitting, "parse", parse)
    assert divided(message, MANY) in ([message], reason)
    assert len(parsed) <= 1_001


VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.sampled_from(['"', "\\", ",", "[", "}"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(st.lists(VALUES, max_size=5), st.sampled_from([None, 1]))
def test_an_array_divides_into_its_elements_whether_or_not_it_is_plain(values: list[Any], indent: int | None) -> None:
    found = split(json.dumps(values, indent=indent).encode(), MANY)
    assert json.dumps([json.loads(one) for one in found]) == json.dumps(values)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=30).map(lambda raw: b"[" + raw))
def test_no_bytes_raise_anything_but_a_refusal(message: bytes) -> None:
    assert divided(message, 3) is not None


@pytest.mark.parametrize(
    ("text", "fraction_ms"),
    [(".9999999", 999), (".999999999999", 999), (".0005", 0), (".1234567", 123), (".5", 500), (".0009999", 0)],
)
def test_fractions_of_a_millisecond_are_dropped_however_many_digits_there_are(text: str, fraction_ms: int) -> None:
    text = f"2023-11-14T22:13:19{text}Z"
    assert TimeRule().read(text) == NOW_MS - 1_000 + fraction_ms
    for forgiving_only in (False, True):
        decoder = JsonDecoder([MODEL], forgiving_only=forgiving_only)
        decoded = decoder.decode([json.dumps({"timestamp": text, "x": 1}).encode()], "predictions", NOW_MS)
        assert decoded.batches[0].timestamps_ms.tolist() == [NOW_MS - 1_000 + fraction_ms]
