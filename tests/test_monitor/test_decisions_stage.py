"""The stage over the evaluator's batches: the windows that count, and a state that takes no message twice."""

from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.batches import batch_of
from support.decisions import DAY_MS, policy

from monitor.config import parse
from monitor.config.decisions import AlertSettings
from monitor.config.rates import RaiseRule
from monitor.decisions.alert import Alert
from monitor.decisions.controls import Silence
from monitor.decisions.gather import closed_windows
from monitor.decisions.stage import DecisionStage, policies_of
from monitor.decisions.store import NewerDecisions, StoredDecisions, decisions_key, load, store
from monitor.decisions.wire import decode_alert, encode_alert
from sinks.records import RECORDS, record_of

VERDICT, WINDOW = RECORDS["drift_verdict"], RECORDS["window"]


def verdict(number: int, column: str = "x", strength: float = 2.0, p: float = 1e-6, **more: Any) -> dict[str, Any]:
    drifted = strength >= 1.0 and p <= 0.05
    return {
        "model": "m", "version": "1", "segment": "", "column": column, "window_start_ms": number * DAY_MS,
        "window_end_ms": (number + 1) * DAY_MS, "reference": "ab", "compare": "pinned", "drifted": drifted,
        "p_value": p, "q_value": p, "method": "ks", "effect": 0.1 * strength, "threshold": 0.1,
        "direction": "up" if drifted else "none", "quantity": "mean" if drifted else "",
        "before": 1.0 if drifted else np.nan, "after": 2.0 if drifted else np.nan, "n_reference": 9, "n_current": 9,
        "revision": 1, **more,
    }  # fmt: skip


def window(number: int, events: int = 1_000, **more: Any) -> dict[str, Any]:
    return {
        "model": "m", "version": "1", "segment": "", "window_start_ms": number * DAY_MS,
        "window_end_ms": (number + 1) * DAY_MS, "reference": "ab", "events": events, "with_features": events,
        "with_prediction": events, "both": events, "columns_scored": 2, "columns_not_scored": 0, "reason": "",
        "revision": 1, **more,
    }  # fmt: skip


def batches(number: int, *verdicts: dict[str, Any], events: int = 1_000) -> list[pa.RecordBatch]:
    quiet = verdict(number, "y", strength=0.0, p=0.5)
    return [batch_of(VERDICT, [*verdicts, quiet]), batch_of(WINDOW, [window(number, events)])]


def apply(state: dict[bytes, bytes], writes: list[tuple[bytes, bytes | None]]) -> None:
    for key, value in writes:
        if value is None:
            del state[key]
        else:
            state[key] = value


def drifting(n: int, state: dict[bytes, bytes] | None = None) -> list[Alert]:
    state = {} if state is None else state
    told: list[Alert] = []
    for number in range(n):
        step = DecisionStage([policy()]).advance(state, batches(number, verdict(number)), offset=number)
        apply(state, step.writes)
        told += step.alerts
    return told


def test_it_tells_what_decide_tells_and_remembers_it_in_a_value_a_model_and_one_a_window() -> None:
    state: dict[bytes, bytes] = {}
    told = drifting(10, state)
    assert [(one.model, one.state, one.cause) for one in told] == [("m", "raised", "data_drift")]
    assert decisions_key("m") in state
    assert len(state) == 11


def test_a_window_writes_little_whatever_is_kept_and_windows_that_are_over_leave() -> None:
    state: dict[bytes, bytes] = {}
    stage = DecisionStage([policy(retention_ms=20 * DAY_MS)])
    for number in range(60):
        many = [verdict(number, f"c{column}", p=1e-5) for column in range(200)]
        step = stage.advance(state, batches(number, *many), offset=number)
        assert len([value for _, value in step.writes if value is not None]) == 2
        apply(state, step.writes)
    assert len(state) <= 22
    assert max(map(len, state.values())) < 100_000


def test_a_message_that_is_repeated_tells_the_same_again_and_changes_nothing() -> None:
    state: dict[bytes, bytes] = {}
    stage = DecisionStage([policy()])
    for number in range(10):
        own = batches(number, verdict(number))
        first = stage.advance(state, own, offset=number)
        apply(state, first.writes)
        again = DecisionStage([policy()]).advance(state, own, offset=number)
        assert again.alerts == first.alerts
        assert {key for key, _ in again.writes} <= {key for key, _ in first.writes}
        assert all(state[key] == value for key, value in again.writes if value is not None)
        older = stage.advance(state, batches(number - 1, verdict(number - 1)), offset=number - 1)
        assert older.alerts == []
        assert all(state[key] == value for key, value in older.writes if value is not None)


@settings(deadline=None, max_examples=8)
@given(st.lists(st.booleans(), min_size=12, max_size=12), st.sets(st.integers(0, 11)), st.integers(1, 4))
def test_any_crash_and_any_size_of_messages_give_the_same_alerts(
    drifts: list[bool], crashes: set[int], size: int
) -> None:
    def own(number: int) -> list[pa.RecordBatch]:
        return batches(number, *([verdict(number)] if drifts[number] else []))

    def told(size: int, crashes: set[int]) -> list[bytes]:
        state: dict[bytes, bytes] = {}
        stage, kept = DecisionStage([policy()]), []
        for offset in range(0, 12, size):
            parts = [batch for number in range(offset, min(offset + size, 12)) for batch in own(number)]
            step = stage.advance(state, parts, offset=offset)
            if offset in crashes:  # what it led to is lost, or has reached the state and is computed again
                if offset % 2:
                    apply(state, step.writes)
                stage = DecisionStage([policy()])
                step = stage.advance(state, parts, offset=offset)
            apply(state, step.writes)
            kept += [encode_alert(alert) for alert in step.alerts]
        return kept

    assert told(1, crashes) == told(1, set()) == told(size, crashes)


def test_windows_of_other_sizes_comparisons_and_models_do_not_count() -> None:
    week = {"window_end_ms": 7 * DAY_MS}
    rows = [
        verdict(0, "x"), verdict(0, "weekly", **week), verdict(0, "trailing", compare="trailing 28d"),
        verdict(0, "other", model="n"), verdict(0, "quiet", strength=0.1, p=0.9), verdict(0, "x", segment="a=b"),
    ]  # fmt: skip
    own = [batch_of(VERDICT, [row]) for row in rows] + [batch_of(WINDOW, [window(0), window(0, segment="a=b")])]
    (found,) = closed_windows(own, model="m", tiling=policy().tiling)
    assert [(one.column, one.segment) for one in found.moved] == [("x", ""), ("x", "a=b")]
    assert (found.n_whole, found.n_segments, found.n_events) == (2, 1, 1_000)


def test_what_rests_on_labels_is_a_window_of_its_own_though_it_is_of_the_same_time() -> None:
    rows = [verdict(0, "x"), verdict(0, "@loss", direction="worse", method="loss"), verdict(0, "@relation", p=0.5)]
    inputs, rested = closed_windows([batch_of(VERDICT, rows)], model="m", tiling=policy().tiling)
    assert (inputs.family, inputs.n_whole, [one.column for one in inputs.moved]) == ("inputs", 1, ["x"])
    assert (rested.family, rested.n_whole) == ("labels", 2)
    assert [(one.column, one.cause, one.drifted) for one in rested.moved] == [
        ("@loss", "performance", True), ("@relation", "concept_drift", False),
    ]  # fmt: skip
    (endless,) = closed_windows([batch_of(VERDICT, [verdict(0, "@loss", effect=np.inf)])], model="m",
                                tiling=policy().tiling)  # fmt: skip
    assert np.isfinite(endless.moved[0].effect)


@pytest.mark.parametrize("lag", [0, 1, 7, 20])
@pytest.mark.parametrize("raise_when", [RaiseRule(), RaiseRule(k=2, n=2)])
def test_a_loss_is_told_and_is_over_however_many_windows_labels_take(lag: int, raise_when: RaiseRule) -> None:
    """The newest windows say at once whether labels are due, after a while how late they are, and last what is lost."""
    alerts = AlertSettings(raise_when=raise_when, resolve_after_ms=2 * DAY_MS)
    state: dict[bytes, bytes] = {}
    own, told = DecisionStage([policy(alerts=alerts, label_horizon_ms=30 * DAY_MS)]), []
    for number in range(50):
        rows = [verdict(number, "@labels_missing", strength=0.0, p=0.5)]
        if lag and number:
            rows.append(verdict(number - 1, "@delay", strength=0.0, p=0.5))
        if number >= lag:
            lossy = 10 <= number - lag < 20
            strength, p = (3.0, 1e-5) if lossy else (0.0, 0.5)
            rows += [verdict(number - lag, "@loss", direction="worse", method="loss", strength=strength, p=p)]
        step = own.advance(state, [*batches(number), batch_of(VERDICT, rows)], offset=number)
        apply(state, step.writes)
        told += step.alerts
    assert [(one.state, one.cause) for one in told if one.state != "updated"] == [
        ("raised", "performance"), ("resolved", "performance"),
    ]  # fmt: skip
    raised, resolved = told[0], told[-1]
    assert raised.onset_ms == 10 * DAY_MS
    assert raised.at_ms - (lag + 10) * DAY_MS <= 3 * DAY_MS
    assert resolved.at_ms >= (lag + 20) * DAY_MS


def test_a_silent_model_is_told_by_the_watermark_alone() -> None:
    state: dict[bytes, bytes] = {}
    stage = DecisionStage([policy()])
    for number in range(28):
        apply(state, stage.advance(state, batches(number), offset=number).writes)
    assert stage.advance(state, [], offset=28, now_ms={"m": 28 * DAY_MS}).writes == []
    step = stage.advance(state, [], offset=29, now_ms={"m": 30 * DAY_MS})
    assert [(one.state, one.cause, one.severity) for one in step.alerts] == [("raised", "silence", "critical")]


def told_of_a_gap(*steps: int) -> list[bytes]:
    """28 days with events, then time goes on as `steps` say, in days, and events come back on day 40."""
    state: dict[bytes, bytes] = {}
    stage, told = DecisionStage([policy()]), []
    for offset, number in enumerate([*range(28), *(-one for one in steps), 40, 41, 42, 43, 44, 45, 46]):
        if number >= 0:
            step = stage.advance(state, batches(number), offset=offset, now_ms={"m": (number + 1) * DAY_MS})
        else:
            step = stage.advance(state, [], offset=offset, now_ms={"m": -number * DAY_MS})
        apply(state, step.writes)
        told += [encode_alert(one) for one in step.alerts]
    return told


@given(st.lists(st.integers(28, 40), unique=True).map(sorted))
@settings(max_examples=15, deadline=None)
def test_what_is_told_of_a_gap_is_the_same_in_whatever_steps_time_passes_it(steps: list[int]) -> None:
    assert told_of_a_gap(*steps) == told_of_a_gap()


def test_a_gap_is_silence_and_its_end_is_told() -> None:
    causes = [(decode_alert(one).data.state, decode_alert(one).data.cause) for one in told_of_a_gap()]
    assert causes[0] == ("raised", "silence")
    assert ("resolved", "silence") in causes


def test_controls_are_remembered() -> None:
    state: dict[bytes, bytes] = {}
    stage = DecisionStage([policy()])
    quiet = Silence(id="s", model="m", at_ms=0, from_ms=0, until_ms=99 * DAY_MS)
    apply(state, stage.advance(state, [], offset=0, controls=[quiet]).writes)
    told = []
    for number in range(10):
        step = stage.advance(state, batches(number, verdict(number)), offset=number + 1)
        apply(state, step.writes)
        told += step.alerts
    assert told == []


def test_what_it_tells_are_rows_too() -> None:
    state: dict[bytes, bytes] = {}
    for number in range(10):
        step = DecisionStage([policy()]).advance(state, batches(number, verdict(number)), offset=number)
        apply(state, step.writes)
        for batch in step.batches():
            rows = batch.to_pylist()
            assert record_of(batch).name in ("alert", "retraining")
            assert rows[0]["model"] == "m"


def test_the_state_of_a_later_release_stops_it_and_any_state_is_read_back() -> None:
    newer = StoredDecisions(schema_version=99)
    with pytest.raises(NewerDecisions, match="version 99"):
        load("m", dict(store("m", newer, newer)))  # type: ignore[arg-type]
    state: dict[bytes, bytes] = {}
    drifting(10, state)
    stored = load("m", state)
    assert dict(store("m", StoredDecisions(), stored)) == state
    assert load("m", {}) == StoredDecisions()


def test_a_policy_is_what_the_configuration_says() -> None:
    config = parse(
        "models: [{name: m, reference: r, windows: [{size: 7d, every: 1d}, {size: 1d}], "
        "compare: [trailing: 28d, pinned], alpha: 0.01, alerts: {raise: 'verdicts, 2 of 3'}}]",
        environ={},
    )
    (own,) = policies_of(config)
    assert (own.compare, own.alpha, own.tiling.pane_ms) == ("trailing 28d", 0.01, DAY_MS)
    assert own.alerts.raise_when == RaiseRule(k=2, n=3)
    assert msgspec.structs.asdict(own.retraining) == msgspec.structs.asdict(config.models[0].retraining)
