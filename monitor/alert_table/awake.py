"""Changes of streams that did not change before: in how many windows they are found."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from monitor.alert_table.rounds import POLICY, at_hour, fixed_rules, judged
from monitor.alert_table.rules import RULES
from monitor.alert_table.streams import FIRST_MS, HOUR_MS, WORLDS, World50
from monitor.decisions.calibration import alerts_on, without_counts
from monitor.decisions.moved import ClosedWindow
from monitor.verdicts.changes import CHOICE, NORMAL
from monitor.verdicts.references import column_names
from monitor.verdicts.worlds import NULL_CODE, Rows

HORIZON: Final = 96
"""Changed windows that are judged a change; a try takes them in an order of its own."""
_RULE_WINDOWS: Final = 24


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
class AwakeRound:
    """By shift: our delays in windows, None where it was not found within `HORIZON`; by fixed rule windows read, and
    those in which the column was flagged."""

    delays: dict[str, list[int | None]]
    rules: dict[str, dict[str, tuple[int, int]]]


def awake_round(seed: Sequence[int], n_tries: int) -> AwakeRound:
    """Changes of independent streams that began after a quiet day, on one reference."""
    own = World50.of(WORLDS["independent"], seed)
    fixed = fixed_rules(own, seed)
    numeric, categorical = column_names(own.sample)
    names = [*numeric, *categorical]
    quiet, _ = judged(own, [*seed, 6], 4 * 24, (False,))
    delays, rules = {}, {}
    for place, shift in enumerate(SHIFTS):
        rng = np.random.default_rng([*seed, 3, place])
        rows = [own.hour(rng, hour) for hour in range(HORIZON)]
        for one in rows:
            shift.change(one, rng)
        windows = own.judged(rows)
        delays[shift.name] = [
            _delay(
                [quiet[False][n] for n in rng.permutation(96)[:24]], [windows[n] for n in order], names[shift.column]
            )
            for order in (rng.permutation(HORIZON) for _ in range(n_tries))
        ]
        flags = [fixed.flagged(one) for one in rows[:_RULE_WINDOWS]]
        rules[shift.name] = {rule: (len(flags), sum(bool(one[rule][shift.column]) for one in flags)) for rule in RULES}
    return AwakeRound(delays=delays, rules=rules)


def _delay(before: Sequence[ClosedWindow], after: Sequence[ClosedWindow], column: str) -> int | None:
    begin_ms = FIRST_MS + len(before) * HOUR_MS
    groups = [(at_hour(one, hour),) for hour, one in enumerate([*before, *after])]
    for alert in alerts_on(without_counts(POLICY), groups):
        if alert.at_ms > begin_ms and alert.state != "resolved" and any(one.column == column for one in alert.columns):
            return (alert.at_ms - begin_ms) // HOUR_MS
    return None
