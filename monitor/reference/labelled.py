"""From the joined rows of a reference to what it says of performance: the space, the whole, segments, panes, delays.

Pure. Everything follows from counts and exact sums, so that the order of the rows does not matter.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np

from detectors.arrays import Codes, Floats, Ints
from detectors.performance.accumulate import accumulate_matches
from detectors.performance.build import SCORE, performance_space, told_positive
from detectors.performance.classes import class_codes, many_classes, two_classes, with_positive
from detectors.performance.delay import delay_counts, delay_curve
from detectors.performance.matches import Matches
from detectors.performance.model_space import said_counts_of, score_is_probability
from detectors.performance.reference import LEAST_PANES, performance_reference
from detectors.performance.sketch import PerformanceSketch
from detectors.performance.space import PerformanceSpace, Task
from detectors.reference import REST, WHOLE, Reference, segment_name
from monitor.config.nearest import nearest
from monitor.config.schema import Model
from monitor.errors import InputError
from monitor.events.models import CLASS_SCORE
from monitor.join.matches import Matches as JoinedMatches
from monitor.join.measured import MatchReader
from monitor.reference.joined import JoinedRows
from monitor.reference.panes import PanePlan, pane_plans

_PLACED = "mapping.label and label_mapping.label say where predictions and labels name their class"


class LabelReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a person should know of the labels of a reference.

    Attributes
    ----------
    n_rows: of the reference, that speak of their prediction.
    n_predictions: that could be joined: with an id, and a time where times matter.
    n_labelled: of those with a label.
    n_unusable: of those labelled with a label, or a prediction, that no metric can use: classes that are none of the
        model's, numbers that are not finite.
    unknown_classes: labels by class that is none of the model's.
    dropped: what was left out, by reason.
    positive: binary: the positive class, and how it was told; "" else.
    warnings: what looks wrong, each a sentence without its full stop.
    unknowable: what cannot be known, likewise.
    """

    n_rows: int
    n_predictions: int
    n_labelled: int
    n_unusable: int = 0
    unknown_classes: dict[str, int] = {}
    dropped: dict[str, int] = {}
    positive: str = ""
    warnings: tuple[str, ...] = ()
    unknowable: tuple[str, ...] = ()


def with_labels(
    reference: Reference, joined: JoinedRows, model: Model, row_times_ms: Ints, *, named: str
) -> tuple[Reference, LabelReport]:
    """The reference with what its labels show.

    Parameters
    ----------
    reference
        Of the same rows, still without labels.
    joined
        Its rows with their labels.
    row_times_ms
        (n,) of the rows that have a time. By them the reference is cut into windows as they are monitored, of each
        length at least 8; where it is too short for that, into halves, quarters and so on of them.
    named
        Where the labels come from, for messages.

    Raises
    ------
    InputError
        Nothing is labelled, or the labels do not fit the model's task.
    """
    dropped = _dropped(joined)
    if joined.matches is None:
        raise _nothing(joined, dropped, named)
    task = Task(model.task)
    space, positive, warnings = _space(reference, joined.matches, task, model, named)
    reader = MatchReader(space, reference, model.threshold)
    matches = reader.read(joined.matches)
    whole = accumulate_matches(space, matches, np.zeros(joined.n_labelled, dtype=np.int64), 1)[0]
    if whole.n <= whole.n_invalid:
        raise InputError(f"{named}: no label fits a {task} model", hint=_fitting(task))
    times = joined.matches.times_ms
    plans: dict[int, PanePlan] = {}
    for plan in pane_plans(row_times_ms, (window.shape.usual_ms for window in model.windows), LEAST_PANES):
        plans.setdefault(plan.length_ms, plan)  # the first of a length has the longest panes
    panes = {
        plan.pane_ms: accumulate_matches(space, matches, plan.pane_of(times), len(plan.starts_ms))
        for plan in plans.values()
    }
    performance = performance_reference(whole, panes_by_length=panes)
    delay = None
    if joined.timed:
        counts = delay_counts(
            (joined.matches.label_times_ms - times).astype(np.float64), np.ones(joined.n_labelled, dtype=np.int64)
        )
        delay = delay_curve(counts, joined.unlabelled_ages_ms())
    report = LabelReport(
        n_rows=reference.sketches[WHOLE].with_prediction,
        n_predictions=joined.n_predictions,
        n_labelled=joined.n_labelled,
        n_unusable=whole.n_invalid,
        unknown_classes=_unknown(space, joined.matches),
        dropped=dropped,
        positive=positive,
        warnings=tuple(warnings),
        unknowable=tuple(_unknowable(joined, has_spread=bool(performance.spreads))),
    )
    return reference.with_performance(
        performance, dict(_by_segment(reference, space, matches, joined.matches)), delay
    ), report


def _space(
    reference: Reference, joined: JoinedMatches, task: Task, model: Model, named: str
) -> tuple[PerformanceSpace, str, list[str]]:
    """The space; which class is positive and how that was told; and what looks wrong."""
    scores = _scores(reference, joined)
    if task is Task.REGRESSION:
        if scores is None:
            raise InputError("the data has no numeric prediction", hint="name its column under `mapping: {score: ...}`")
        target = joined.label_numbers
        usable = np.isfinite(target) & np.isfinite(scores)
        if not usable.any():
            raise InputError(f"{named}: no label is a number beside a numeric prediction", hint=_fitting(task))
        target, scores = target[usable], scores[usable]
        return performance_space(reference, task, targets=target, residuals=target - scores), "", []
    counts = _class_counts(joined)
    said = said_counts_of(reference)
    probability = score_is_probability(reference)
    if task is Task.MULTICLASS:
        classes = many_classes(Counter(counts) + Counter(said))
        if len(classes) < 2:
            raise InputError(f"{named}: labels and predictions name fewer than two classes", hint=_fitting(task))
        warnings = _mismatch(classes, counts, said)
        return performance_space(reference, task, classes=classes, probability=probability), "", warnings
    pair = _pair(counts, said, model.positive, named)
    classes, how, warnings = _told(pair, model.positive, _telling(reference, joined, pair, scores), joined)
    warnings += _mismatch(classes, counts, said)
    space = performance_space(reference, task, classes=classes, probability=probability)
    return space, f"{classes[1]!r} is positive{how}", warnings


def _pair(counts: dict[str, int], said: dict[str, int], positive: str | None, named: str) -> tuple[str, str]:
    """The two classes of a binary model, in the order of their names: those that labels name most, of those that
    predictions name where that leaves two."""
    classes = two_classes(counts, positive)
    if len(counts) > 2 and len(said) == 2 and set(said) <= set(counts):
        classes = tuple(said)
    if len(classes) < 2:
        classes = two_classes(counts | {name: n for name, n in said.items() if name not in counts}, positive)
    if len(classes) < 2:
        raise InputError(
            f"{named}: all labels are of the class {next(iter(counts), '')!r}",
            hint="a binary model's reference needs labels of both classes",
        )
    if positive is not None and with_positive(classes, positive) is None:
        near = nearest(positive, classes)
        meant = f"did you mean {near!r}? " if near else ""
        raise InputError(
            f"positive is {positive!r}, but the labels' classes are {sorted(classes)[0]!r} and {sorted(classes)[1]!r}",
            hint=f"{meant}say one of them under `positive`, or leave it out",
        )
    first, second = sorted(classes)
    return first, second


def _told(
    pair: tuple[str, str], positive: str | None, scores: Floats | None, joined: JoinedMatches
) -> tuple[tuple[str, str], str, list[str]]:
    """The negative class and the positive one, how that was told, and what looks wrong with it."""
    label = class_codes(pair, joined.classes)[joined.label_codes]
    both = scores is not None and all(np.any((label == code) & np.isfinite(scores)) for code in (0, 1))
    higher = told_positive(scores, label) if both and scores is not None else 1
    if positive is not None:
        classes = with_positive(pair, positive)
        assert classes is not None  # `_pair` has looked
        against = both and scores is not None and classes[1] != pair[higher] and _parted(scores, label)
        low = f"members of {classes[1]!r} score lower than the others: is `positive` right?"
        return classes, ", as configured", [low] if against else []
    if not both or scores is None or not _parted(scores, label):
        return pair, f" by {'its value' if pair[1] in ('1', 'true') else 'its name'}, for no score tells", []
    return (pair[1 - higher], pair[higher]), ", for its members score higher", []


def _parted(scores: Floats, label: Codes) -> bool:
    """Whether scores tell the classes apart at all."""
    return told_positive(scores, label) != told_positive(-scores, label)


def _mismatch(classes: Sequence[str], counts: dict[str, int], said: dict[str, int]) -> list[str]:
    """Predictions and labels that spell classes unlike each other."""
    shared = set(class_codes(classes, said).tolist()) & set(class_codes(classes, counts).tolist()) - {len(classes)}
    if not said or shared:
        return []
    labels, predictions = (", ".join(map(repr, sorted(names)[:3])) for names in (counts, said))
    return [f"labels say {labels} and predictions say {predictions}: no class is in both, so all are wrong; {_PLACED}"]


def _scores(reference: Reference, joined: JoinedMatches) -> Floats | None:
    """(n,) the predictions' `@score`; None where the reference has no such column."""
    names = _score_names(reference)
    return joined.scores[names.index(SCORE)] if SCORE in names else None


def _score_names(reference: Reference) -> list[str]:
    """The columns of `joined.scores`, in its order."""
    observed = reference.layout.observed
    names = [observed.columns[index].name for index in observed.numeric]
    return [name for name in names if name == SCORE or name.startswith(CLASS_SCORE)]


def _telling(
    reference: Reference, joined: JoinedMatches, pair: tuple[str, str], scores: Floats | None
) -> Floats | None:
    """The scores, unless each is the larger of both classes' probabilities: that tells nothing of one class."""
    names = _score_names(reference)
    own = [joined.scores[names.index(CLASS_SCORE + name)] for name in pair if CLASS_SCORE + name in names]
    if scores is None or len(own) < 2:
        return scores
    largest = np.fmax(*(np.where(np.isfinite(each), each, np.nan) for each in own))
    return None if np.array_equal(largest, np.where(np.isfinite(scores), scores, np.nan), equal_nan=True) else scores


def _class_counts(joined: JoinedMatches) -> dict[str, int]:
    counts = np.bincount(joined.label_codes[joined.is_class], minlength=len(joined.classes)).tolist()
    return {name: n for name, n in zip(joined.classes, counts, strict=False) if n}


def _unknown(space: PerformanceSpace, joined: JoinedMatches) -> dict[str, int]:
    if not space.classes:
        return {}
    counts = _class_counts(joined)
    codes = class_codes(space.classes, counts).tolist()
    return {name: n for (name, n), code in zip(counts.items(), codes, strict=True) if code == space.other}


def _by_segment(
    reference: Reference, space: PerformanceSpace, matches: Matches, joined: JoinedMatches
) -> Iterator[tuple[str, PerformanceSketch]]:
    for codes, (dimension, values) in zip(joined.segments, reference.dimensions.items(), strict=True):
        names = [segment_name(dimension, value) for value in (*values, REST)]
        for name, sketch in zip(names, accumulate_matches(space, matches, codes, len(names)), strict=True):
            if sketch.n:
                yield name, sketch


def _dropped(joined: JoinedRows) -> dict[str, int]:
    """By reason, what takes no part; what is none is left out."""
    reasons = {
        "rows without an id": joined.n_without_id,
        "rows without a time": joined.n_without_time,
        "rows of an id that came before": joined.counts["duplicate_prediction"],
        "labels of ids that no row has": joined.n_orphans,
        "labels before their prediction": joined.counts["label_before_prediction"],
        "labels after the label_horizon": joined.counts["label_overdue"],
        "repeated labels": joined.counts["repeated"],
        "labels that another one of their id replaces": joined.counts["corrected"] + joined.counts["superseded"],
        **{f"labels rejected as {reason}": n for reason, n in joined.rejects.most_common()},
    }
    return {reason: n for reason, n in reasons.items() if n}


def _nothing(joined: JoinedRows, dropped: dict[str, int], named: str) -> InputError:
    why = "; ".join(f"{reason}: {n:,}" for reason, n in list(dropped.items())[:4]) or "it holds none"
    if joined.rejects and not joined.n_orphans:
        hint = "name where things lie in a label under `label_mapping`"
    elif joined.counts["label_overdue"] or joined.counts["label_before_prediction"]:
        hint = "labels count from their prediction's time to its label_horizon; is the unit of the times right?"
    elif joined.n_orphans:
        hint = "labels are joined by prediction_id: do both files name the same ones?"
    else:
        hint = "name a file, or under `mapping: {target: ...}` a column, that says what was true"
    return InputError(f"{named}: no row of the reference has a label: {why}", hint=hint)


def _unknowable(joined: JoinedRows, *, has_spread: bool) -> Iterator[str]:
    if not joined.timed:
        yield "without times of labels nothing is known of their delay"
    if not has_spread:
        yield "without enough panes in time nothing is known of how metrics spread from window to window"


def _fitting(task: Task) -> str:
    if task is Task.REGRESSION:
        return "a regression's label is a finite number"
    return f"a {task} model's label is a class: text, a whole number, true or false"
