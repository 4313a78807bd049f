"""One model's performance on a screen: which metric, its newest value in words, and how mature it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from monitor.api.charts import Chart, measured_chart
from monitor.api.queries.performance import Figure, Part
from monitor.api.wording import LOSSES, metric_name
from monitor.wording import figure, instant

METRIC_ORDER: Final = (
    "roc_auc", "pr_auc", "macro_f1", "accuracy", "f1", "precision", "recall", "log_loss", "brier", "ece", "mae",
    "rmse", "bias", "r2", "labels_missing", "label_delay_psi",
)  # fmt: skip
"""What is offered, the first that there is shown first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PerformanceView:
    """One metric over time.

    Attributes
    ----------
    newest: the last measured figure; None where there are only estimates. estimate: the last estimated one.
    words: ``AUC 0.71 [0.69, 0.73]``, with what it is compared with.
    """

    metric: str
    name: str
    figures: tuple[Figure, ...]
    newest: Figure | None
    estimate: Figure | None
    words: str
    chart: Chart
    others: tuple[Figure, ...]


def performance_view(figures: Sequence[Figure], metric: str = "") -> PerformanceView | None:
    """The metric that was asked for, else the first of `METRIC_ORDER` that there is; None without any figure."""
    there = {one.metric for one in figures if one.value is not None}
    chosen = metric if metric in there else next((name for name in METRIC_ORDER if name in there), None)
    if chosen is None:
        return None
    own = tuple(one for one in figures if one.metric == chosen and one.value is not None)
    measured = [one for one in own if not one.estimated]
    guesses = [one for one in own if one.estimated]
    newest = measured[-1] if measured else None
    estimate = guesses[-1] if guesses else None
    end_ms = newest.end_ms if newest is not None else own[-1].end_ms
    others = tuple(one for one in figures if one.end_ms == end_ms and not one.estimated and one.metric in METRIC_ORDER)
    return PerformanceView(
        metric=chosen,
        name=metric_name(chosen),
        figures=own,
        newest=newest,
        estimate=estimate,
        words=_words(chosen, newest, estimate),
        chart=measured_chart(own),
        others=tuple(sorted(others, key=lambda one: METRIC_ORDER.index(one.metric))),
    )


def _words(metric: str, newest: Figure | None, estimate: Figure | None) -> str:
    main = newest or estimate
    assert main is not None
    text = f"{metric_name(metric)} {figure('', main.value)}"
    if main.ci_low is not None and main.ci_high is not None:
        text += f" [{figure('', main.ci_low)}, {figure('', main.ci_high)}]"
    known = [f"reference {figure('', main.reference_value)}"] if main.reference_value is not None else []
    if newest is not None and estimate is not None:
        known.append(f"estimate {figure('', estimate.value)}")
    if newest is None:
        known.append("estimated, no labels yet")
    elif newest.maturity is not None:
        known.append(f"{100 * newest.maturity:.0f} % labelled" + (", provisional" if newest.provisional else ""))
    return f"{text} ({', '.join(known)})" if known else text


def is_worse(view: PerformanceView) -> bool:
    """Whether the newest value is worse than the reference's beyond its interval."""
    main = view.newest or view.estimate
    if main is None or main.reference_value is None or main.ci_low is None:
        return False
    edge = main.ci_low if view.metric in LOSSES else main.ci_high
    return edge is not None and (edge - main.reference_value) * (1 if view.metric in LOSSES else -1) > 0


def performance_sentence(title: str, view: PerformanceView | None, split: Sequence[Part]) -> str:
    """The first line of the screen."""
    if view is None:
        return f"{title}: no labels came and nothing could be estimated in this span."
    main = view.newest or view.estimate
    assert main is not None
    until = instant(main.end_ms)
    if main.reference_value is None or main.value is None:
        return f"{title}: {view.words} in the window until {until}; no labelled reference to compare with."
    worse = (main.value - main.reference_value) * (1 if view.metric in LOSSES else -1)
    verdict = "no worse than the reference"
    if is_worse(view):
        verdict = "worse than the reference"
    elif worse > 0:
        verdict = "within what chance allows of the reference"
    return f"{title}: {view.words}, {verdict}, until {until}{_split(split)}."


def _split(split: Sequence[Part]) -> str:
    known: dict[str, Any] = {one.part: one.contribution for one in split}
    if known.get("inputs") is None or known.get("relation") is None:
        return ""
    change = known["inputs"] + known["relation"]
    return (
        f"; the mean loss {'rose' if change > 0 else 'fell'} by {abs(change):.3g}, of which moved inputs explain "
        f"{known['inputs']:+.3g} and a changed relation {known['relation']:+.3g}"
    )
