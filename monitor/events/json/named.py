"""Which model and which version events name, compiled."""

from typing import Any, Final

import numpy as np

from detectors.compiled import compiled
from monitor.events.json import text
from monitor.events.lookup import ASK, find

_NONE: Final = np.uint64(0)
_1: Final = np.uint64(1)


@compiled
def models(
    data: Any,  # as `scan` takes them
    starts: Any,
    info: Any,  # a table of the models' names, and of the key "model"
    slots: Any,
    table_entries: Any,
    words: Any,
    found: Any,  # (n,) int64: the code of each event's model, -1 where it is not told
) -> None:
    """Which model each event names."""
    for event in range(starts.size):
        found[event] = -1
        at = text.space(data, starts[event])
        if data[at] != 0x7B:
            continue
        at = text.space(data, at + _1)
        while data[at] == 0x22:
            begin = at + _1
            at, escaped = text.string(data, begin)
            if at == _NONE or escaped:
                break
            named = find(data, begin, at, 0, info, slots, table_entries, words) == 0
            at = text.space(data, at + _1)
            if data[at] != 0x3A:
                break
            at = text.space(data, at + _1)
            if named:
                if data[at] == 0x22:
                    end, escaped = text.string(data, at + _1)
                    if end != _NONE and not escaped:
                        found[event] = find(data, at + _1, end, 1, info, slots, table_entries, words)
                break
            at = text.value(data, at)
            if at == _NONE:
                break
            at = text.space(data, at)
            if data[at] != 0x2C:
                break
            at = text.space(data, at + _1)


@compiled
def distinct(data: Any, places: Any, codes: Any, firsts: Any) -> Any:
    """Number the distinct texts at `places` (n, 2) in `codes` (n,); `firsts` takes the event of each. Their number.

    Texts beyond as many as `firsts` holds get the code `lookup.ASK`.
    """
    n = 0
    for event in range(places.shape[0]):
        begin, end = places[event, 0], places[event, 1]
        codes[event] = ASK
        for code in range(n):
            at, other = begin, places[firsts[code], 0]
            if places[firsts[code], 1] - other != end - begin:
                continue
            while at < end and data[at] == data[other]:
                at, other = at + _1, other + _1
            if at == end:
                codes[event] = code
                break
        if codes[event] == ASK and n < firsts.size:
            codes[event] = n
            firsts[n] = event
            n += 1
    return n
