"""What a reference says of a model's performance, in sentences: for `reference build` and `check`. Pure."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from detectors.reference import WHOLE, Reference
from monitor.config.durations import format_duration
from monitor.config.schema import Model
from monitor.wording import counted, listed

if TYPE_CHECKING:
    from detectors.performance.space import PerformanceSpace
    from monitor.reference.labelled import LabelReport

_SHOWN = (
    "roc_auc", "log_loss", "brier", "ece", "f1", "accuracy", "macro_f1", "mae", "rmse", "bias", "r2",
)  # fmt: skip
_MOST_REASONS = 8


def labels_told(report: "LabelReport", reference: Reference) -> Iterator[str]:
    """What came of the labels: how many, what they say of the model, what was left out and what cannot be known."""
    facts = [f"{report.n_labelled:,} of {report.n_rows:,} rows are labelled", metrics_told(reference)]
    if report.positive:
        facts.append(report.positive)
    facts += report.unknowable
    yield "labels: " + "; ".join(fact for fact in facts if fact)
    dropped = [f"{reason}: {n:,}" for reason, n in report.dropped.items()]
    if dropped:
        rest = len(dropped) - _MOST_REASONS
        more = [f"and {counted(rest, 'more reason')}"] if rest > 0 else []
        yield "  left out: " + "; ".join([*dropped[:_MOST_REASONS], *more])
    if report.unknown_classes:
        n = sum(report.unknown_classes.values())
        yield f"  {counted(n, 'label')} of unknown classes: {listed(sorted(report.unknown_classes))}"
    elif report.n_unusable:
        yield f"  {counted(report.n_unusable, 'match', 'matches')} with a number that no metric can use"
    for warning in report.warnings:
        yield f"  look: {warning}"


def metrics_told(reference: Reference) -> str:
    """The reference's own metrics: "roc_auc 0.712, log_loss 0.431"; "" without labels, or where none is defined."""
    if reference.performance is None:
        return ""
    metrics = reference.performance.metrics
    known = [name for name in _SHOWN if name in metrics and math.isfinite(metrics[name].value)]
    return ", ".join(f"{name} {metrics[name].value:.4g}" for name in known)


def performance_limits(model: Model, reference: Reference) -> Iterator[str]:
    """What will be known of the model's performance, and what lacks for more. Nothing where nobody asked for any."""
    if reference.performance is None and model.label_horizon_ms is None:
        return
    from detectors.performance.model_space import space_of, why_no_space

    space = space_of(reference, model.task, model.positive)
    if space is None:
        yield f"performance is not monitored: {why_no_space(reference, model.task, model.positive)}"
        return
    yield f"performance: {'; '.join(_known(model, reference, space))}"


def _known(model: Model, reference: Reference, space: "PerformanceSpace") -> Iterator[str]:
    what = f"a {space.task} model"
    if space.task == "binary":
        what += f" in which {space.classes[1]!r} is positive"
        if reference.performance is None:
            what += f" and {space.classes[0]!r} the other class: labels that say neither are in no metric"
    elif space.classes:
        what += f" of {counted(len(space.classes), 'class', 'classes')}"
    yield what
    if space.classes and not space.scores:
        yield (
            "without scores there is no roc_auc and no log_loss"
            if space.task == "binary"
            else ("without the probabilities of all classes there is no log_loss")
        )
    elif space.classes and not space.probability:
        yield "scores are no probabilities, so there is no log_loss"
    if model.label_horizon_ms is None:
        yield "neither measured nor estimated while labels are not joined (label_horizon: 30d)"
    else:
        yield f"measured by labels of up to {format_duration(model.label_horizon_ms)}"
    if reference.performance is None:
        yield (
            "the reference has no labels, so nothing is estimated and nothing compared; build it with --labels FILE, "
            "or with a column under mapping.target"
        )
        return
    own = metrics_told(reference) or "no metric that is defined (does no prediction name a class?)"
    yield f"the reference has {own} over {counted(reference.performance.sketch.n, 'labelled row')}"
    few = sorted(
        segment
        for segment in reference.sketches
        if segment != WHOLE
        and (
            segment not in reference.segment_performance or reference.segment_performance[segment].n < model.min_samples
        )
    )
    if few:
        n = counted(len(few), "segment")
        yield f"{n} with fewer than {model.min_samples} labelled rows have no values to rely on: {listed(few)}"
    spreads = ", ".join(format_duration(length_ms) for length_ms in reference.performance.spreads)
    yield f"its spread is known over windows of {spreads}" if spreads else "its spread over windows is not known"
    if reference.delay is None and model.label_horizon_ms is not None:
        yield "the delay of its labels is not known, so missing labels go unnoticed"
