"""What one commit takes of the messages that were read: memory must hold what they become, and few may hold much.

Eight megabytes of compressed Arrow were four million events.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from monitor.events.arrow.decoder import rows_of
from monitor.events.json.gathered import measure

MAX_EVENTS: Final = 262_144
"""Of a group, as far as can be known before decoding; one message may hold more."""
_EVENT_BYTES: Final = 128
"""JSON counts as one event for so many bytes. Most events have more; they can have 27."""

_JSON: Final = np.frombuffer(b"{[", dtype=np.uint8)


def groups_of(raws: Sequence[bytes | None]) -> list[slice]:
    """The messages with these bodies in slices, one after another: nearly always one. None is one empty slice."""
    lengths, firsts = measure(raws)
    if int(lengths.sum()) <= MAX_EVENTS * _EVENT_BYTES and np.isin(firsts, _JSON).all():
        return [slice(0, len(raws))]
    bounds = [0, *_bounds(raws), len(raws)]
    return [slice(start, stop) for start, stop in pairwise(bounds)]


def _bounds(raws: Sequence[bytes | None]) -> Iterator[int]:
    n_events = 0
    for place, raw in enumerate(raws):
        own = _events(raw or b"")
        if n_events and n_events + own > MAX_EVENTS:
            yield place
            n_events = 0
        n_events += own


def _events(raw: bytes) -> int:
    by_size = max(1, len(raw) // _EVENT_BYTES)
    return by_size if raw[:1] in (b"{", b"[") else rows_of(raw) or by_size
