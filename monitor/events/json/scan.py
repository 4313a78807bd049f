"""The compiled scan: from JSON text to columns in one pass, with no Python object on the way. Releases the GIL.

It takes an event only when it is sure of it: plain JSON to the last byte, of the program's shape, each value one that
the columns can hold as it is written. Every other event is left as it was to the forgiving path, which decides; a value
whose meaning needs Python (an unseen category, an escape, a number of many digits) is noted in `asks`: its code is
`lookup.ASK` and its number ABSENT until then.
"""

from typing import Any, Final

import numpy as np

from detectors.columns import ABSENT, CODE_INVALID, INVALID, NULL
from detectors.compiled import compiled
from monitor.events import lookup
from monitor.events.json import text
from monitor.events.json.decimals import nearest
from monitor.events.json.guesses import ENTRY, WIDTH, learn, matches
from monitor.events.json.instant import instant, of_float, of_integer
from monitor.events.json.program import (
    ACTION,
    BARE_CLASS,
    BARE_NUMBER,
    BARE_TEXT,
    CHILD,
    CODE,
    FEATURES,
    HAS_FEATURES,
    HAS_PREDICTION,
    IDENTITY,
    IGNORE,
    LEAVE,
    NAME,
    NODE,
    NUMERIC,
    ONCE,
    OTHER,
    PROBABILITIES,
    ROW,
    SAYS,
    SECOND,
    TIME,
    VERSION,
)
from monitor.events.lookup import ASK, find
from monitor.events.values import MAX_TEXT

LEFT: Final = 0
TAKEN: Final = 1
OTHER_SHAPE: Final = 2
"""What became of an event."""

_OBJECT, _ARRAY, _TEXT, _NUMBER, _BOOLEAN, _NULL = range(6)
_MAX_DIGITS: Final = 4_000  # Python converts integers of some more
_MAX_VERSION_BYTES: Final = np.uint64(MAX_TEXT)  # quotes included: no fewer than its characters
_NONE: Final = np.uint64(0)
_1: Final = np.uint64(1)
_QUOTES: Final = np.uint64(2)
_INT64: Final = np.uint64(2**63 - 1)


@compiled
def _whole(data: Any, begin: Any, end: Any) -> Any:
    """Where the integer part of a number such as 3.0 ends; 0 where it is none, or too large to be spelled so."""
    at = begin
    while at < end and data[at] != 0x2E:
        if data[at] == 0x45 or data[at] == 0x65:
            return _NONE
        at += _1
    if at - begin > np.uint64(15):
        return _NONE
    for i in range(at + _1, end):
        if data[i] != 0x30:
            return _NONE
    return at


@compiled
def scan(
    data: Any,  # (n_bytes,) uint8: the events, a zero byte after each, and `words.PADDING`
    starts: Any,  # (n,) uint64: where each begins
    ends: Any,  # (n,) uint64: and its zero byte
    entries: Any,  # `Program`
    needed: Any,
    predictions: Any,
    owners: Any,
    guesses: Any,
    clock: Any,
    key_info: Any,  # its keys
    key_slots: Any,
    key_entries: Any,
    key_words: Any,
    info: Any,  # its tables
    slots: Any,
    table_entries: Any,
    words: Any,
    numeric: Any,  # (n_rows, n) float64, written where the event says something
    codes: Any,  # (n_rows, n) int32, likewise
    times: Any,  # (n,) int64: milliseconds
    versions: Any,  # (n, 2) uint64: where the version's text lies
    identities: Any,  # (n, 2) uint64: where the id's text lies; with its quotes if it has an escape; 0, 0 for none
    probabilities: Any,  # (n, 4) uint64: where a value lies, and one at the top of a flat event; 0, 0 for none
    asks: Any,  # (capacity, 4) uint64: row of `codes`, or of `numeric` + their number; event; where the value lies
    said: Any,  # (n,) int8: what each speaks of: bits `HAS_FEATURES`, `HAS_PREDICTION`
    status: Any,  # (n,) int8: what became of each event
) -> Any:
    """Scan n events; returns the number of asks. What it wrote of an event that was not taken means nothing."""
    n_asks = 0
    n_entries, n_codes, n_tables = entries.shape[0], codes.shape[0], info.shape[0]
    floats = np.empty(1)
    for event in range(starts.size):
        status[event] = LEFT
        at = text.space(data, starts[event])
        if data[at] != 0x7B:
            continue
        at += _1
        node, previous, fresh, timed = 0, n_entries, True, False
        seen = entered = spoken = np.int64(0)
        while True:
            # The key, with all that comes before it ---------------------------------------------------------------
            if matches(data, at, fresh, guesses, previous):
                at += guesses[previous, WIDTH]
                entry = np.int64(guesses[previous, ENTRY])
                previous, node = entry, entries[entry, NODE]
            else:
                place, after = previous, at
                at = text.space(data, at)
                if fresh and data[at] == 0x7D:
                    fresh = False
                    continue
                if not fresh:
                    while data[at] == 0x7D and node > 0:
                        previous = owners[node]
                        node = entries[previous, NODE]
                        at = text.space(data, at + _1)
                    if data[at] != 0x2C:
                        if node == 0 and data[at] == 0x7D and text.space(data, at + _1) == ends[event] and timed:
                            status[event] = TAKEN if entered & needed == needed else OTHER_SHAPE
                            spoken |= HAS_FEATURES if entered & needed else 0
                            said[event] = spoken | (HAS_PREDICTION if entered & predictions else 0)
                        break
                    at = text.space(data, at + _1)
                if data[at] != 0x22:
                    break
                begin = at + _1
                at, escaped = text.string(data, begin)
                if at == _NONE or escaped:
                    break
                entry = find(data, begin, at, node, key_info, key_slots, key_entries, key_words)
                at = text.space(data, at + _1)
                if data[at] != 0x3A:
                    break
                at = text.space(data, at + _1)
                if entry >= 0:
                    learn(data, after, at, fresh, entry, guesses, place)
                    previous = entry
            fresh = False
            action, child = IGNORE, -1
            if entry >= 0:
                action, child = entries[entry, ACTION], entries[entry, CHILD]
                if child >= 0:
                    if seen & entries[entry, ONCE]:
                        break  # given twice: the last counts as a whole
                    seen |= entries[entry, ONCE]
            begin = at
            if action == NUMERIC:
                at, found = text.short_number(data, begin)
                if at != _NONE:
                    numeric[entries[entry, ROW], event] = found
                    spoken |= entries[entry, SAYS]
                    continue
                at = begin
            # The value ------------------------------------------------------------------------------------------
            first, escaped = data[at], False
            digits, exponent, flags = _NONE, 0, 0
            if first == 0x22:
                kind = _TEXT
                at, escaped = text.string(data, at + _1)
                if at == _NONE:
                    break
                at += _1
            elif first == 0x2D or 0x30 <= first <= 0x39:
                kind = _NUMBER
                at, digits, exponent, flags = text.number(data, at)
                if at == _NONE:
                    break
            elif first == 0x7B and child >= 0:
                entered |= entries[entry, ONCE]
                node, previous, fresh = child, n_entries + child, True
                at += _1
                continue
            else:
                kind = _OBJECT if first == 0x7B else _ARRAY if first == 0x5B else _NULL if first == 0x6E else _BOOLEAN
                if first == 0x7B and child == OTHER:
                    status[event] = OTHER_SHAPE
                    break
                at = text.value(data, at)
                if at == _NONE:
                    break
            if kind == _TEXT and child > 0 and (data[begin + _1] == 0x7B or data[begin + _1] == 0x5C):
                break  # it may be JSON of the object
            if entry >= 0 and (child < 0 or kind != _NULL):
                spoken |= entries[entry, SAYS]
            integer = kind == _NUMBER and not flags & text.FRACTION and at - begin < np.uint64(_MAX_DIGITS)
            row, second = -1, -1
            if action != IGNORE:
                row, second = entries[entry, ROW], entries[entry, SECOND]
            elif child >= 0:  # something else where an object may be
                bare_number, bare_text = entries[entry, BARE_NUMBER], entries[entry, BARE_TEXT]
                if integer and entries[entry, BARE_CLASS]:
                    action, row = CODE, bare_text
                elif kind == _NUMBER and bare_number >= 0:
                    action, row = NUMERIC, bare_number
                elif kind in (_TEXT, _BOOLEAN) and bare_text >= 0:
                    action, row = CODE, bare_text
                elif kind == _ARRAY:
                    if bare_number >= 0:
                        numeric[bare_number, event] = INVALID
                    if bare_text >= 0:
                        codes[bare_text, event] = CODE_INVALID
            # What it means --------------------------------------------------------------------------------------
            asked = False
            if action == NUMERIC:
                if kind == _NUMBER:
                    found, sure = nearest(digits, exponent, floats)
                    if found == np.inf:
                        found = INVALID
                    elif flags & text.NEGATIVE and not (integer and digits == _NONE):
                        found = -found
                    asked = not sure or flags & text.CUT != 0
                    numeric[row, event] = ABSENT if asked else found
                    row += n_codes
                elif kind == _OBJECT and entries[entry, SAYS] == HAS_PREDICTION:
                    asked = True  # probabilities in the place of the score
                    numeric[row, event] = ABSENT
                    row += n_codes
                else:
                    if kind == _BOOLEAN:
                        numeric[row, event] = 1.0 if first == 0x74 else 0.0
                    else:
                        empty = kind == _TEXT and at - begin == _QUOTES
                        numeric[row, event] = NULL if kind == _NULL or empty else INVALID
            elif action == CODE:
                # A number is spelled as a category spells it: -0 and what has a fraction are not, but for 3.0.
                left, right = begin, at
                if kind == _TEXT:
                    left, right = begin + _1, at - _1
                elif kind == _NUMBER and not integer:
                    right = _whole(data, begin, at)
                plain = not escaped and right != _NONE
                if kind == _NUMBER and flags & text.NEGATIVE and digits == _NONE:
                    plain = False
                while row >= 0:
                    if kind == _NULL:
                        codes[row, event] = info[row, lookup.NULL]
                    elif kind in (_OBJECT, _ARRAY):
                        codes[row, event] = info[row, lookup.INVALID]
                    else:
                        code = ASK
                        if plain:
                            code = find(data, left, right, row, info, slots, table_entries, words)
                        codes[row, event] = code
                        if code == ASK:
                            if n_asks == asks.shape[0]:
                                asked = True
                                break
                            asks[n_asks, 0], asks[n_asks, 1] = row, event
                            asks[n_asks, 2], asks[n_asks, 3] = begin, at
                            n_asks += 1
                    row, second = second, -1
            elif action == TIME:
                found_ms = np.int64(-1)
                if integer and not flags and digits <= _INT64:
                    found_ms = of_integer(np.int64(digits), clock)
                elif kind == _NUMBER and flags == text.FRACTION:
                    found, sure = nearest(digits, exponent, floats)
                    found_ms = of_float(found, clock) if sure else np.int64(-1)
                elif kind == _TEXT and not escaped:
                    found_ms = instant(data, begin + _1, at - _1, clock)
                if found_ms < 0:
                    break
                times[event], timed = found_ms, True
            elif action == VERSION:
                if at - begin > _MAX_VERSION_BYTES:
                    break
                if kind == _TEXT and not escaped:
                    versions[event, 0], versions[event, 1] = begin + _1, at - _1
                elif kind == _BOOLEAN or (integer and not (flags and digits == _NONE)):
                    versions[event, 0], versions[event, 1] = begin, at
                elif kind == _NULL:
                    versions[event, 0] = versions[event, 1] = _NONE
                else:
                    break
            elif action == IDENTITY:
                if kind == _NULL:
                    identities[event, 0] = identities[event, 1] = _NONE
                elif kind == _TEXT and not escaped:
                    identities[event, 0], identities[event, 1] = begin + _1, at - _1
                elif kind == _TEXT or (integer and not (flags and digits == _NONE)):
                    identities[event, 0], identities[event, 1] = begin, at
                else:
                    break
            elif action == NAME:
                if kind != _TEXT or escaped:
                    break
                if find(data, begin + _1, at - _1, n_tables - 1, info, slots, table_entries, words) != 0:
                    break
            elif action == PROBABILITIES:
                probabilities[event, row] = _NONE if kind == _NULL else begin
                probabilities[event, row + 1] = _NONE if kind == _NULL else at
            elif action == FEATURES and kind != _NULL:
                status[event] = OTHER_SHAPE if kind == _OBJECT else LEFT
                break
            elif action == LEAVE:
                break
            if asked:
                if n_asks == asks.shape[0]:
                    break
                asks[n_asks, 0], asks[n_asks, 1], asks[n_asks, 2], asks[n_asks, 3] = row, event, begin, at
                n_asks += 1
    return n_asks
