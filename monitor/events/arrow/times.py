"""Arrow arrays of times, of whatever type, to milliseconds by the rule of `monitor.events.times`."""

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detectors.arrays import Ints
from monitor.events.arrow.arrays import BAD_TIME, present, python, shared, stored, validity, value_type
from monitor.events.arrow.places import Place
from monitor.events.json.forgiving import Refused, no_time
from monitor.events.json.instant import clock_of, of_texts
from monitor.events.reasons import Reason
from monitor.events.times import MAX_TIMESTAMP_MS, SCALES, TimeRule, Unit
from monitor.events.words import PADDING
from monitor.eventtime.zones import Zone, zone

_SPOKEN: Final = (
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_boolean,
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
)
"""Types of which JSON has the values too."""

_DAY_MS: Final = 86_400_000


def milliseconds(array: Any, rule: TimeRule) -> Ints:
    """(n,) int64: milliseconds since 1970 UTC, or BAD_TIME where there is no time between `rule.min_ms` and 9999."""
    array = stored(array)
    of_values = shared(array)
    if of_values is not None:
        return of_values.rows(milliseconds(of_values.values, rule), BAD_TIME)
    kind = array.type
    valid = validity(array)
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        result = _native(array, rule)
    elif pa.types.is_integer(kind):
        whole = array if valid is None else pc.fill_null(array, pa.scalar(0, type=kind))
        # An unsigned one beyond int64 becomes negative.
        result = _scaled(whole.to_numpy(zero_copy_only=False).astype(np.int64), rule.unit)
    elif pa.types.is_floating(kind):
        result = _floats(array, rule.unit)
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        result = _texts(array, rule)
    else:
        result = np.full(len(array), BAD_TIME, dtype=np.int64)
    if valid is not None:
        result = np.where(valid, result, BAD_TIME)
    return np.where((result < rule.min_ms) | (result > MAX_TIMESTAMP_MS), BAD_TIME, result)


def no_time_of(batch: Any, row: int, place: Place | None, where: str, rule: TimeRule, model: str) -> Refused:
    """Why a row's time is none, in the words for JSON where JSON could hold it."""
    if place is None:
        return no_time(None, where, rule, model)
    array, kind = place.of(batch), value_type(place.type)
    if not present(array)[row]:
        return no_time(None, where, rule, model)
    if not any(matches(kind) for matches in _SPOKEN):
        detail = f"{where} of type {kind} is not between `min_time` and 9999"
        return Refused(Reason.BAD_TIMESTAMP, detail, model)
    try:
        return no_time(array[row].as_py(), where, rule, model)
    except UnicodeDecodeError:  # of a file
        return Refused(Reason.BAD_TIMESTAMP, f"{where} is not UTF-8", model)


def _scaled(numbers: Ints, unit: Unit) -> Ints:
    """(n,) milliseconds of whole numbers of a unit; BAD_TIME of those that are too large to be multiplied."""
    times, per = SCALES[unit]
    whole = numbers // per if per > 1 else numbers
    if times == 1:
        return whole
    return np.where((whole < 0) | (whole > MAX_TIMESTAMP_MS // times), BAD_TIME, whole * times)


def _native(array: Any, rule: TimeRule) -> Ints:
    """Times and dates; those without a zone are of the rule's clocks."""
    kind = array.type
    date32 = pa.types.is_date32(kind)
    ticks = pc.cast(pc.cast(array, pa.int32()), pa.int64()) if date32 else pc.cast(array, pa.int64())
    raw: Ints = pc.fill_null(ticks, BAD_TIME).to_numpy(zero_copy_only=False).astype(np.int64)
    if date32:
        found = np.where((raw < 0) | (raw > MAX_TIMESTAMP_MS // _DAY_MS), BAD_TIME, raw * _DAY_MS)
    else:
        found = _scaled(raw, getattr(kind, "unit", "ms"))
    if getattr(kind, "tz", None) is not None or rule.is_utc:
        return found
    return np.where(found < 0, BAD_TIME, _first_instants(found, zone(rule.timezone)))


def _floats(array: Any, unit: Unit) -> Ints:
    """As `monitor.events.times.milliseconds_of`."""
    values = pc.fill_null(array, pa.scalar(np.nan, type=array.type)).to_numpy(zero_copy_only=False).astype(np.float64)
    inside = (values >= 0) & (values < 9e18)
    whole = np.floor(np.where(inside, values, 0.0))
    found = _scaled(whole.astype(np.int64), unit)
    if unit == "s":
        micros = np.rint((np.where(inside, values, 0.0) - whole) * 1e6).astype(np.int64)
        found = np.where(found < 0, BAD_TIME, found + micros // 1_000)
    return np.where(inside, found, BAD_TIME)


def _texts(array: Any, rule: TimeRule) -> Ints:
    """Texts: the plain forms compiled, the rest one by one."""
    wide = pa.types.is_large_string(array.type)
    _, offsets, data = array.buffers()
    found = np.full(len(array), BAD_TIME, dtype=np.int64)
    if not len(array):
        return found
    ends = np.frombuffer(offsets, np.int64 if wide else np.int32)[array.offset : array.offset + len(array) + 1]
    first, last = int(ends[0]), int(ends[-1])
    text = b"" if data is None else memoryview(data)[first:last].tobytes()
    of_texts(np.frombuffer(text + PADDING, np.uint8), ends.astype(np.int64) - first, clock_of(rule), found)
    left = np.flatnonzero(found < 0)
    if left.size:
        times = (rule.read(value) for value in python(array.take(pa.array(left))))
        found[left] = [BAD_TIME if time is None else time for time in times]
    return found


def _first_instants(local_ms: Ints, clocks: Zone) -> Ints:
    """(n,) as `Zone.first_instant_ms`."""
    changes, offsets = np.array(clocks.changes_ms, dtype=np.int64), np.array(clocks.offsets_ms, dtype=np.int64)
    if not changes.size:
        shifted: Ints = local_ms - offsets[0]
        return shifted
    at = np.searchsorted(changes, local_ms - clocks.greatest_offset_ms, side="right")
    while True:
        found: Ints = local_ms - offsets[at]
        found = np.where(at > 0, np.maximum(found, changes[np.maximum(at - 1, 0)]), found)
        later = (at < changes.size) & (found >= changes[np.minimum(at, changes.size - 1)])
        if not later.any():
            return found
        at = at + later
