"""The demo's flights: what detectors say of the errors of its model, by the month in which labels came."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from detectors.error_pane import ErrorPane
from detectors.sequential_state import SequentialState
from monitor.demo.flights import LATE, load_flights
from monitor.demo.model import add_predictions
from monitor.detector_table.contenders import CONTENDERS

MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_HOUR_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Flights:
    """The year by month of UTC: share of wrong predictions, and by contender the number of alarms."""

    rates: Sequence[float]
    alarms: Mapping[str, Sequence[int]]


def months() -> Flights:
    """The whole year, in panes of an hour of label time."""
    table = add_predictions(load_flights())
    table = table.filter(table["late"].is_valid())
    wrong = (np.asarray(table["label"]) == LATE) != np.asarray(table["late"])
    arrival_ms = np.asarray(table["timestamp_ms"]) + 60_000 * np.asarray(table["sched_duration_min"])
    hours, index, n = np.unique(arrival_ms // _HOUR_MS, return_inverse=True, return_counts=True)
    errors = np.bincount(index, weights=wrong)
    month = (hours * _HOUR_MS).astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64) - 12 * 43
    year = month < len(MONTHS)  # the last evening is in January again, in UTC
    hours, n, errors, month = hours[year], n[year], errors[year], month[year]
    rates = [float(errors[month == number].sum() / n[month == number].sum()) for number in range(len(MONTHS))]
    panes = [
        ErrorPane(start_ms=hour * _HOUR_MS, end_ms=(hour + 1) * _HOUR_MS, n=size, total=wrong)
        for hour, size, wrong in zip(hours.tolist(), n.tolist(), errors.tolist(), strict=True)
    ]
    alarms = {}
    for name, make in CONTENDERS.items():
        state, by_month = SequentialState(make(rates[0])), [0] * len(MONTHS)
        for pane, number in zip(panes, month.tolist(), strict=True):
            state, found = state.update(pane)
            by_month[number] += len(found)
        alarms[name] = by_month
    return Flights(rates=rates, alarms=alarms)
