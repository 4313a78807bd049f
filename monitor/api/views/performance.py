"""One model's performance on a screen: which metric, its newest value in words, and how mature it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from monitor.api.charts import Chart, measured_chart
from monitor.api.metrics import in_words_units, is_worse, metric_name, offered, worse_by
from monitor.api.queries.performance import Figure, Part
from monitor.api.worse import direction
from monitor.wording import figure, instant


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

    @property
    def main(self) -> Figure:
        """What is told first: measured, else estimated."""
        return self.newest or self.estimate or self.figures[-1]

    @property
    def is_worse(self) -> bool:
        """Whether the newest value is worse than the reference's beyond its interval."""
        return is_worse(self.main)


def performance_view(figures: Sequence[Figure], metric: str = "") -> PerformanceView | None:
    """The metric that was asked for, else the first that is offered; None without any figure."""
    there = offered([one.metric for one in figures if one.value is not None])
    if not there:
        return None
    chosen = metric if metric in there else there[0]
    own = tuple(in_words_units(one) for one in figures if one.metric == chosen and one.value is not None)
    measured = [one for one in own if not one.estimated]
    guesses = [one for one in own if one.estimated]
    newest = measured[-1] if measured else None
    estimate = guesses[-1] if guesses else None
    end_ms = newest.end_ms if newest is not None else own[-1].end_ms
    of_window = {one.metric: in_words_units(one) for one in figures if one.end_ms == end_ms and not one.estimated}
    return PerformanceView(
        metric=chosen,
        name=metric_name(chosen),
        figures=own,
        newest=newest,
        estimate=estimate,
        words=_words(chosen, newest, estimate),
        chart=measured_chart(own),
        others=tuple(of_window[name] for name in there if name in of_window),
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


def performance_sentence(title: str, view: PerformanceView | None, split: Sequence[Part]) -> str:
    """The first line of the screen."""
    if view is None:
        return f"{title}: no labels came and nothing could be estimated in this span."
    main = view.main
    until = instant(main.end_ms)
    if main.reference_value is None or main.value is None:
        return f"{title}: {view.words} in the window until {until}; no labelled reference to compare with."
    worse = worse_by(main) or 0.0
    verdict = "no worse than the reference"
    if direction(view.metric) == "neither":
        verdict = _beside(main.value, main.reference_value)
    elif view.is_worse:
        verdict = "worse than the reference"
    elif worse > 0:
        verdict = "within what chance allows of the reference"
    return f"{title}: {view.words}, {verdict}, until {until}{_split(split)}."


def _beside(value: float, reference: float) -> str:
    return f"{'above' if value > reference else 'below'} the reference" if value != reference else "as the reference"


def _split(split: Sequence[Part]) -> str:
    known: dict[str, Any] = {one.part: one.contribution for one in split}
    if known.get("inputs") is None or known.get("relation") is None:
        return ""
    change = known["inputs"] + known["relation"]
    return (
        f"; the mean loss {'rose' if change > 0 else 'fell'} by {abs(change):.3g}, of which moved inputs explain "
        f"{known['inputs']:+.3g} and a changed relation {known['relation']:+.3g}"
    )
