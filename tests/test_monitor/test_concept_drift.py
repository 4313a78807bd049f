"""Sequential detectors on errors in label time: their verdicts, their state, and their configuration."""

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pytest
from support.batches import batch_of
from support.performance import World, draw

from detectors.error_pane import ErrorPane
from detectors.errors import MalformedState
from detectors.sequential_registry import sequential_detector, sequential_detectors
from monitor.config.load import parse
from monitor.errors import ConfigError
from monitor.evaluation.concept_drift import DetectorContext, advance_detectors
from monitor.evaluation.watched import Watched
from sinks.records import RECORDS

WORLD = World(draw(np.random.default_rng(7), 20_000))
CONTEXT = DetectorContext(reference=WORLD.reference, space=WORLD.space)
N = 500


def watched(*detectors: str) -> Watched:
    return dataclasses.replace(WORLD.model, concept_drift=tuple(sequential_detector(name) for name in detectors))


def panes(rates: Iterable[float], first: int = 0) -> list[ErrorPane]:
    return [
        ErrorPane(start_ms=i * 1_000, end_ms=(i + 1) * 1_000, n=N, total=round(N * rate))
        for i, rate in enumerate(rates, first)
    ]


def run(
    model: Watched, series: Iterable[ErrorPane], state: bytes | None = None
) -> tuple[bytes, list[Mapping[str, Any]]]:
    rows = []
    for pane in series:
        state, own = advance_detectors(model, "1", state, pane, CONTEXT)
        rows += own
    assert state is not None
    return state, rows


def test_a_rise_of_the_error_rate_is_told_by_each_detector_with_the_moment_and_the_loss_before_and_after() -> None:
    _, rows = run(watched("adwin", "page_hinkley"), panes([0.2] * 60 + [0.4] * 20))
    first = {row["method"]: row for row in reversed(rows)}
    assert set(first) == {"adwin", "page_hinkley"}
    for name, row in first.items():
        assert row["compare"] == f"sequential {name}"
        assert 60_000 <= row["window_start_ms"] <= 64_000
        assert row["window_end_ms"] == row["window_start_ms"] + 1_000
        assert (row["column"], row["direction"], row["quantity"]) == ("@loss", "worse", "error rate")
        assert row["before"] == pytest.approx(0.2, abs=0.02)
        assert row["after"] > row["before"]
    batch = batch_of(RECORDS["drift_verdict"], rows)
    keys = [tuple(row[name] for name in RECORDS["drift_verdict"].key) for row in batch.to_pylist()]
    assert len(set(keys)) == len(keys), "no verdict overwrites another"


def test_an_unchanged_error_rate_is_no_drift() -> None:
    rng = np.random.default_rng(7)
    assert run(watched("adwin", "page_hinkley"), panes(rng.binomial(N, 0.2, size=200) / N))[1] == []


def test_other_losses_are_read_in_units_of_the_reference() -> None:
    rng = np.random.default_rng(7)
    series = []
    for i in range(80):
        losses = rng.exponential(0.5 if i < 60 else 0.8, size=N)
        series.append(
            ErrorPane(
                start_ms=i, end_ms=i + 1, n=N, total=float(losses.sum()), squares=float(np.sum(losses**2))
            )
        )  # fmt: skip
    _, rows = run(watched("adwin", "page_hinkley", "ddm"), series)
    assert {row["method"] for row in rows} == {"adwin", "page_hinkley"}, "ddm reads errors only"
    assert all(row["window_start_ms"] >= 60 and row["quantity"] == "log loss" for row in rows)


def test_a_changed_parameter_begins_anew_and_others_go_on() -> None:
    model = watched("adwin", "page_hinkley")
    state, _ = run(model, panes([0.2] * 60))
    changed = dataclasses.replace(
        model, concept_drift=(sequential_detector("adwin"), sequential_detector("page_hinkley", {"threshold": 60.0}))
    )
    _, rows = run(changed, panes([0.4] * 20, first=60), state)
    assert {row["method"] for row in rows} == {"adwin"}, "page_hinkley has never seen another rate"


def test_the_state_is_bounded_for_every_detector() -> None:
    model = watched(*sequential_detectors())
    rng = np.random.default_rng(7)
    state, _ = run(model, panes(rng.uniform(0.1, 0.3, size=100)))
    assert len(state) < 20_000


@pytest.mark.parametrize("state", [b"\xffnothing", b"\x91\x81\xa5setup\xa1\x80", b"\x91" * 5_000])
def test_no_state_of_detectors_is_refused(state: bytes) -> None:
    with pytest.raises(MalformedState):
        advance_detectors(watched("adwin"), "1", state, panes([0.2])[0], CONTEXT)


def test_without_a_labelled_reference_detectors_take_losses_to_be_independent() -> None:
    bare = World(draw(np.random.default_rng(7), 2_000), labelled=False)
    context = DetectorContext(reference=bare.reference, space=bare.space)
    state, rows = None, []
    for pane in panes([0.2] * 60 + [0.4] * 20):
        state, own = advance_detectors(watched("adwin"), "1", state, pane, context)
        rows += own
    assert rows
    assert math.isnan(rows[0]["p_value"])


def config(entry: str, task: str = "binary") -> str:
    return f"models: [{{name: m, reference: r, task: {task}, label_horizon: 1d, concept_drift: {entry}}}]"


def test_the_configuration_names_detectors_with_their_parameters() -> None:
    (model,) = parse(config("[kswin, {detector: ddm, parameters: {warm_start: 50}}]"), environ={}).models
    assert [(one.detector, one.parameters) for one in model.concept_drift] == [
        ("kswin", {}),
        ("ddm", {"warm_start": 50}),
    ]
    (default,) = parse("models: [{name: m, reference: r}]", environ={}).models
    assert [one.detector for one in default.concept_drift] == ["adwin", "page_hinkley"]


@pytest.mark.parametrize(
    ("entry", "task", "told"),
    [
        ("[adwni]", "binary", "adwin"),
        ("[{detector: ddm, parameters: {warmstart: 50}}]", "binary", "did you mean 'warm_start'"),
        ("[{detector: ddm, parameters: {warm_start: 0}}]", "binary", ">= 1"),
        ("[ddm, {detector: ddm}]", "binary", "already"),
        ("[eddm]", "regression", "adwin, kswin, page_hinkley"),
    ],
)
def test_a_configuration_that_no_detector_can_follow_is_refused(entry: str, task: str, told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(config(entry, task), environ={})
    assert told in str(refused.value)
    assert "concept_drift" in str(refused.value)
