"""One round of the simulation of streams that do not change: a reference, quiet time to calibrate on, and streams."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np

from monitor.alert_table.rules import RULES, FixedRules
from monitor.alert_table.streams import FIRST_MS, HOUR_MS, SEASONAL, TILING, WORLDS, World50
from monitor.decisions.calibration import (
    alerts_on,
    blocks_of,
    calibrated,
    with_factor,
    without_counts,
)
from monitor.decisions.moved import ClosedWindow
from monitor.decisions.policy import Policy
from monitor.verdicts.worlds import Rows

HOURS: Final = 30 * 24
WEEK: Final = 7 * 24
EVERY: Final = 11
"""Fixed rules read every so many windows of the pool: they have no memory, and their share is what counts."""
MOST_LOUD: Final = 2
"""Streams that follow a policy that does not fit its world: it raises, which takes time, and one shows it."""
POLICY: Final = Policy(model="m", tiling=TILING)
_SETS: Final = (10, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """What a policy raised on the quiet streams of one round.

    `factor` is the `calibration` it ran with, and `expected` the alarms in 30 days that calibrating foresaw, None where
    that was not asked; `alarms` has one number a stream.
    """

    factor: float
    expected: float | None
    alarms: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietRound:
    """By policy what was raised; by fixed rule windows read, and flagged; by comparison windows judged, and drifted."""

    raised: dict[str, Raised]
    rules: dict[str, tuple[int, int]]
    drifted: dict[str, tuple[int, int]]


def quiet_round(world: str, seed: Sequence[int], n_streams: int, pool_weeks: int, calibration_weeks: int) -> QuietRound:
    """One reference and some streams of a world.

    A stream takes each of its windows from those of a pool that has them for `pool_weeks`: one of the same hour of the
    week in a world with seasons, else any. In these worlds windows have nothing else in common, so that a stream of
    them is a stream of the world; streams of one reference share windows, and one may have a window more than once.
    """
    own = World50.of(WORLDS[world], seed)
    compares = (False, True) if world in SEASONAL else (False,)
    before, _ = judged(own, [*seed, 1], calibration_weeks * WEEK, compares)
    pool, kept = judged(own, [*seed, 2], pool_weeks * WEEK, compares, EVERY)
    fixed = fixed_rules(own, seed)
    flags = [fixed.flagged(one) for one in kept]
    orders = [_order(np.random.default_rng([*seed, 5, number]), world, pool_weeks) for number in range(n_streams)]
    raised = {}
    for season in compares:
        name = "season: hour_of_week" if season else "pinned"
        loud = world in SEASONAL and not season
        months = [[at_hour(pool[season][n], hour) for hour, n in enumerate(order)] for order in orders]
        if loud:
            raised[f"{name}, default"] = _raised(1.0, None, months[:MOST_LOUD])
            continue
        blocks = blocks_of(before[season], HOUR_MS)
        as_is, best = calibrated(POLICY, blocks, seed=seed[-1], n_sets=_SETS[0], n_months=_SETS[1])
        raised[f"{name}, default"] = _raised(1.0, as_is.per_month, months)
        raised[f"{name}, calibrated"] = (
            raised[f"{name}, default"] if best is None else _raised(best.factor, best.per_month, months)
        )
    return QuietRound(
        raised=raised,
        rules={rule: (len(flags), sum(bool(one[rule].any()) for one in flags)) for rule in RULES},
        drifted={
            "season: hour_of_week" if season else "pinned": (
                len(windows),
                sum(any(cell.drifted for cell in one.moved) for one in windows),
            )
            for season, windows in pool.items()
        },
    )


def fixed_rules(own: World50, seed: Sequence[int]) -> FixedRules:
    """The references of the rules that keep rows."""
    rng = np.random.default_rng([*seed, 4])
    return FixedRules.of(own.sample, [own.hour(rng, hour) for hour in range(7 * 24)])


def judged(
    own: World50, seed: Sequence[int], n_hours: int, compares: Sequence[bool], every: int = 0
) -> tuple[dict[bool, list[ClosedWindow]], list[Rows]]:
    """Windows in order, by whether they are compared with their season; and the rows of every so many of them."""
    rng = np.random.default_rng(seed)
    found: dict[bool, list[ClosedWindow]] = {season: [] for season in compares}
    kept: list[Rows] = []
    for first in range(0, n_hours, 24):
        rows = [own.hour(rng, hour) for hour in range(first, first + 24)]
        for season in compares:
            found[season] += own.judged(rows, season=season)
        kept += [one for hour, one in enumerate(rows, first) if every and hour % every == 0]
    return found, kept


def _order(rng: np.random.Generator, world: str, weeks: int) -> list[int]:
    """(HOURS,) which window of the pool is that of each hour of a stream."""
    if world not in SEASONAL:
        chosen: list[int] = rng.integers(weeks * WEEK, size=HOURS).tolist()
        return chosen
    return [int(week) * WEEK + hour % WEEK for hour, week in enumerate(rng.integers(weeks, size=HOURS))]


def at_hour(window: ClosedWindow, hour: int) -> ClosedWindow:
    """The window as that of this hour of a stream."""
    start_ms = FIRST_MS + hour * HOUR_MS
    return msgspec.structs.replace(window, start_ms=start_ms, end_ms=start_ms + HOUR_MS)


def _raised(factor: float, expected: float | None, months: Sequence[Sequence[ClosedWindow]]) -> Raised:
    policy = without_counts(with_factor(POLICY, factor))
    alarms = [
        sum(one.state == "raised" for one in alerts_on(policy, [(own,) for own in windows])) for windows in months
    ]
    return Raised(factor=factor, expected=expected, alarms=tuple(alarms))
