"""The detectors of the table, and what they say of one stream."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from detectors.arrays import Floats
from detectors.error_pane import ErrorPane
from detectors.sequential_registry import SequentialDetector, sequential_detector, sequential_detectors
from detectors.sequential_state import SequentialState
from monitor.detector_table.streams import ErrorStream

N_PANE: Final = 100
EVERY: Final = 100
Contender = Callable[[float], SequentialDetector]
"""The detector for a reference with this error rate."""


def _default(name: str) -> Contender:
    return lambda _: sequential_detector(name)


def _in_units(rate: float) -> SequentialDetector:
    return sequential_detector("page_hinkley", {"unit": 2.0 * math.sqrt(max(rate * (1.0 - rate), 0.0025))})


def _river(name: str, **parameters: float) -> Contender:
    return lambda _: sequential_detector(name, parameters)


CONTENDERS: Final[Mapping[str, Contender]] = MappingProxyType(
    {
        "**adwin**": _default("adwin"),
        "**page_hinkley**": _default("page_hinkley"),
        "page_hinkley, unit of the reference": _in_units,
        **{name: _default(name) for name in sequential_detectors() if name not in ("adwin", "page_hinkley")},
        "adwin, River's default": _river("adwin", delta=0.002),
        "page_hinkley, River's default": _river("page_hinkley", delta=0.005, threshold=50.0, alpha=0.9999),
    }
)
ALWAYS: Final = f"every {EVERY} losses"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one stream: false alarms before the change begins, and losses from there to the first alarm, None if missed.

    An alarm counts when its pane is closed: nobody hears of it before.
    """

    false: int
    delay: int | None


def outcomes(stream: ErrorStream, n_pane: int = N_PANE) -> dict[str, Outcome]:
    """What each contender says of a stream, and what one says that alarms without looking."""
    rate = float(stream.reference.mean())
    found = {name: _outcome(alarms(make(rate), stream.errors, n_pane), stream) for name, make in CONTENDERS.items()}
    found[ALWAYS] = _outcome(list(range(EVERY, stream.errors.size + 1, EVERY)), stream)
    return found


def alarms(detector: SequentialDetector, errors: Floats, n_pane: int) -> list[int]:
    """How many errors had been read, at the end of each pane with an alarm; twice or more where a pane has several.

    With panes of one error each series is the errors themselves, which are then read in one go.
    """
    if n_pane == 1:
        return _one_by_one(detector, errors)
    state, found = SequentialState(detector), []
    for first in range(0, errors.size, n_pane):
        part = errors[first : first + n_pane]
        last = first + part.size
        pane = ErrorPane(start_ms=first, end_ms=last, n=part.size, total=float(part.sum()))
        state, detections = state.update(pane)
        found += [last] * len(detections)
    return found


def _one_by_one(detector: SequentialDetector, errors: Floats) -> list[int]:
    state, evidence, read = detector.initial(), np.empty(4), 0
    found = []
    while (at := detector.advance(state, errors[read:], evidence)) >= 0:
        read += at + 1
        found.append(read)
    return found


def _outcome(ends: list[int], stream: ErrorStream) -> Outcome:
    after = [end for end in ends if end > stream.begin]
    return Outcome(false=len(ends) - len(after), delay=after[0] - stream.begin if after else None)
