"""One rule of times for every format, and the words for what is refused."""

import json
import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.layout import Layout
from detectors.reference import numeric_column
from monitor.events.arrow.table import decode_table
from monitor.events.arrow.times import milliseconds
from monitor.events.json.decoder import JsonDecoder
from monitor.events.json.instant import clock_of, of_float, of_integer
from monitor.events.label_mapping import LabelMapping
from monitor.events.mapping import Mapping
from monitor.events.models import ModelSpec
from monitor.events.times import MAX_TIMESTAMP_MS, SCALES, TimeRule

NOW_MS = 1_800_000_000_000
AT = datetime(2024, 3, 1, 10, 20, 30, 123_000, tzinfo=UTC)
AT_MS = int(AT.timestamp() * 1000)
UNITS = {"s": AT_MS / 1000, "ms": AT_MS, "us": AT_MS * 1_000, "ns": AT_MS * 1_000_000}


def spec(**mapping: Any) -> ModelSpec:
    return ModelSpec(name="m", layout=Layout([numeric_column("x", np.arange(9.0))[0]]), mapping=Mapping(**mapping))


def both(value: Any, **mapping: Any) -> list[Any]:
    """What a value becomes in JSON, by either path, and in a table: its time, or why it has none."""
    found = []
    raw = json.dumps({"timestamp": value, "x": 1}).encode()
    for forgiving_only in (False, True):
        decoder = JsonDecoder([spec(**mapping)], forgiving_only=forgiving_only)
        found.append(decoder.decode([raw], "predictions", NOW_MS))
    found.append(decode_table([spec(**mapping)], pa.table({"timestamp": [value], "x": [1]}), "predictions", NOW_MS))
    return [one.rejects[0].detail if one.rejects else int(one.batches[0].timestamps_ms[0]) for one in found]


@pytest.mark.parametrize("unit", SCALES)
def test_numbers_are_of_the_configured_unit_in_every_format(unit: Any) -> None:
    assert both(UNITS[unit], timestamp_unit=unit) == [AT_MS] * 3
    assert both(str(UNITS[unit]), timestamp_unit=unit) == [AT_MS] * 3


@pytest.mark.parametrize("unit", ["s", "us", "ns"])
def test_a_number_of_another_unit_is_refused_with_the_setting_that_fits(unit: Any) -> None:
    details = both(UNITS[unit])
    assert len(set(details)) == 1
    assert f"`mapping: {{timestamp_unit: {unit}}}` would make it 2024-03-01" in details[0]
    assert "taken as milliseconds" in details[0]


def test_milliseconds_are_refused_where_seconds_are_configured_and_the_setting_is_named() -> None:
    assert all("timestamp_unit: ms" in detail for detail in both(AT_MS, timestamp_unit="s"))


def test_what_lies_before_the_earliest_time_is_refused() -> None:
    assert both("1985-01-01", min_time_ms=0) == [473_385_600_000] * 3
    details = both("1985-01-01")
    assert len(set(details)) == 1
    assert "lies in 1985, before `min_time` 1990-01-01" in details[0]


@pytest.mark.parametrize(
    "text",
    ["2024-03-01T10:20:30.123Z", "2024-03-01 10:20:30.123", "2024-03-01T10:20:30.123", "2024-03-01 10:20:30.123 UTC",
     "2024-03-01T10:20:30.123456+00:00", "2024-03-01 11:20:30.123+01", "2024-03-01T12:20:30.123+0200",
     " 2024-03-01T10:20:30.123Z "],
)  # fmt: skip
def test_texts_mean_the_same_instant_in_every_format(text: str) -> None:
    assert both(text) == [AT_MS] * 3


def test_a_date_alone_and_a_native_date_are_midnight_of_the_zone() -> None:
    midnight_ms = int(datetime(2024, 2, 29, 23, tzinfo=UTC).timestamp() * 1000)
    assert both("2024-03-01", timezone="Europe/Berlin") == [midnight_ms] * 3
    dates = pa.array([datetime(2024, 3, 1).date()])
    rule = TimeRule(timezone="Europe/Berlin")
    for array in (dates, dates.cast(pa.date64()), dates.cast(pa.timestamp("us"))):
        assert milliseconds(array, rule).tolist() == [midnight_ms]
    assert milliseconds(dates.cast(pa.timestamp("us", "UTC")), rule).tolist() == [midnight_ms + 3_600_000]


@settings(max_examples=100, deadline=None)
@given(
    st.datetimes(datetime(1991, 1, 1), datetime(2090, 1, 1)),
    st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kolkata", "Australia/Lord_Howe"]),
)
def test_clocks_of_a_zone_are_read_alike_one_by_one_and_all_at_once(at: datetime, timezone: str) -> None:
    rule = TimeRule(timezone=timezone)
    native = pa.array([at], pa.timestamp("us"))
    wanted = rule.read(at.isoformat())
    assert milliseconds(native, rule).tolist() == [wanted]
    assert milliseconds(pa.array([at.isoformat(" ")]), rule).tolist() == [wanted]


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.integers(-(2**62), 2**62), st.floats(), st.floats(6e8, 4e9), st.floats(6e11, 4e12), st.text(max_size=30)
    ),
    st.sampled_from(list(SCALES)),
    st.sampled_from([0, 631_152_000_000]),
)
def test_no_value_is_read_otherwise_by_the_compiled_functions(value: Any, unit: Any, min_ms: int) -> None:
    rule = TimeRule(unit=unit, min_ms=min_ms)
    wanted = rule.read(value)
    expected = -1 if wanted is None else wanted
    assert milliseconds(pa.array([value]), rule).tolist() == [expected]
    if isinstance(value, float):
        assert int(of_float(value, clock_of(rule))) == (-1 if math.isnan(value) else expected)
    elif isinstance(value, int):
        assert int(of_integer(value, clock_of(rule))) == expected
    assert wanted is None or min_ms <= wanted <= MAX_TIMESTAMP_MS
    assert wanted is not None or rule.refusal(value, "timestamp").startswith("timestamp")


def test_a_time_that_lies_a_few_hours_ahead_may_be_of_another_clock() -> None:
    decoded = JsonDecoder([spec()]).decode(
        [json.dumps({"timestamp": NOW_MS + 86_400_001 + hours * 3_600_000}).encode() for hours in (0, 24)],
        "predictions",
        NOW_MS,
    )
    assert ["timezone" in one.detail for one in decoded.rejects] == [False, False]
    narrow = ModelSpec(name="m", layout=spec().layout, max_ahead_ms=3_600_000)
    ahead = json.dumps({"timestamp": NOW_MS + 7_200_000}).encode()
    assert "timezone" in JsonDecoder([narrow]).decode([ahead], "predictions", NOW_MS).rejects[0].detail


def test_labels_are_read_by_the_rule_of_predictions_unless_they_have_their_own() -> None:
    mapping = Mapping(timestamp_unit="s", timezone="Europe/Berlin", min_time_ms=0)
    assert LabelMapping().times(mapping) == mapping.times
    own = LabelMapping(timestamp_unit="ns", timezone="UTC").times(mapping)
    assert (own.unit, own.timezone, own.min_ms) == ("ns", "UTC", 0)
