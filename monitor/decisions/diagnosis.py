"""The metric dropped, why? From what is stored to findings, in the order in which an engineer asks. Pure.

Did events come, and are the data whole? Did inputs move, or is it the season? Did predictions? Did performance fall,
and does the relation of inputs and labels explain it? Since when? What moved is what the alert policy finds in the
windows (`monitor.decisions.decide`), not what single windows say; its sentences are those of the alerts.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Final, Literal

import msgspec

from monitor.config.decisions import Cause
from monitor.decisions.alert import Alert
from monitor.decisions.decide import Decisions, Inputs, decide
from monitor.decisions.moved import ClosedWindow
from monitor.decisions.performance_found import (
    MeasuredMetric,
    Part,
    PerformanceFound,
    Relation,
    performance_found,
    relation_found,
)
from monitor.decisions.policy import Policy
from monitor.decisions.season import seasonal_columns
from monitor.decisions.words import summary, to_do
from monitor.wording import counted, instant

Answer = Literal["yes", "no", "unknown"]
Action = Literal["fix the pipeline", "retrain", "nothing"]
PIPELINE: Final[tuple[Cause, ...]] = ("silence", "rejects", "schema", "data_quality")
INPUTS: Final[tuple[Cause, ...]] = ("data_drift", "subgroup")
_MOST_REJECTS: Final = 0.05
"""A larger share of rejected events says that something is wrong, where nothing says when they came."""


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a model since some time.

    Attributes
    ----------
    windows: of the policy's comparison, in order; those before the time that is asked about count as what came before.
    seasonal: the same windows beside their seasons, where they are compared with them too.
    measured, parts: of the whole, from the records `performance` and `performance_part`.
    rejects: by reason.
    """

    windows: Sequence[ClosedWindow] = ()
    seasonal: Sequence[ClosedWindow] = ()
    measured: Sequence[MeasuredMetric] = ()
    parts: Sequence[Part] = ()
    rejects: Mapping[str, int] = {}


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One question, whether it is so, and the numbers behind it.

    Attributes
    ----------
    sentences: one a fact.
    since_ms: when what is so began; null where it is not, or not known.
    """

    question: str
    answer: Answer
    sentences: tuple[str, ...]
    since_ms: int | None = None


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """The answers in order, and what to do.

    Attributes
    ----------
    start_ms, end_ms, n_windows, n_events: what was looked at.
    because: why, in a sentence.
    since_ms: when what decides began; null where nothing does.
    """

    model: str
    start_ms: int
    end_ms: int
    n_windows: int
    n_events: int
    steps: tuple[Step, ...]
    action: Action
    because: str
    since_ms: int | None = None


def diagnose(policy: Policy, stored: Stored, since_ms: int | None = None) -> Diagnosis:
    """Answer the questions on windows that end after `since_ms`; None: all."""
    first_ms = since_ms or 0
    windows = [one for one in stored.windows if one.end_ms > first_ms]
    alerts = _standing(policy, stored.windows, first_ms)
    by_cause = {one.cause: one for one in alerts}
    measured = performance_found([one for one in stored.measured if one.end_ms > first_ms])
    relation = relation_found([one for one in stored.parts if one.end_ms > first_ms], measured)
    action: Action
    since: int | None
    in_part = _in_part(by_cause)
    if in_part is not None:
        del by_cause["subgroup"]
    rhythm = seasonal_columns(by_cause.get("data_drift"), windows, stored.seasonal, policy.tiling.pane_ms)
    steps = (
        _events(by_cause, windows, stored.rejects),
        _whole(by_cause, windows),
        _inputs(by_cause, windows, rhythm),
        _predictions(by_cause, windows),
        _performance(by_cause, measured, in_part),
        _relation(by_cause, relation),
    )
    if steps[0].answer == "yes" and not {"silence", "rejects"} & by_cause.keys():
        action, because, since = "fix the pipeline", to_do("rejects"), None
    else:
        action, because, since = _advice(by_cause, measured, relation, rhythm, in_part)
    inputs = [one for one in windows if one.family == "inputs"]
    return Diagnosis(
        model=policy.model,
        start_ms=min((one.start_ms for one in windows), default=first_ms),
        end_ms=max((one.end_ms for one in windows), default=first_ms),
        n_windows=len({(one.start_ms, one.end_ms) for one in inputs}),
        n_events=sum(one.n_events or 0 for one in inputs),
        steps=steps,
        action=action,
        because=because,
        since_ms=since,
    )


def _standing(policy: Policy, windows: Iterable[ClosedWindow], since_ms: int) -> list[Alert]:
    """Of each cause the last alert that was open after `since_ms`, as it was told last before it was resolved; one that
    is still open comes before one that is over."""
    state = Decisions()
    ordered = sorted(windows, key=lambda one: (one.end_ms, one.start_ms, one.version, one.family))
    found: dict[Cause, Alert] = {}
    for end_ms, own in groupby(ordered, key=lambda one: one.end_ms):
        decided = decide(policy, state, Inputs(windows=tuple(own)), end_ms)
        for alert in decided.alerts:
            if alert.state != "resolved":
                found[alert.cause] = alert
            elif alert.at_ms <= since_ms:
                found.pop(alert.cause, None)
        state = decided.state
    still = {one.alert.dedupe_key for one in state.machine.opened}
    return sorted(found.values(), key=lambda one: (one.dedupe_key not in still, one.onset_ms))


def _in_part(by_cause: Mapping[Cause, Alert]) -> Alert | None:
    """The alert that the model fails in a part of the data: labels say so, and no input need have moved."""
    alert = by_cause.get("subgroup")
    return alert if alert is not None and all(one.column == "@subgroup" for one in alert.columns) else None


def _said(alert: Alert) -> str:
    """The alert's sentence without the model's name, which is known."""
    text = summary(alert, named=False)
    return text[:1].upper() + text[1:]


def _step(question: str, causes: Iterable[Cause], by_cause: Mapping[Cause, Alert], no: str, *, known: bool) -> Step:
    own = [by_cause[cause] for cause in causes if cause in by_cause]
    if own:
        since_ms = min(one.onset_ms for one in own)
        return Step(question=question, answer="yes", sentences=tuple(map(_said, own)), since_ms=since_ms)
    return Step(question=question, answer="no" if known else "unknown", sentences=(no,))


def _events(by_cause: Mapping[Cause, Alert], windows: Sequence[ClosedWindow], rejects: Mapping[str, int]) -> Step:
    inputs = [one for one in windows if one.family == "inputs"]
    n = sum(one.n_events or 0 for one in inputs)
    no = f"{counted(n, 'event')} in {counted(len(inputs), 'window')}, no window with fewer than usual."
    step = _step("Are events missing or refused?", ("silence", "rejects"), by_cause, no, known=bool(inputs))
    refused = sum(rejects.values())
    if not refused:
        return step
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(rejects.items(), key=lambda one: -one[1]))
    said = f"{counted(refused, 'event')} rejected: {reasons}."
    if refused > _MOST_REJECTS * max(n + refused, 1):
        return msgspec.structs.replace(step, answer="yes", sentences=(*_without(step), said))
    return msgspec.structs.replace(step, sentences=(*step.sentences, said))


def _without(step: Step) -> tuple[str, ...]:
    return step.sentences if step.answer == "yes" else ()


def _whole(by_cause: Mapping[Cause, Alert], windows: Sequence[ClosedWindow]) -> Step:
    scored = [one for one in windows if one.family == "inputs" and one.n_whole]
    no = f"Missing, invalid, unseen and out-of-range values as in the reference, in {counted(len(scored), 'window')}."
    few = sum(1 for one in windows if one.family == "inputs" and not one.n_whole)
    step = _step("Are the data malformed?", ("schema", "data_quality"), by_cause, no, known=bool(scored))
    if few:
        said = f"{counted(few, 'window')} had too few events to be judged."
        return msgspec.structs.replace(step, sentences=(*step.sentences, said))
    return step


def _inputs(by_cause: Mapping[Cause, Alert], windows: Sequence[ClosedWindow], rhythm: str) -> Step:
    scored = [one for one in windows if one.family == "inputs" and one.n_whole]
    no = f"No feature moved for long, of {max((one.n_whole for one in scored), default=0)} watched."
    step = _step("Did inputs drift?", INPUTS, by_cause, no, known=bool(scored))
    return msgspec.structs.replace(step, sentences=(*step.sentences, rhythm)) if rhythm else step


def _predictions(by_cause: Mapping[Cause, Alert], windows: Sequence[ClosedWindow]) -> Step:
    scored = any(one.family == "inputs" and one.n_whole for one in windows)
    followed = [
        column
        for alert in by_cause.values()
        for column in alert.columns
        if column.follows and column.column in ("@score", "@label")
    ]
    if followed and "prediction_drift" not in by_cause:
        return Step(
            question="Did predictions drift?",
            answer="yes",
            sentences=("They moved with the inputs.",),
            since_ms=min(one.since_ms for one in followed),
        )
    no = "Predictions are as in the reference."
    return _step("Did predictions drift?", ("prediction_drift",), by_cause, no, known=scored)


def _performance(by_cause: Mapping[Cause, Alert], measured: PerformanceFound | None, in_part: Alert | None) -> Step:
    lost = [one for one in (by_cause.get("performance"), in_part) if one is not None]
    late = [by_cause["label_delay"]] if "label_delay" in by_cause else []
    told = [_said(one) for one in (*lost, *late)]
    answer: Answer = "unknown" if measured is None else "no"
    since_ms = min((one.onset_ms for one in lost), default=None)
    if lost or (measured is not None and measured.fell):
        answer = "yes"
    if measured is not None:
        told = [measured.sentence, *told]
        since_ms = measured.since_ms if measured.fell else since_ms
    elif not lost:
        told = ["No labels, and nothing to estimate from: nobody knows.", *told]
    return Step(question="Did performance fall?", answer=answer, sentences=tuple(told), since_ms=since_ms)


def _relation(by_cause: Mapping[Cause, Alert], relation: Relation | None) -> Step:
    question = "Did the relation of inputs and labels change?"
    alert = by_cause.get("concept_drift")
    said = [relation.sentence] if relation is not None else []
    if alert is not None:
        return Step(question=question, answer="yes", sentences=(_said(alert), *said), since_ms=alert.onset_ms)
    if relation is None:
        return Step(question=question, answer="unknown", sentences=("That needs labels, and a reference with labels.",))
    return Step(question=question, answer="yes" if relation.changed else "no", sentences=tuple(said))


def _advice(
    by_cause: Mapping[Cause, Alert],
    measured: PerformanceFound | None,
    relation: Relation | None,
    rhythm: str,
    in_part: Alert | None,
) -> tuple[Action, str, int | None]:
    """What to do, why, and since when."""
    broken = [by_cause[cause] for cause in PIPELINE if cause in by_cause]
    if broken:
        first = min(broken, key=lambda one: (PIPELINE.index(one.cause), one.onset_ms))
        return "fix the pipeline", first.recommendation, first.onset_ms
    lost = (measured is not None and measured.fell and not measured.estimated) or "performance" in by_cause
    concept = by_cause.get("concept_drift")
    onsets = [by_cause[cause].onset_ms for cause in ("performance", "concept_drift") if cause in by_cause]
    if measured is not None and measured.fell and measured.since_ms is not None:
        onsets.append(measured.since_ms)
    if concept is not None or (lost and relation is not None and relation.changed):
        since_ms = concept.onset_ms if concept is not None else min(onsets)
        because = concept.recommendation if concept is not None else to_do("concept_drift", since_ms=since_ms)
        return "retrain", because, since_ms
    moved = [by_cause[cause] for cause in (*INPUTS, "prediction_drift") if cause in by_cause]
    if lost:
        since_ms = min(onsets)
        why = (
            "Inputs moved to where the model is weaker"
            if moved
            else "Labels show a loss that neither inputs nor relation explain: see subgroups in performance_parts"
        )
        return "retrain", f"{why}; retrain on data since {instant(since_ms)}.", since_ms
    if in_part is not None:
        return "nothing", in_part.recommendation, in_part.onset_ms
    if moved and rhythm:
        return "nothing", "Inputs follow the season: compare with it, `compare: [{season: hour_of_week}]`.", None
    if moved and measured is not None and not measured.estimated:
        return "nothing", "Inputs moved, and labels show that the model holds.", moved[0].onset_ms
    if moved and measured is not None and measured.fell:
        because = "Inputs moved and the estimate fell; labels do not say so yet: wait for them before retraining."
        return "nothing", because, moved[0].onset_ms
    if moved:
        because = f"No label shows a loss yet. {moved[0].recommendation}"
        return "nothing", because, moved[0].onset_ms
    return "nothing", "Nothing that is watched has changed for longer than chance does.", None
