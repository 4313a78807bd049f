"""What a reference can never tell of a model's windows, in sentences: for `reference build` and `check`. Pure.

Decided once, when the reference is built: columns and segments that it has too few rows of have no verdict in any
window, and windows of a length that it has no panes of have p-values that take its rows as independent.
"""

from collections.abc import Iterable, Sequence

from detectors.reference import WHOLE, Reference
from monitor.config.durations import format_duration
from monitor.config.methods import looks_at_events
from monitor.config.schema import Model
from monitor.events.models import LABEL, SCORE
from monitor.reference.performance import performance_limits
from monitor.wording import counted, listed


def limits(model: Model, reference: Reference) -> list[str]:
    """One sentence a fact: what is never scored, how windows of each length are calibrated, what was not studied."""
    return [
        *_never_scored(model, reference),
        *_apart(reference),
        *_calibrations(model, reference),
        *_not_studied(model, reference),
        *performance_limits(model, reference),
    ]


def _never_scored(model: Model, reference: Reference) -> Iterable[str]:
    names = [column.name for column in reference.layout.columns]
    few = {
        segment: sketch.valid + sketch.nulls + sketch.invalid < model.min_samples
        for segment, sketch in reference.sketches.items()
    }
    whole = few[WHOLE]
    why = f"the reference has fewer than {model.min_samples} rows of"
    if whole.any():
        columns = [name for name, own in zip(names, whole, strict=True) if own]
        yield f"{counted(len(columns), 'column')} can never be scored, for {why} {_them(columns)}: {listed(columns)}"
    segments = sorted(segment for segment, own in few.items() if segment != WHOLE and own.all())
    if segments and not whole.all():
        n = counted(len(segments), "segment")
        yield f"{n} can never be scored, for {why} {_them(segments)}: {listed(segments)}"
    parts = [
        f"{name} in {segment}"
        for segment, own in sorted(few.items())
        if not own.all()
        for name, fewer in zip(names, own & ~whole, strict=True)
        if fewer
    ]
    if parts:
        n = counted(len(parts), "column")
        yield f"{n} of single segments can never be scored, for {why} {_them(parts)} there: {listed(parts)}"


def _apart(reference: Reference) -> Iterable[str]:
    """Of features and predictions that come in events of their own, as KServe and Seldon log them."""
    layout, whole = reference.layout, reference.sketches[WHOLE]
    spoken = whole.valid + whole.nulls + whole.invalid > 0
    predictions = [index for index, column in enumerate(layout.columns) if column.name in (SCORE, LABEL)]
    if not whole.n_both and spoken[list(layout.features)].any() and spoken[predictions].any():
        yield (
            "features and predictions come in events of their own: losses are not traced to features, and predictions "
            "have no segment by a feature"
        )


def _calibrations(model: Model, reference: Reference) -> Iterable[str]:
    if not reference.studies:
        yield (
            "p-values take rows as independent, for the reference has no times, or too few, to show otherwise; where "
            f"rows resemble their neighbours in time, build it from more, with the column {model.mapping.timestamp!r}"
        )
        return
    told = set()
    for window in model.windows:
        length_ms = window.shape.usual_ms
        study = reference.study(length_ms)
        if length_ms in told or study is None:
            continue
        told.add(length_ms)
        panes = f"{study.n_panes} panes of {format_duration(study.pane_ms)}"
        if length_ms not in {known.length_ms for known in reference.studies}:
            yield (
                f"windows of {window.size} are calibrated by panes of {format_duration(study.pane_ms)}, which were cut "
                "for windows of another length; build the reference again"
            )
        elif study.extrapolated:
            yield (
                f"windows of {window.size} are longer than the reference can show: their p-values are extrapolated "
                f"from its {panes}"
            )
        else:
            yield f"windows of {window.size} are calibrated by the reference's {panes}"


def _not_studied(model: Model, reference: Reference) -> Iterable[str]:
    asked = dict.fromkeys(drift.method for drift in model.drift if not looks_at_events(drift.method))
    missing = [name for name in asked if any(name not in study.effects for study in reference.studies)]
    if missing:
        yield (
            f"the reference was built before the configuration named {listed(missing)}, whose p-values take rows as "
            "independent; build it again"
        )


def _them(names: Sequence[str]) -> str:
    return "it" if len(names) == 1 else "them"
