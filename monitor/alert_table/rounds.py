"""One round of the simulation: a reference, a month to calibrate on, streams that do not change, and some that do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np

from monitor.alert_table.rules import RULES, FixedRules
from monitor.alert_table.streams import FIRST_MS, HOUR_MS, SEASONAL, TILING, WORLDS, World50
from monitor.decisions.calibration import (
    FalseAlarms,
    alerts_on,
    blocks_of,
    budget_a_month,
    calibrated,
    with_factor,
    without_counts,
)
from monitor.decisions.decide import Policy
from monitor.decisions.moved import ClosedWindow
from monitor.verdicts.changes import CHOICE, NORMAL
from monitor.verdicts.references import column_names
from monitor.verdicts.worlds import NULL_CODE, Rows

HOURS: Final = 30 * 24
WEEK: Final = 7 * 24
CALIBRATION_WEEKS: Final = 4
POOL_WEEKS: Final = 8
"""Of windows that are judged; a stream takes each of its windows from those of its hour of the week, none twice. In
these worlds windows have nothing else in common, so that a stream of them is a stream of the world; streams of one
reference share windows."""
EVERY: Final = 22
"""Fixed rules read every so many windows of the pool: they have no memory, and their share is what counts."""
HORIZON: Final = 96
"""Changed windows that are judged a change; a try takes them in an order of its own."""
_RULE_WINDOWS: Final = 24
_MOST_LOUD: Final = 5
"""Streams that follow a policy which is known not to fit: it raises, and each takes its time."""
POLICY: Final = Policy(model="m", tiling=TILING)
_SETS: Final = (10, 2)
_LOUD_SETS: Final = (5, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """A change of one column, from some window on. `column` counts numeric columns first, as results do."""

    name: str
    column: int
    change: Callable[[Rows, np.random.Generator], None]


def _mean(size: float) -> Callable[[Rows, np.random.Generator], None]:
    def change(rows: Rows, _rng: np.random.Generator) -> None:
        rows.numeric[NORMAL] += size

    return change


def _segment(size: float) -> Callable[[Rows, np.random.Generator], None]:
    def change(rows: Rows, _rng: np.random.Generator) -> None:
        rows.numeric[NORMAL, rows.segment == 0] += size

    return change


def _doubled(rows: Rows, rng: np.random.Generator) -> None:
    """The second of six categories from a share of 20 % to 41 %."""
    share = 0.5 / np.sum(1.0 / np.arange(1, 7))
    ranks = rows.categories[CHOICE]
    ranks[(ranks != NULL_CODE) & (rng.random(rows.n) < share / (1.0 - share))] = 1


def _nulls(rows: Rows, rng: np.random.Generator) -> None:
    rows.numeric[NORMAL, rng.random(rows.n) < 0.05] = np.nan


SHIFTS: Final = (
    Shift(name="nothing", column=NORMAL, change=lambda _rows, _rng: None),
    *(Shift(name=f"mean + {size:g} sd", column=NORMAL, change=_mean(size)) for size in (0.1, 0.2, 0.3, 0.5, 1.0)),
    Shift(name="a category's share doubled", column=40 + CHOICE, change=_doubled),
    Shift(name="5 % nulls", column=NORMAL, change=_nulls),
    *(
        Shift(name=f"mean + {size:g} sd in one segment of ten", column=NORMAL, change=_segment(size))
        for size in (0.5, 1.0)
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """What a policy raised on the quiet streams of one round.

    `factor` is the `calibration` it ran with, `kept` whether calibrating says that it keeps its budget, and `expected`
    the alarms in 30 days that it foresaw; `alarms` has one number a stream.
    """

    factor: float
    kept: bool
    expected: float
    alarms: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietRound:
    """By policy what was raised; by fixed rule windows read, and flagged; by comparison windows judged, and drifted."""

    raised: dict[str, Raised]
    rules: dict[str, tuple[int, int]]
    drifted: dict[str, tuple[int, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AwakeRound:
    """By shift: our delays in windows, None where it was not found within `HORIZON`; by fixed rule windows read, and
    those in which the column was flagged."""

    delays: dict[str, list[int | None]]
    rules: dict[str, dict[str, tuple[int, int]]]


def quiet_round(world: str, seed: Sequence[int], n_streams: int) -> QuietRound:
    """One reference and some streams of a world."""
    own = World50.of(WORLDS[world], seed)
    compares = (False, True) if world in SEASONAL else (False,)
    before, _ = _judged(own, [*seed, 1], CALIBRATION_WEEKS * WEEK, compares)
    pool, kept = _judged(own, [*seed, 2], POOL_WEEKS * WEEK, compares, EVERY)
    fixed = _fixed(own, seed)
    flags = [fixed.flagged(one) for one in kept]
    orders = [_order(np.random.default_rng([*seed, 5, number]), world) for number in range(n_streams)]
    raised = {}
    for season in compares:
        name = "season: hour_of_week" if season else "pinned"
        loud = world in SEASONAL and not season
        n_sets, n_months = _LOUD_SETS if loud else _SETS
        months = [[_at(pool[season][n], hour) for hour, n in enumerate(order)] for order in orders]
        months = months[:_MOST_LOUD] if loud else months
        blocks = blocks_of(before[season], HOUR_MS)
        as_is, best = calibrated(POLICY, blocks, seed=seed[-1], n_sets=n_sets, n_months=n_months)
        raised[f"{name}, default"] = _raised(as_is, months)
        if best is not as_is and best is not None:
            raised[f"{name}, calibrated"] = _raised(best, months)
        else:
            raised[f"{name}, calibrated"] = raised[f"{name}, default"]
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


def awake_round(seed: Sequence[int], n_tries: int) -> AwakeRound:
    """Changes of independent streams that began after a quiet day, on one reference."""
    own = World50.of(WORLDS["independent"], seed)
    fixed = _fixed(own, seed)
    numeric, categorical = column_names(own.sample)
    names = [*numeric, *categorical]
    quiet, _ = _judged(own, [*seed, 6], 4 * 24, (False,))
    delays, rules = {}, {}
    for place, shift in enumerate(SHIFTS):
        rng = np.random.default_rng([*seed, 3, place])
        rows = [own.hour(rng, hour) for hour in range(HORIZON)]
        for one in rows:
            shift.change(one, rng)
        windows = own.judged(rows)
        delays[shift.name] = [
            _delay([quiet[False][n] for n in rng.permutation(96)[:24]], [windows[n] for n in order], names[shift.column])
            for order in (rng.permutation(HORIZON) for _ in range(n_tries))
        ]
        flags = [fixed.flagged(one) for one in rows[:_RULE_WINDOWS]]
        rules[shift.name] = {
            rule: (len(flags), sum(bool(one[rule][shift.column]) for one in flags)) for rule in RULES
        }
    return AwakeRound(delays=delays, rules=rules)


def _fixed(own: World50, seed: Sequence[int]) -> FixedRules:
    rng = np.random.default_rng([*seed, 4])
    return FixedRules.of(own.sample, [own.hour(rng, hour) for hour in range(7 * 24)])


def _judged(
    own: World50, seed: Sequence[int], n_hours: int, compares: Sequence[bool], every: int = 0
) -> tuple[dict[bool, list[ClosedWindow]], list[Rows]]:
    """Windows in order by whether they are compared with their season; and the rows of every so many of them."""
    rng = np.random.default_rng(seed)
    found: dict[bool, list[ClosedWindow]] = {season: [] for season in compares}
    kept: list[Rows] = []
    for first in range(0, n_hours, 24):
        rows = [own.hour(rng, hour) for hour in range(first, first + 24)]
        for season in compares:
            found[season] += own.judged(rows, season=season)
        kept += [one for hour, one in enumerate(rows, first) if every and hour % every == 0]
    return found, kept


def _order(rng: np.random.Generator, world: str) -> list[int]:
    """(HOURS,) which window of the pool is that of each hour of a stream."""
    if world not in SEASONAL:
        return rng.permutation(POOL_WEEKS * WEEK)[:HOURS].tolist()
    weeks = np.stack([rng.permutation(POOL_WEEKS) for _ in range(WEEK)], axis=1)
    return [int(weeks[hour // WEEK, hour % WEEK]) * WEEK + hour % WEEK for hour in range(HOURS)]


def _at(window: ClosedWindow, hour: int) -> ClosedWindow:
    start_ms = FIRST_MS + hour * HOUR_MS
    return msgspec.structs.replace(window, start_ms=start_ms, end_ms=start_ms + HOUR_MS)


def _raised(found: FalseAlarms, months: Sequence[Sequence[ClosedWindow]]) -> Raised:
    policy = without_counts(with_factor(POLICY, found.factor))
    alarms = [
        sum(one.state == "raised" for one in alerts_on(policy, [(own,) for own in windows])) for windows in months
    ]
    kept = found.per_month <= budget_a_month(policy)
    return Raised(factor=found.factor, kept=kept, expected=found.per_month, alarms=tuple(alarms))


def _delay(before: Sequence[ClosedWindow], after: Sequence[ClosedWindow], column: str) -> int | None:
    begin_ms = FIRST_MS + len(before) * HOUR_MS
    groups = [(_at(one, hour),) for hour, one in enumerate([*before, *after])]
    for alert in alerts_on(without_counts(POLICY), groups):
        if alert.at_ms > begin_ms and alert.state != "resolved" and any(one.column == column for one in alert.columns):
            return (alert.at_ms - begin_ms) // HOUR_MS
    return None
