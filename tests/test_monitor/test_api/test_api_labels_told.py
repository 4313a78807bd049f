"""What the page and the card say of a model's labels: of which window each figure is, and what the labels lack."""

from typing import Any

import msgspec
import pytest

from monitor.api.metrics import metric_name
from monitor.api.model_card import CardFigure, ModelCard, markdown
from monitor.api.queries.fleet import Headline
from monitor.api.queries.performance import Figure, Part
from monitor.api.rendering import environment
from monitor.api.views.fleet import performance_words
from monitor.api.views.performance import PerformanceView, performance_sentence, performance_view

HOUR_MS = 3_600_000


def figure(metric: str, value: float | None, hour: int = 1, **own: Any) -> Figure:
    plain: dict[str, Any] = {
        "segment": "", "metric": metric, "estimated": False, "start_ms": (hour - 1) * HOUR_MS, "end_ms": hour * HOUR_MS,
        "value": value, "ci_low": None, "ci_high": None, "reference_value": 0.75, "spread_low": None,
        "spread_high": None, "n_labelled": 100, "n_total": 100, "maturity": 1.0, "provisional": False,
    }  # fmt: skip
    return msgspec.convert(plain | own, Figure)


def part(name: str, contribution: float, hour: int) -> Part:
    return Part(
        part=name, rank=1, start_ms=(hour - 1) * HOUR_MS, end_ms=hour * HOUR_MS, column="@score", cell="",
        contribution=contribution, ci_low=None, ci_high=None, p_value=None, q_value=None, failing=False,
        loss_before=None, loss_now=None, share=None, n_now=100, provisional=False,
    )  # fmt: skip


def view(*figures: Figure) -> PerformanceView:
    found = performance_view(figures)
    assert found is not None
    return found


def test_the_estimate_beside_a_measured_value_is_of_its_window_and_a_later_one_says_so() -> None:
    estimates = [figure("roc_auc", value, hour, estimated=True) for hour, value in ((1, 0.74), (2, 0.61))]
    both = view(figure("roc_auc", 0.73, 1), *estimates)
    assert "estimate 0.74" in both.words
    assert "since then estimated alone, 0.61 until 1970-01-01 02:00" in performance_sentence("m", both, [])
    assert "estimate 0.61" not in view(figure("roc_auc", 0.73, 1), estimates[1]).words


def test_the_fleet_says_of_an_estimate_that_it_is_of_a_later_window() -> None:
    def headline(hour: int, value: float, *, estimated: bool) -> Headline:
        return Headline(
            model="m", version="1", metric="roc_auc", estimated=estimated, window_end_ms=hour * HOUR_MS, value=value,
            ci_low=None, ci_high=None, reference_value=0.75, spread_low=None, spread_high=None, maturity=1.0,
            provisional=False,
        )  # fmt: skip

    measured = headline(1, 0.73, estimated=False)
    assert "ref 0.75, est 0.61" in performance_words([measured, headline(1, 0.61, estimated=True)])
    assert "est of the newest window 0.61" in performance_words([measured, headline(2, 0.61, estimated=True)])


def test_the_split_of_another_window_is_not_told_as_the_measured_ones() -> None:
    found = view(figure("roc_auc", 0.73, 2))
    for hour, told in ((2, "; the mean loss"), (1, "; in the window until 1970-01-01 01:00 the mean loss")):
        split = [part("inputs", 0.01, hour), part("relation", 0.02, hour)]
        assert f"{told} rose by 0.03" in performance_sentence("m v1", found, split)


def test_labels_of_unknown_classes_are_said_and_not_taken_for_none() -> None:
    said = view(figure("roc_auc", None), figure("labels_unknown", 100.0), figure("roc_auc", 0.7, estimated=True))
    assert said.has_labels
    assert "no labels yet" not in said.words
    assert said.warnings[0].startswith(
        "100 of 100 labels of the window until 1970-01-01 01:00 name a class that the reference does not know"
    )
    assert not view(figure("roc_auc", 0.7), figure("labels_unknown", 0.0)).warnings


@pytest.mark.parametrize(
    ("metric", "value", "words"),
    [
        ("labelled_unlike:@score", 0.4, "Labels came for some predictions rather than for others, by the score"),
        ("labelled_unlike:@score", 0.05, ""),
        ("labels_missing", 0.9, "90 % of the labels that are due of the window until 1970-01-01 01:00 are missing"),
        ("labels_missing", 0.02, ""),
    ],
)
def test_labels_for_some_alone_and_missing_ones_are_said_beside_what_was_measured(
    metric: str, value: float, words: str
) -> None:
    told = view(figure("roc_auc", 0.7), figure(metric, value)).warnings
    assert told[0].startswith(words) if words else not told


def test_errors_and_residuals_say_which_sign_they_have() -> None:
    assert metric_name("bias") == "mean error (prediction less truth)"
    assert metric_name("residual:0.5") == "median of the residual (truth less prediction)"


@pytest.mark.parametrize(
    ("low", "high", "page", "card"),
    [
        (1.0, None, "from 1", "| from 1 |"),
        (None, 2.0, "up to 2", "| up to 2 |"),
        (1.0, 2.0, "1 \N{EN DASH} 2", "| 1 to 2 |"),
        (None, None, "\N{EN DASH}", "|  |"),
    ],
)
def test_an_interval_with_one_end_says_so(low: float | None, high: float | None, page: str, card: str) -> None:
    interval = environment(None).filters["interval"]
    assert interval(figure("mae", 1.5, ci_low=low, ci_high=high)) == page
    one = CardFigure(
        metric="mae", segment="", value=1.5, ci_low=low, ci_high=high, reference=1.0, n_labelled=9, provisional=False
    )
    told = ModelCard(
        model="m", version="1", reference="r", from_ms=0, to_ms=1, window_s=1, n_windows=1, events=1, sentence="",
        performance_sentence="", performance=(one,), by_segment=(), drift=(), was=(), limits=(),
    )  # fmt: skip
    assert card in markdown(told)
