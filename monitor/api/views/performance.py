"""One model's performance on a screen: which metric, its newest value in words, and how mature it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from detectors.performance.censoring import MATTERS as UNLIKE_MATTERS
from detectors.performance.direction import direction
from monitor.api.charts import Chart, measured_chart
from monitor.api.metrics import in_words_units, is_quality, is_worse, metric_name, offered, worse_by
from monitor.api.model_sentence import LabelsSay
from monitor.api.queries.performance import Figure, Part
from monitor.api.wording import column_name
from monitor.evaluation.performance_verdicts import MISSING_MATTERS
from monitor.wording import counted, figure, instant, listed


@dataclass(frozen=True, slots=True, kw_only=True)
class PerformanceView:
    """One metric over time.

    Attributes
    ----------
    newest: the last measured figure that is not provisional, else the last measured one; None where there are only
        estimates. Of a window whose labels have only begun to come a handful would speak for the model.
    early: the last measured figure, where that is a later and provisional one.
    estimate: what was estimated of the window of `newest`, without one the last estimated figure. ahead: the last
        estimated figure, where that is of a later window.
    words: ``AUC 0.71 [0.69, 0.73]``, with what it is compared with.
    warnings: sentences, of the labels that it rests on. has_labels: whether any came in the span.
    """

    metric: str
    name: str
    figures: tuple[Figure, ...]
    newest: Figure | None
    estimate: Figure | None
    early: Figure | None
    ahead: Figure | None
    words: str
    warnings: tuple[str, ...]
    has_labels: bool
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
    last = measured[-1] if measured else None
    # How labels come is not told later by their own coming.
    newest = next((one for one in reversed(measured) if not one.provisional or chosen.startswith("label")), last)
    guess = guesses[-1] if guesses else None
    estimate = guess
    if newest is not None:
        estimate = next((one for one in reversed(guesses) if one.end_ms == newest.end_ms), None)
    end_ms = newest.end_ms if newest is not None else own[-1].end_ms
    of_window = {one.metric: in_words_units(one) for one in figures if one.end_ms == end_ms and not one.estimated}
    return PerformanceView(
        metric=chosen,
        name=metric_name(chosen),
        figures=own,
        newest=newest,
        estimate=estimate,
        early=last if last is not newest else None,
        ahead=guess if guess is not None and newest is not None and guess.end_ms > newest.end_ms else None,
        words=_words(chosen, newest, estimate),
        warnings=_warnings(figures, end_ms, newest.end_ms if newest is not None else 0),
        has_labels=any(one.n_labelled and not one.estimated for one in figures),
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
        known.append("estimated, " + ("not measured on its labels" if main.n_labelled else "no labels yet"))
    elif newest.maturity is not None:
        known.append(f"{100 * newest.maturity:.0f} % labelled" + (", provisional" if newest.provisional else ""))
    return f"{text} ({', '.join(known)})" if known else text


def _warnings(figures: Sequence[Figure], end_ms: int, since_ms: int) -> tuple[str, ...]:
    """What the reader of a window's figures must know of its labels, and of those of windows since then.

    Parameters
    ----------
    end_ms: of the window. since_ms: of the newest window that was measured, 0 where none was.
    """
    own = {one.metric: one for one in figures if one.end_ms == end_ms and not one.estimated and one.value is not None}
    said = []
    unknown = [one for one in figures if one.metric == "labels_unknown" and one.n_labelled and one.end_ms >= since_ms]
    if unknown and unknown[-1].value:
        one = unknown[-1]
        said.append(
            f"{one.value:,.0f} of {counted(one.n_labelled, 'label')} of the window until {instant(one.end_ms)} name a "
            "class that the reference does not know: a new class, or another spelling. They count in no figure, or, of "
            "several classes, as wrong."
        )
    unlike = [one for name, one in own.items() if name.startswith("labelled_unlike:")]
    by = [one.metric.partition(":")[2] for one in unlike if (one.value or 0.0) >= UNLIKE_MATTERS]
    if by:
        said.append(
            f"Labels came for some predictions rather than for others, by {listed([column_name(one) for one in by])}: "
            "what is measured is of those alone, the estimate of all."
        )
    missing = [one for one in figures if one.metric == "labels_missing" and (one.value or 0.0) >= MISSING_MATTERS]
    if missing and missing[-1].end_ms >= end_ms:
        one = missing[-1]
        said.append(
            f"{figure('share', one.value)} of the labels that are due of the window until {instant(one.end_ms)} are "
            "missing: while they are, a loss need not show."
        )
    return tuple(said)


def performance_sentence(title: str, view: PerformanceView | None, split: Sequence[Part]) -> str:
    """The first line of the screen. `split`: of the change in loss, of one window."""
    if view is None:
        return f"{title}: no labels came and nothing could be estimated in this span."
    main = view.main
    until = instant(main.end_ms)
    if main.reference_value is None or main.value is None:
        return (
            f"{title}: {view.words} in the window until {until}; no labelled reference to compare with{_later(view)}."
        )
    worse = worse_by(main) or 0.0
    verdict = "no worse than the reference"
    if direction(view.metric) == "neither":
        verdict = _beside(main.value, main.reference_value)
    elif view.is_worse:
        verdict = "worse than the reference"
    elif worse > 0 and main.ci_low is None:
        verdict = "worse than the reference by what may be chance: there is no interval"
    elif worse > 0:
        verdict = "within what chance allows of the reference"
    return f"{title}: {view.words}, {verdict}, until {until}{_split(split, main.end_ms)}{_later(view)}."


def _later(view: PerformanceView) -> str:
    """What is known of windows after the one that is told."""
    if (early := view.early) is not None:
        labelled = f" by {100 * early.maturity:.0f} % of its labels" if early.maturity is not None else ""
        return (
            f"; labels of later windows still come: the newest, until {instant(early.end_ms)}, has "
            f"{figure('', early.value)}{labelled} so far"
        )
    if (ahead := view.ahead) is not None:
        return f"; since then estimated alone, {figure('', ahead.value)} until {instant(ahead.end_ms)}"
    return ""


def _beside(value: float, reference: float) -> str:
    return f"{'above' if value > reference else 'below'} the reference" if value != reference else "as the reference"


def _split(split: Sequence[Part], end_ms: int) -> str:
    known: dict[str, Any] = {one.part: one.contribution for one in split}
    if known.get("inputs") is None or known.get("relation") is None:
        return ""
    change = known["inputs"] + known["relation"]
    where = "" if split[0].end_ms == end_ms else f"in the window until {instant(split[0].end_ms)} "
    how = "rose" if change > 0 else "fell"
    return (
        f"; {where}the mean loss {how} by {abs(change):.3g}, of which moved inputs explain "
        f"{known['inputs']:+.3g} and a changed relation {known['relation']:+.3g}"
    )


def labels_say(figures: Sequence[Figure], *, tested: bool) -> LabelsSay:
    """What there is to tell a loss by, of all figures of a span. `tested`: whether a verdict on the loss was given."""
    quality = [one for one in figures if not one.estimated and one.n_labelled and is_quality(one.metric)]
    if not quality:
        return "nothing"
    if all(one.reference_value is None for one in quality):
        return "alone"
    return "no loss" if tested else "early"
