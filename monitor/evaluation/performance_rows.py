"""From what is known of one window of predictions and its labels to rows of the public output contract."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from detectors.performance.intervals import Metric
from detectors.performance.loss_test import (
    Between,
    LossTest,
    between_errors,
    between_windows,
    error_test,
    loss_spread,
    loss_test,
    loss_unit,
    relation_test,
)
from detectors.performance.reference import PerformanceReference
from detectors.performance.sketch import PerformanceSketch
from detectors.performance.space import Task
from detectors.performance.split import Split, split_scores
from detectors.performance.subgroups import Subgroups, subgroups
from detectors.reference import WHOLE
from monitor.evaluation.performance_delays import delays_of
from monitor.evaluation.performance_metrics import figure_rows, metric_rows
from monitor.evaluation.performance_parts import confusion_rows, split_rows, whole_rows
from monitor.evaluation.performance_side import Labelled, before, labelled, reference_of
from monitor.evaluation.performance_verdicts import (
    Tested,
    of_delays,
    of_loss,
    of_relation,
    of_subgroups,
    verdict_rows,
)
from monitor.evaluation.performance_window import PerformanceWindow
from monitor.evaluation.watched import Watched

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PerformanceRows:
    """Rows of one window, with all fields: of the records `performance`, `performance_part` and `drift_verdict`."""

    performance: list[Row]
    parts: list[Row]
    verdicts: list[Row]


def performance_results(model: Watched, window: PerformanceWindow) -> PerformanceRows:
    """Measure, estimate, split and test one window; a pure function, so that a repeat gives the same rows.

    A segment with fewer than `model.min_samples` matches is not measured, split or tested, and counted. While the
    window is provisional its loss is not tested: labels that come quickly are not like the others. Without a labelled
    reference there are only measured metrics, and what the delays say.

    Returns
    -------
    The same keys at each revision, or more: a segment that was measured once is measured ever after. Of a window
    without predictions and matches, nothing.
    """
    sides = labelled(model, window)
    side = sides[WHOLE]
    if side.n_total == 0:
        return PerformanceRows(performance=[], parts=[], verdicts=[])
    span = {
        "model": model.name,
        "version": window.version,
        "reference": window.reference.digest,
        "window_start_ms": window.window.start_ms,
        "window_end_ms": window.window.end_ms,
        "revision": window.revision,
    }
    timed = {**span, "label_ms": window.label_ms}
    delays = delays_of(window, side)
    selective = any(one.found.selective for one in delays.selections)
    rows, measured = metric_rows(window, sides, model.min_samples, timed, selective=selective)
    parts, tested, found = _explained(model, window, measured, {**span, "provisional": side.provisional})
    counts = {"segments_measured": len(measured), "segments_not_measured": _not_measured(sides, measured)}
    if (matched := window.matched.get(WHOLE)) is not None:
        counts["labels_unknown"] = max(matched.n_unknown, 0)
    if found is not None:
        failing = len(found.failing)
        counts |= {
            "subgroups_looked_at": found.n_looked_at,
            "subgroups_failing": failing,
            "subgroups_masked": failing if found.masked else 0,
        }
    figures = [(Metric(name=name, value=float(n), n=side.n_labelled), float("nan")) for name, n in counts.items()]
    rows += figure_rows(side, [*delays.figures, *figures], timed)
    tested = [] if side.provisional else tested
    verdicts = verdict_rows([*tested, *of_delays(delays)], model.alpha, {**span, "compare": "pinned"})
    return PerformanceRows(performance=rows, parts=parts, verdicts=verdicts)


def _not_measured(sides: Mapping[str, Labelled], measured: list[str]) -> int:
    return sum(side.n_labelled > 0 and name not in measured for name, side in sides.items())


def _explained(
    model: Watched, window: PerformanceWindow, measured: list[str], common: Row
) -> tuple[list[Row], list[Tested], Subgroups | None]:
    """Parts and tests of the segments that were measured and that the reference has labels of."""
    reference = reference_of(window)
    parts: list[Row] = confusion_rows(window.matched[WHOLE], common) if WHOLE in measured else []
    tested: list[Tested] = []
    if reference is None:
        return parts, tested, None
    between, spread = between_windows(reference), loss_spread(reference)
    found = None
    for segment in measured:
        old, now = before(window, segment), window.matched[segment]
        if old is None or old.n < model.min_samples or now.n < model.min_samples:
            continue
        change = loss_test(old, now, between)
        if change is not None:
            tested.append(of_loss(window.space, segment, change, _errors(old, now, reference)))
        over_scores = _over_scores(old, now)
        if over_scores is not None:
            parts += split_rows(segment, over_scores, common)
            tested.append(of_relation(window.space, segment, over_scores, relation_test(over_scores, spread)))
        if segment == WHOLE:
            found = _subgroups(old, now, model.alpha, between)
            parts += whole_rows(window, old, found, common)
            worst = of_subgroups(window.space, found)
            tested += [worst] if worst is not None else []
    unit = loss_unit(window.space)
    return [_in_unit(row, unit) for row in parts], tested, found


def _errors(old: PerformanceSketch, now: PerformanceSketch, reference: PerformanceReference) -> LossTest | None:
    """The test of errors, where labels name classes that no probability is of: the log loss knows nothing of these."""
    if old.space.task is not Task.MULTICLASS or old.space.loss != "log_loss" or not (old.n_unknown or now.n_unknown):
        return None
    return error_test(old, now, between_errors(reference))


def _over_scores(old: PerformanceSketch, now: PerformanceSketch) -> Split | None:
    return split_scores(old, now) if old.space.scores else None


def _subgroups(old: PerformanceSketch, now: PerformanceSketch, alpha: float, between: Between) -> Subgroups:
    return subgroups(old, now, alpha, between.beyond)


def _in_unit(row: Row, unit: float) -> Row:
    """Losses of a regression in the unit of its target, not in that of its sums."""
    if unit == 1.0:
        return row
    names = ("contribution", "ci_low", "ci_high", "loss_before", "loss_now")
    return {**row, **{name: row[name] * unit for name in names}}
