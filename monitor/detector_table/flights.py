"""The demo's flights: what detectors say of the errors of its model, by the month in which labels came."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np

from detectors.arrays import Bools, Integers
from detectors.error_pane import ErrorPane
from detectors.sequential_state import SequentialState
from monitor.demo.flights import LATE, load_flights
from monitor.demo.model import add_predictions
from monitor.detector_table.contenders import CONTENDERS

MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_HOUR_MS: Final = 3_600_000
_END_MS: Final = int(datetime(2014, 1, 1, tzinfo=UTC).timestamp()) * 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Flights:
    """The year by month of UTC.

    Attributes
    ----------
    rates: share of wrong predictions.
    design_effect: of January's days.
    alarms: by contender, in panes of an hour as if errors were independent.
    effective: by contender, in panes of a day with the design effect.
    """

    rates: Sequence[float]
    design_effect: float
    alarms: Mapping[str, Sequence[int]]
    effective: Mapping[str, Sequence[int]]


def months() -> Flights:
    """The whole year, in label time."""
    table = add_predictions(load_flights())
    table = table.filter(table["late"].is_valid())
    wrong = (np.asarray(table["label"]) == LATE) != np.asarray(table["late"])
    arrival_ms = np.asarray(table["timestamp_ms"]) + 60_000 * np.asarray(table["sched_duration_min"])
    year = arrival_ms < _END_MS  # the last evening is in January again, in UTC
    hours, days = (_panes(arrival_ms[year], wrong[year], length) for length in (_HOUR_MS, 24 * _HOUR_MS))
    by_month = [[pane for pane in days if _month(pane) == number] for number in range(len(MONTHS))]
    rates = [sum(pane.total for pane in panes) / sum(pane.n for pane in panes) for panes in by_month]
    dispersion = sum((pane.total - pane.n * rates[0]) ** 2 for pane in by_month[0])
    design_effect = dispersion / (sum(pane.n for pane in by_month[0]) * rates[0] * (1.0 - rates[0]))
    return Flights(
        rates=rates,
        design_effect=design_effect,
        alarms=_alarms(hours, rates[0], 1.0),
        effective=_alarms(days, rates[0], design_effect),
    )


def _panes(arrival_ms: Integers, wrong: Bools, length_ms: int) -> list[ErrorPane]:
    starts, index, n = np.unique(arrival_ms // length_ms, return_inverse=True, return_counts=True)
    errors = np.bincount(index, weights=wrong)
    return [
        ErrorPane(start_ms=start * length_ms, end_ms=(start + 1) * length_ms, n=size, total=total)
        for start, size, total in zip(starts.tolist(), n.tolist(), errors.tolist(), strict=True)
    ]


def _month(pane: ErrorPane) -> int:
    return datetime.fromtimestamp(pane.start_ms / 1_000, UTC).month - 1


def _alarms(panes: Sequence[ErrorPane], rate: float, design_effect: float) -> dict[str, Sequence[int]]:
    alarms: dict[str, Sequence[int]] = {}
    for name, make in CONTENDERS.items():
        state, found_in = SequentialState(make(rate), design_effect=design_effect), [0] * len(MONTHS)
        for pane in panes:
            state, found = state.update(pane)
            found_in[_month(pane)] += len(found)
        alarms[name] = found_in
    return alarms
