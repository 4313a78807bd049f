"""What `driftline calibrate` computes: blocks, false alarms by resampling, the corrected factor, delays of shifts."""

from dataclasses import replace

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from support.decisions import DAY_MS, HOUR_MS, Run, cell, day, policy

from monitor.config.decisions import AlertSettings
from monitor.config.rates import RaiseRule
from monitor.decisions.calibration import alerts_on, blocks_of, calibrated, delays, false_alarms, month, with_factor
from monitor.decisions.moved import ClosedWindow
from monitor.decisions.screening import may_raise

POLICY = policy(AlertSettings())


def stream(seed: int, n_days: int, power: float = 1.0, run: int = 1) -> list[ClosedWindow]:
    """Days of ten columns whose p-values are uniform to a power; the same for `run` days after another."""
    rng = np.random.default_rng(seed)
    windows = []
    for number in range(n_days):
        if number % run == 0:
            p = rng.uniform(size=10) ** power
        moved = [
            msgspec.structs.replace(cell(f"c{k}", strength=1.5, p=float(own)), drifted=own < 0.05, holds=own < 0.05)
            for k, own in enumerate(p)
        ]
        windows.append(day(number, *moved, n_whole=10))
    return windows


def test_blocks_are_weeks_where_there_are_four_and_else_days() -> None:
    assert blocks_of(stream(1, 28), DAY_MS).name == "week"
    short = blocks_of(stream(1, 27), DAY_MS)
    assert (short.name, short.length_ms, len(short.parts)) == ("window", DAY_MS, 27)
    hours = [msgspec.structs.replace(day(0), start_ms=n * HOUR_MS, end_ms=(n + 1) * HOUR_MS) for n in range(5 * 24 + 7)]
    blocks = blocks_of(hours, HOUR_MS)
    assert (blocks.name, len(blocks.parts), blocks.n_windows) == ("day", 5, 120), "the part of the sixth is left out"


def test_a_month_of_the_blocks_in_their_order_is_the_period_itself() -> None:
    windows = stream(2, 28)
    blocks = blocks_of(windows, DAY_MS)
    again = [one for own in month(blocks, range(4)) for one in own]
    assert [(one.start_ms, one.end_ms, one.moved) for one in again] == [
        (one.start_ms, one.end_ms, one.moved) for one in windows
    ]


def test_a_quiet_period_keeps_its_budget_as_it_is() -> None:
    as_is, corrected = calibrated(POLICY, blocks_of(stream(3, 56), DAY_MS), seed=1)
    assert corrected is as_is
    assert as_is.per_month <= 1.0
    assert as_is.low <= as_is.per_month <= as_is.high
    assert as_is.n_months == 60


def test_windows_that_repeat_each_other_want_more_evidence_and_then_keep_the_budget() -> None:
    # Weeks whose days all say the same, and p-values that are too small: each counts seven times.
    blocks = blocks_of(stream(4, 84, power=1.5, run=7), DAY_MS)
    as_is, corrected = calibrated(POLICY, blocks, seed=1)
    assert as_is.per_month > 1.0
    assert corrected is not None
    assert corrected.factor > 1.0
    assert corrected.per_month <= 1.0
    again = false_alarms(with_factor(POLICY, corrected.factor), blocks, seed=1)
    assert again == corrected, "the same seed tells the same"


def test_a_rule_of_verdicts_has_no_level_to_correct() -> None:
    plain = replace(POLICY, alerts=AlertSettings(raise_when=RaiseRule(k=1, n=1), resolve_after_ms=0, cooldown_ms=0))
    as_is, corrected = calibrated(plain, blocks_of(stream(5, 56), DAY_MS), seed=1)
    assert as_is.per_month > 1.0
    assert corrected is None


def test_a_shift_is_found_the_sooner_the_larger_it_is_and_none_is_not_found() -> None:
    quiet = blocks_of(stream(6, 28), DAY_MS)

    def shifted(p: float) -> list[ClosedWindow]:
        return [
            msgspec.structs.replace(one, moved=(*one.moved, cell("moved", strength=1.5, p=p)), n_whole=11)
            for one in stream(6, 28)
        ]

    large, small = (delays(POLICY, quiet, blocks_of(shifted(p), DAY_MS), "moved", seed=1) for p in (1e-6, 0.02))
    assert large.n_found == large.n == small.n_found
    half, most = large.within(0.5), small.within(0.5)
    assert half is not None
    assert most is not None
    assert half < most
    none = delays(POLICY, quiet, quiet, "moved", seed=1)
    assert (none.n_found, none.within(0.5)) == (0, None)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    power=st.sampled_from([1.0, 1.5, 2.0, 3.0]),
    run=st.sampled_from([1, 3, 7]),
    factor=st.sampled_from([1.0, 5.0]),
)
def test_what_the_bound_lets_go_raises_nothing(seed: int, power: float, run: int, factor: float) -> None:
    own = with_factor(POLICY, factor)
    windows = [msgspec.structs.replace(one, n_events=None) for one in stream(seed, 30, power, run)]
    raised = Run(own).days(windows).told
    assert may_raise([(one,) for one in windows], own.alerts, DAY_MS) or not raised
    assert bool(list(alerts_on(own, [(one,) for one in windows]))) == bool(raised)
