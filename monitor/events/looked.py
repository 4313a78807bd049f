"""Features of events that the reference does not know, by looking at some of the events.

Decoding passes over what no column reads, and to name it costs as much as all the rest. So one event in `ONE_IN` is
looked at. Which ones follows from their own times and values: the same, however they are dealt out and batched.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from detectors.arrays import Floats, Ints
from monitor.events.frame import Frame
from monitor.events.values import clean

ONE_IN: Final = 64
"""Of so many events one is looked at."""
MOST_NAMES: Final = 101
"""Names of an event, a pane and a window that are kept, the first in alphabetical order: so what is counted in parts
adds up to the same. One more than `monitor.decisions.unread` takes for names of features."""
MOST_LETTERS: Final = 200

_SHIFT: Final = np.uint64(64 - ONE_IN.bit_length() + 1)
_PRIME: Final = np.uint64(0x9E37_79B9_7F4A_7C15)  # odd, and without pattern: 2^64 over the golden ratio
_COLUMNS: Final = 4  # whose values tell events of one time apart


@dataclass(kw_only=True)
class Looked:
    """What was found in some events of one model.

    Attributes
    ----------
    times_ms
        when each event that was looked at was.
    features
        by name of a feature that the reference does not know: when the events that have it were.
    """

    times_ms: list[int] = field(default_factory=list)
    features: dict[str, list[int]] = field(default_factory=dict)

    def add(self, time_ms: int, names: Iterable[str]) -> None:
        """One event, and which unknown features it has."""
        self.times_ms.append(time_ms)
        for name in sorted(map(clean, names))[:MOST_NAMES]:
            self.features.setdefault(name[:MOST_LETTERS], []).append(time_ms)

    def merge(self, other: "Looked") -> None:
        """Add what was found in others."""
        self.times_ms += other.times_ms
        for name, times_ms in other.features.items():
            self.features.setdefault(name, []).extend(times_ms)


def rows_to_look_at(timestamps_ms: Ints, numeric: Floats) -> Ints:
    """The rows of a part that are looked at, ascending.

    Parameters
    ----------
    timestamps_ms, numeric
        (n,) and (n_numeric, n), as in `Batch`.
    """
    mixed = timestamps_ms.astype(np.uint64) * _PRIME
    for row in numeric[:_COLUMNS]:
        mixed = (mixed ^ np.ascontiguousarray(row).view(np.uint64)) * _PRIME
    return np.flatnonzero((mixed ^ (mixed >> np.uint64(32))) * _PRIME >> _SHIFT == 0)


def unknown_features(frame: Frame, names: Mapping[str, Any], *, flat: bool) -> Sequence[str]:
    """Of an event's features by name, or its keys where it is `flat`, those with a value that no column reads."""
    return [
        name
        for name, value in names.items()
        if value is not None
        and name not in frame.numeric
        and name not in frame.categorical
        and name not in frame.dimensions
        and not (flat and (name in frame.reserved or name.startswith("@")))
    ]
