"""The balance of features and predictions: quiet on either way of sending them, and right about how sure it is."""

import numpy as np
import pytest

from detectors.columns import Column, Kind
from detectors.errors import InvalidSetting
from detectors.examples import compare_coverage
from detectors.layout import Layout
from detectors.methods.coverage import Coverage
from detectors.reference import Reference
from detectors.score import Setting, score
from detectors.sketch import Sketch

WHOLE = (10_000, 0, 0)


@pytest.mark.parametrize("live", [(5_000, 0, 0), (0, 5_000, 5_000), (2_500, 2_500, 2_500), (0, 5_000, 4_990)])
def test_together_or_apart_a_healthy_model_does_not_drift(live):
    scores = compare_coverage(WHOLE, live)
    assert scores.statistic[0] < 0.01 < Coverage.default_threshold
    assert scores.p_value[0] > 0.05


@pytest.mark.parametrize(
    ("live", "share"),
    [((900, 0, 100), 0.1), ((900, 100, 0), 0.1), ((0, 450, 500), 0.1), ((0, 20_000, 2_000), 0.9), ((1, 0, 999), 0.999)],
)
def test_what_comes_without_its_other_half_is_a_share(live, share):
    scores = compare_coverage(WHOLE, live)
    assert scores.statistic[0] == pytest.approx(share)


def test_a_reference_that_lacks_features_too_expects_no_better():
    same = compare_coverage((800, 0, 200), (4_000, 0, 1_000))
    assert (same.statistic[0], same.p_value[0]) == (0.0, pytest.approx(1.0, abs=1e-2))
    assert compare_coverage((800, 0, 200), (4_950, 0, 50)).p_value[0] < 1e-6


@pytest.mark.parametrize("live", [(0, 100, 0), (0, 0, 100), (0, 0, 0)])
def test_events_of_one_kind_alone_are_no_verdict(live):
    scores = compare_coverage(WHOLE, live)
    assert np.isnan(scores.statistic[0])
    assert np.isnan(scores.p_value[0])


@pytest.mark.parametrize("matched", [True, False])
def test_unchanged_data_are_rejected_as_often_as_the_level_says(matched):
    """Features and predictions are lost at random, each with probability 0.1; 2,000 windows, seed 4."""
    rng = np.random.default_rng(4)

    def window(n):
        features, predictions = rng.random(n) < 0.9, rng.random(n) < 0.9
        if not matched:
            return 0, int(rng.poisson(0.9 * n)), int(rng.poisson(0.9 * n))
        return tuple(int(np.sum(part)) for part in (
            features & predictions, features & ~predictions, ~features & predictions,
        ))  # fmt: skip

    p = np.array([compare_coverage(window(2_000), window(1_000)).p_value[0] for _ in range(2_000)])
    assert 0.03 < np.mean(p < 0.05) < 0.07


LAYOUT = Layout([Column(name=name, kind=Kind.NUMERIC) for name in ("x", "@score")])
COVERAGE, MISSING = Setting(method="coverage", threshold=0.05), Setting(method="missing", threshold=0.01)


def sketch(both, features, predictions, layout=LAYOUT):
    made = Sketch.empty(layout)
    made.n, made.n_both = both + features + predictions, both
    made.nulls[: len(layout.columns)] = (both + features, both + predictions)[: len(layout.columns)]
    return made


def reference_of(layout=LAYOUT):
    whole = sketch(1_000, 0, 0, layout)
    means = np.full(layout.n_cells, np.nan)
    return Reference(
        model="m", version="1", layout=layout, dimensions={}, sketches={"": whole, "a=b": whole}, cell_means=means
    )  # fmt: skip


@pytest.mark.parametrize("settings", [[COVERAGE], [COVERAGE, MISSING], [MISSING, COVERAGE]])
def test_whole_events_are_one_row_of_the_whole(settings):
    live = {"": sketch(450, 0, 50), "a=b": sketch(0, 0, 9)}
    scores = score(reference_of(), live, settings, min_samples=200)
    own = scores.column == scores.columns.index("@coverage")
    assert scores.column[own].size == 1
    assert scores.segments[scores.segment[own][0]] == ""
    assert (scores.statistic[own][0], scores.n_current[own][0]) == (pytest.approx(0.1), 500)
    assert scores.effect[own][0] >= 0.05
    assert scores.p_value[own][0] < 0.01


def test_no_settings_are_no_rows():
    assert len(score(reference_of(), {"": sketch(1, 0, 0)}, [], min_samples=1)) == 0


def test_events_of_one_kind_alone_have_no_balance():
    assert len(score(reference_of(), {"": sketch(0, 0, 5_000)}, [COVERAGE], min_samples=200)) == 0


def test_a_reference_without_a_prediction_has_no_balance():
    layout = Layout([Column(name="x", kind=Kind.NUMERIC)])
    assert len(score(reference_of(layout), {"": sketch(0, 500, 0, layout)}, [COVERAGE], min_samples=1)) == 0


@pytest.mark.parametrize(
    "settings", [[COVERAGE, COVERAGE], [Setting(method="coverage", threshold=0.05, columns=("x",))]]
)
def test_whole_events_are_scored_once_and_have_no_columns(settings):
    with pytest.raises(InvalidSetting, match="whole events"):
        score(reference_of(), {"": sketch(1, 0, 0)}, settings)
