"""Whole policies on simulated verdicts: quiet on streams in which nothing changes, awake where something does."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.decisions import DAY_MS, Run, cell, day, policy

from detectors.significance import benjamini_hochberg
from monitor.config.decisions import AlertSettings
from monitor.config.rates import RaiseRule, Rate
from monitor.decisions.moved import ClosedWindow

N_COLUMNS, N_SEGMENTS = 10, 2
PLACES = [(f"c{column}", segment) for segment in ("", "s=a", "s=b") for column in range(N_COLUMNS)]
N_WHOLE = N_COLUMNS


def stream(seed: int, n_days: int, power: Callable[[int, str, str], float] = lambda *_: 1.0) -> list[ClosedWindow]:
    """Days whose p-values are uniform to a power (1: nothing changed), and every effect of which would matter."""
    generator = np.random.default_rng(seed)
    windows = []
    for number in range(n_days):
        p = generator.uniform(size=len(PLACES)) ** np.array([power(number, *place) for place in PLACES])
        q = benjamini_hochberg(p)
        moved = [
            cell(column, segment, strength=1.5, p=float(own))
            if significant <= 0.05
            else _not_drifted(column, segment, float(own))
            for (column, segment), own, significant in zip(PLACES, p, q, strict=True)
        ]
        windows.append(day(number, *moved, n_whole=N_WHOLE, n_segments=N_COLUMNS * N_SEGMENTS))
    return windows


def _not_drifted(column: str, segment: str, p: float) -> Any:
    import msgspec

    return msgspec.structs.replace(cell(column, segment, strength=1.5, p=p), drifted=False, holds=False)


def n_raised(windows: list[ClosedWindow], settings: AlertSettings) -> int:
    return sum(one.state == "raised" for one in Run(policy(settings)).days(windows).alerts)


def test_a_year_in_which_nothing_changes_stays_within_the_budget() -> None:
    year = [stream(seed, 365) for seed in range(2)]
    default = [n_raised(windows, AlertSettings()) for windows in year]
    assert np.mean(default) <= 365 / 30
    strict = AlertSettings(false_alarms=Rate(n=1, per_ms=365 * DAY_MS))
    assert np.mean([n_raised(windows, strict) for windows in year[:1]]) <= 1.0
    # What raises on every verdict tells several times as much on the same streams.
    plain = AlertSettings(raise_when=RaiseRule(k=1, n=1), resolve_after_ms=0, cooldown_ms=0)
    assert np.mean([n_raised(windows, plain) for windows in year[:1]]) > 2 * np.mean(default)


@pytest.mark.parametrize(
    ("where", "power", "cause", "within"),
    [("", 12.0, "data_drift", 6), ("s=a", 12.0, "subgroup", 8), ("", 4.0, "data_drift", 25)],
)
def test_a_change_is_found_and_its_onset_is_placed(where: str, power: float, cause: str, within: int) -> None:
    delays, off = [], []
    for seed in range(8):

        def changed(number: int, column: str, segment: str) -> float:
            return power if number >= 20 and (column, segment) == ("c3", where) else 1.0

        run = Run(policy(AlertSettings(false_alarms=Rate(n=1, per_ms=365 * DAY_MS))))
        run.days(stream(100 + seed, 60, changed))
        found = [one for one in run.alerts if one.state == "raised" and one.cause == cause and one.at_ms > 20 * DAY_MS]
        assert found, "it is found"
        assert found[0].columns[0].column == "c3" or any(one.column == "c3" for one in found[0].columns)
        delays.append(found[0].at_ms / DAY_MS - 20)
        off.append(abs(found[0].onset_ms / DAY_MS - 20))
    assert np.median(delays) <= within
    assert np.median(off) <= 2
