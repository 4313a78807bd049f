"""What a policy does on a quiet period: false alarms, and the shifts that it would find, by resampling. Pure.

A quiet period is short, and has been seen once. Blocks of its windows, whole days or whole weeks, are drawn anew with
replacement and put one after another: within a block the rhythm of the day and the dependence of neighbours stay, and
each window keeps all of its verdicts together, so that the dependence of columns stays, too (moving-block bootstrap,
Künsch 1989, with blocks that begin at one phase). The policy is run over each such month from nothing, as
`monitor.decisions.backtest` does.

The interval is that of a bootstrap in two steps: a set of blocks is drawn from the period, and months from the set, so
that what the period itself is by chance counts.

Silence and rejects are left out: they are counts of events, not verdicts.

References
----------
Künsch (1989), The jackknife and the bootstrap for general stationary observations, Annals of Statistics 17(3),
1217-1241. Efron & Tibshirani (1993), An Introduction to the Bootstrap, sections 8.5 and 13.3.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Final

import msgspec
import numpy as np

from monitor.decisions.alert import Alert
from monitor.decisions.decide import Decisions, Inputs, decide
from monitor.decisions.moved import ClosedWindow
from monitor.decisions.policy import Policy
from monitor.decisions.screening import may_raise

DAY_MS: Final = 86_400_000
MONTH_MS: Final = 30 * DAY_MS
FEWEST_BLOCKS: Final = 4
"""Of which months can be drawn at all; weeks where there are so many of them, else days, else single windows."""
FACTORS: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 300.0, 1_000.0, 10_000.0, 100_000.0, 1_000_000.0)
"""That are tried, ascending."""

Group = tuple[ClosedWindow, ...]
"""All families of verdicts on one window."""


class Blocks(msgspec.Struct, frozen=True, kw_only=True):
    """A period in parts.

    Attributes
    ----------
    length_ms: of each.
    name: "week", "day" or "window".
    parts: by block its windows in order, at their times after the block's beginning.
    """

    length_ms: int
    name: str
    parts: tuple[tuple[Group, ...], ...]

    @property
    def n_windows(self) -> int:
        """Of all blocks."""
        return sum(map(len, self.parts))


class FalseAlarms(msgspec.Struct, frozen=True, kw_only=True):
    """What a policy raised on unchanged months.

    Attributes
    ----------
    factor: the `calibration` it was run with.
    n_months: of 30 days.
    n_alarms: raised in all of them.
    per_month, low, high: alarms in 30 days, and the 5 % and 95 % quantiles of the two-step bootstrap.
    causes, columns: how often each was raised, and led the list; the most frequent first.
    """

    factor: float
    n_months: int
    n_alarms: int
    per_month: float
    low: float
    high: float
    causes: dict[str, int]
    columns: dict[str, int]


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a shift that begins after quiet time.

    Attributes
    ----------
    n, n_found: tries, and those in which an alert named the column within 30 days.
    windows: of those the delays, in windows, the one with the alert included; ascending.
    """

    n: int
    n_found: int
    windows: tuple[int, ...]

    def within(self, share: float) -> int | None:
        """In how many windows this share of all tries is found; None where it is not."""
        need = int(np.ceil(share * self.n))
        return self.windows[need - 1] if 0 < need <= self.n_found else None


def blocks_of(windows: Iterable[ClosedWindow], pane_ms: int, length_ms: int | None = None) -> Blocks:
    """A period in blocks, from its first window on; parts that lack half of their windows, as the last may, are left
    out.

    Parameters
    ----------
    windows: of one version and reference.
    pane_ms: of the policy's tiling.
    length_ms: of the blocks; None: whole weeks where there are four of them, else whole days, else windows.
    """
    ordered = sorted(windows, key=lambda one: (one.end_ms, one.start_ms, one.family))
    if not ordered:
        return Blocks(length_ms=pane_ms, name="window", parts=())
    first_ms, span_ms = ordered[0].start_ms, ordered[-1].end_ms - ordered[0].start_ms
    lengths = {"week": 7 * DAY_MS, "day": DAY_MS} if length_ms is None else {"part": length_ms}
    own_ms, block = pane_ms, "window"
    for name, wanted in lengths.items():
        in_panes = -(-wanted // pane_ms) * pane_ms
        if in_panes > pane_ms and (length_ms is not None or span_ms >= FEWEST_BLOCKS * in_panes):
            own_ms, block = in_panes, name
            break
    groups = [tuple(own) for _, own in groupby(ordered, key=lambda one: one.end_ms)]
    parts = []
    for number, of_block in groupby(groups, key=lambda own: (own[0].start_ms - first_ms) // own_ms):
        part = tuple(tuple(_moved_by(one, -first_ms - number * own_ms) for one in own) for own in of_block)
        if 2 * len(part) * pane_ms >= own_ms:
            parts.append(part)
    return Blocks(length_ms=own_ms, name=block, parts=tuple(parts))


def month(blocks: Blocks, chosen: Iterable[int], start_ms: int = 0) -> Iterator[Group]:
    """The windows of these blocks, one block after another."""
    for place, number in enumerate(chosen):
        for own in blocks.parts[number]:
            yield tuple(_moved_by(one, start_ms + place * blocks.length_ms) for one in own)


def alerts_on(policy: Policy, groups: Sequence[Group]) -> Iterator[Alert]:
    """What a policy that does not count events tells of windows in order, from nothing on; as it is told."""
    if not may_raise(groups, policy.alerts, policy.tiling.pane_ms):
        return
    state = Decisions()
    for own in groups:
        decided = decide(policy, state, Inputs(windows=own), own[0].end_ms)
        state = decided.state
        yield from decided.alerts


def false_alarms(policy: Policy, blocks: Blocks, *, seed: int, n_sets: int = 20, n_months: int = 3) -> FalseAlarms:
    """Run a policy over `n_sets` times `n_months` months that are drawn of quiet blocks."""
    rng = np.random.default_rng(seed)
    n_blocks = -(-MONTH_MS // blocks.length_ms)
    policy = without_counts(policy)
    of_sets, causes, columns = [], Counter[str](), Counter[str]()
    for _ in range(n_sets):
        known = rng.integers(len(blocks.parts), size=len(blocks.parts))
        raised = 0
        for _ in range(n_months):
            chosen = known[rng.integers(known.size, size=n_blocks)].tolist()
            for alert in alerts_on(policy, list(month(blocks, chosen))):
                if alert.state == "raised":
                    raised += 1
                    causes[alert.cause] += 1
                    columns[alert.columns[0].column] += 1
        of_sets.append(raised * MONTH_MS / (n_months * n_blocks * blocks.length_ms))
    low, high = np.quantile(of_sets, (0.05, 0.95)).tolist()
    return FalseAlarms(
        factor=policy.alerts.calibration,
        n_months=n_sets * n_months,
        n_alarms=sum(causes.values()),
        per_month=float(np.mean(of_sets)),
        low=low,
        high=high,
        causes=dict(causes.most_common()),
        columns=dict(columns.most_common(10)),
    )


def budget_a_month(policy: Policy) -> float:
    """The false alarms in 30 days that are allowed."""
    allowed = policy.alerts.false_alarms
    return allowed.n * MONTH_MS / allowed.per_ms


def calibrated(
    policy: Policy,
    blocks: Blocks,
    *,
    seed: int,
    n_sets: int = 20,
    n_months: int = 3,
    tried: Callable[[FalseAlarms], None] = lambda _one: None,
) -> tuple[FalseAlarms, FalseAlarms | None]:
    """What the policy gives as it is, and with the smallest of `FACTORS` with which it keeps its budget, on the same
    months; None where none does, or where verdicts raise and not the budget.

    A factor below the one that is configured is never tried: a quiet month cannot show that less is enough.
    """
    as_is = false_alarms(policy, blocks, seed=seed, n_sets=n_sets, n_months=n_months)
    tried(as_is)
    if as_is.per_month <= budget_a_month(policy):
        return as_is, as_is
    if not policy.alerts.raise_when.by_evidence:
        return as_is, None
    for factor in FACTORS:
        if factor <= policy.alerts.calibration:
            continue
        own = false_alarms(with_factor(policy, factor), blocks, seed=seed, n_sets=n_sets, n_months=n_months)
        tried(own)
        if own.per_month <= budget_a_month(policy):
            return as_is, own
    return as_is, None


def delays(policy: Policy, quiet: Blocks, shifted: Blocks, column: str, *, seed: int, n: int = 20) -> Found:
    """How long an alert that names `column` takes, once windows are those of `shifted`, after a quiet block.

    Parameters
    ----------
    quiet, shifted: blocks of one length, of the same period.
    """
    rng = np.random.default_rng(seed)
    policy = without_counts(policy)
    n_after = -(-MONTH_MS // shifted.length_ms)
    begin_ms = quiet.length_ms
    windows: list[int] = []
    for _ in range(n):
        before = rng.integers(len(quiet.parts), size=1).tolist()
        after = rng.integers(len(shifted.parts), size=n_after).tolist()
        changed = list(month(shifted, after, begin_ms))
        told = alerts_on(policy, (*month(quiet, before), *changed))
        # Generated as the windows are read: what comes after the first alert is never decided on.
        at_ms = next((one.at_ms for one in told if one.at_ms > begin_ms and _names(one, column)), None)
        if at_ms is not None:
            windows.append(sum(own[0].end_ms <= at_ms for own in changed))
    return Found(n=n, n_found=len(windows), windows=tuple(sorted(windows)))


def with_factor(policy: Policy, factor: float) -> Policy:
    """The policy with this `calibration`."""
    return replace(policy, alerts=msgspec.structs.replace(policy.alerts, calibration=factor))


def without_counts(policy: Policy) -> Policy:
    """The policy without what speaks of numbers of events, which resampled windows do not have in their order."""
    return replace(policy, alerts=msgspec.structs.replace(policy.alerts, fewest_events=0.0))


def _names(alert: Alert, column: str) -> bool:
    return alert.state != "resolved" and any(one.column == column for one in alert.columns)


def _moved_by(window: ClosedWindow, by_ms: int) -> ClosedWindow:
    return msgspec.structs.replace(
        window, start_ms=window.start_ms + by_ms, end_ms=window.end_ms + by_ms, n_events=None
    )
