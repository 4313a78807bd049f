"""What the scan guesses from earlier events changes no result, however the layout that it knows is damaged."""

import json
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.columns import Column, Kind
from detectors.layout import Layout
from monitor.events.batch import Decoded
from monitor.events.json import text
from monitor.events.json.decoder import JsonDecoder
from monitor.events.json.gathered import Gathered, measure
from monitor.events.models import ModelSpec
from monitor.events.words import PADDING

settings.register_profile("compiled", deadline=None)
settings.load_profile("compiled")
NOW_MS = 1_700_000_000_000
MODEL = ModelSpec(
    name="m",
    task="binary",
    layout=Layout(
        [
            Column(name="amount", kind=Kind.NUMERIC, edges=(0.0, 1.0)),
            Column(name="a feature with a name of forty characters", kind=Kind.NUMERIC, edges=(0.0, 1.0)),
            Column(name="@score", kind=Kind.NUMERIC, edges=(0.0, 1.0)),
            Column(name="color", kind=Kind.CATEGORICAL, categories=("red", "7", "a category of twenty-six")),
            Column(name="@label", kind=Kind.CATEGORICAL, categories=("yes", "no")),
        ]
    ),
    dimensions={"site": ("north", "1"), "color": ("red",)},
)
LAYOUTS: tuple[dict[str, Any], ...] = (
    {
        "model": "m",
        "version": "1",
        "prediction_id": "a",
        "timestamp": NOW_MS,
        "prediction": {"score": 0.5, "label": "yes"},
        "features": {"amount": 1.5, "a feature with a name of forty characters": 12, "color": "red", "site": "north"},
        "segments": {},
    },
    {
        "timestamp": NOW_MS - 1,
        "features": {"color": "a category of twenty-six", "unknown": [1, {}], "amount": -2.25},
        "segments": {"site": "1"},
        "trace": None,
        "prediction": 0.75,
    },
    {"amount": 12345678.5, "color": 7, "timestamp": "2023-11-14T22:13:20Z", "score": 0.25, "label": "no", "site": 1},
)
VALUES = re.findall(
    r"\S+",
    "0 -0 -0.0 0.0 1.5 -7 01 00 1. .5 - 1.25.3 12a 1e5 1E-2 1.5e3 1234567 12345678 1234567.8 123456.7 0.1234567 "
    '0.12345678 9007199254740993 1e400 null true false "7" "red" "" [] {} [1] {"a":1} 7.0 1699999999999 "é" "\\u0041"',
)
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},:]|[^\s"\[\]{},:]+')
EDITS = st.lists(
    st.tuples(
        st.sampled_from(["drop", "twice", "swap", "space", "value", "cut"]),
        st.integers(0, 60),
        st.sampled_from([*VALUES, " ", "\n\t", "\x00", "\x80"]),
    ),
    max_size=3,
)


def written(event: dict[str, Any], spaced: bool, edits: list[tuple[str, int, str]]) -> bytes:
    """An event as JSON, token by token, with some of them changed."""
    tokens = TOKEN.findall(json.dumps(event))
    gap = " " if spaced else ""
    pieces = [token + (gap if token in ",:" else "") for token in tokens]
    for what, at, other in edits:
        at %= len(pieces)
        if what == "drop":
            del pieces[at]
        elif what == "twice":
            pieces.insert(at, pieces[at])
        elif what == "swap":
            pieces[at - 1], pieces[at] = pieces[at], pieces[at - 1]
        elif what == "space":
            pieces.insert(at, " \n\t"[len(other) % 3])
        elif what == "value":
            pieces[at] = other
        else:
            pieces = [*pieces[:at], pieces[at][: len(other)]]
        pieces = pieces or ["{}"]
    return "".join(pieces).encode("latin-1" if any("\x80" in piece for piece in pieces) else "utf-8", "replace")


EVENTS = st.lists(st.builds(written, st.sampled_from(LAYOUTS), st.booleans(), EDITS), min_size=1, max_size=6)
LEARNED = JsonDecoder([MODEL])
FORGIVING = JsonDecoder([MODEL], forgiving_only=True)


def same(one: Decoded, two: Decoded) -> None:
    assert one.rejects == two.rejects
    assert (one.n_events, len(one.batches)) == (two.n_events, len(two.batches))
    for left, right in zip(one.batches, two.batches, strict=True):
        assert (left.versions, left.unseen) == (right.versions, right.unseen)
        for name in ("version_codes", "timestamps_ms", "numeric", "codes", "segments", "sources"):
            np.testing.assert_array_equal(getattr(left, name), getattr(right, name), name)
        np.testing.assert_array_equal(np.signbit(left.numeric), np.signbit(right.numeric))


@settings(max_examples=1_500)
@given(EVENTS, st.sampled_from(LAYOUTS), st.booleans())
def test_guesses_change_no_result(messages: list[bytes], layout: dict[str, Any], spaced: bool) -> None:
    known = written(layout, spaced, [])
    wanted = FORGIVING.decode([known, *messages, known], "predictions", NOW_MS)
    same(LEARNED.decode([known, *messages, known], "predictions", NOW_MS), wanted)
    same(JsonDecoder([MODEL]).decode([known, *messages, known], "predictions", NOW_MS), wanted)


@settings(max_examples=3_000)
@given(st.from_regex(r"-?[0-9]{0,9}(\.[0-9]{0,9})?([eE.][0-9]?)?", fullmatch=True), st.sampled_from(',}] \n"x'))
def test_a_short_number_is_the_one_that_python_reads_or_is_left(digits: str, after: str) -> None:
    data = np.frombuffer((digits + after).encode() + b"\0" + PADDING, dtype=np.uint8)
    end, found = text.short_number(data, np.uint64(0))
    plain = re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?", digits)
    if end:  # what follows is the scan's to look at: it may be a second point
        assert plain is None or int(end) == len(digits)
        wanted = json.loads(digits[: int(end)])
        assert (found, np.signbit(found)) == (wanted, np.signbit(float(wanted)))
    else:
        assert plain is None or len(digits.strip("-").replace(".", "")) > 7 or digits.startswith("-0")


class Text(bytes):
    """Bytes that are laid out in another way."""


@pytest.mark.parametrize("kind", [list, tuple])
@given(raws=st.lists(st.none() | st.binary(max_size=40) | st.text(max_size=20).map(lambda one: Text(one.encode()))))
def test_texts_are_gathered_as_they_are(kind: type, raws: list[bytes | None]) -> None:
    gathered = Gathered(kind(raws), 30)
    fit = [raw if raw is not None and len(raw) <= 30 else b"" for raw in raws]
    assert gathered.data.tobytes() == b"".join(raw + b"\0" for raw in fit) + PADDING
    spans = zip(gathered.starts.tolist(), gathered.ends.tolist(), strict=True)
    assert [gathered.text(start, end) for start, end in spans] == fit
    assert gathered.is_ascii.tolist() == [raw.isascii() for raw in fit]
    lengths, firsts = measure(kind(raws))
    assert lengths.tolist() == [len(raw or b"") for raw in raws]
    assert firsts.tolist() == [raw[0] if raw else 0 for raw in raws]
