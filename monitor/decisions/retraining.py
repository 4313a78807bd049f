"""From open alerts to requests for a new model, and what holds them back. Pure.

There is at most one open request a model; it is closed by its outcome, or given up. Requests keep cooldown and budget
whatever happens. One that is held back is said once for the same alert and the same reasons.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from monitor.config.decisions import Cause, RetrainingSettings
from monitor.config.durations import format_duration
from monitor.decisions.alert import Alert
from monitor.decisions.cause import is_sharp
from monitor.decisions.controls import Controls
from monitor.decisions.machine import dedupe_key
from monitor.decisions.moved import PerformanceWindow
from monitor.decisions.request import (
    AskingAlert,
    Held,
    RetrainingEvidence,
    RetrainingRequest,
    TrainingWindow,
)
from monitor.decisions.unread import NEW
from monitor.decisions.words import TITLES, safe, title
from monitor.wording import counted, instant

MOST_LABEL_WINDOWS: Final = 400
MOST_HELD: Final = 200
_MEASURED: Final[tuple[Cause, ...]] = ("performance", "concept_drift")


class Retraining(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of a model.

    Attributes
    ----------
    open: the request that waits for its outcome.
    asked_ms: when requests were made, those that budget and cooldown still count.
    attempts: requests by what asked: an alert's key, or a version that is old.
    done: what asked and was answered.
    held: what was said to be held back, and for which reasons.
    labels: the last windows with labels, in order.
    successor: the version that the last retraining made, as its outcome says; "": none is known.
    """

    open: RetrainingRequest | None = None
    asked_ms: tuple[int, ...] = ()
    attempts: dict[str, int] = {}
    done: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    labels: tuple[PerformanceWindow, ...] = ()
    successor: str = ""


class _Asking(msgspec.Struct, frozen=True, kw_only=True):
    key: str
    causes: tuple[Cause, ...]
    alerts: tuple[Alert, ...]
    since_ms: int


def take_labels(state: Retraining, windows: Sequence[PerformanceWindow]) -> Retraining:
    """Take in how many labels have come; a window that comes again replaces what it said before."""
    known = {(one.end_ms, one.start_ms, one.version): one for one in (*state.labels, *windows)}
    return msgspec.structs.replace(state, labels=tuple(known[key] for key in sorted(known)[-MOST_LABEL_WINDOWS:]))


def step(
    state: Retraining,
    opened: Sequence[Alert],
    settings: RetrainingSettings,
    controls: Controls,
    *,
    model: str,
    at_ms: int,
    first_seen_ms: Mapping[str, int],
    reference_versions: Mapping[str, str],
    references: Mapping[str, str],
) -> tuple[Retraining, list[RetrainingRequest]]:
    """The state after a moment, and what is told.

    Parameters
    ----------
    opened: alerts that are open now.
    first_seen_ms, references: by version, its first window and its reference's digest; of those that are live.
    reference_versions: labels of references by digest.
    """
    told: list[RetrainingRequest] = []
    state, closing = _closed(state, settings, controls, at_ms)
    told += closing
    longest_ms = max(settings.budget.per_ms, settings.cooldown_ms)
    state = msgspec.structs.replace(state, asked_ms=tuple(one for one in state.asked_ms if at_ms - one < longest_ms))
    asking = _asking(state, opened, settings, at_ms, first_seen_ms)
    if asking is None:
        return state, told
    held = _held(state, asking, opened, settings, controls, at_ms)
    request = _request(state, asking, settings, held, model, at_ms, first_seen_ms, reference_versions, references)
    if held:
        said = dedupe_key(asking.key, *sorted(one.code for one in held))
        if said not in state.held:
            told.append(request)
            state = msgspec.structs.replace(state, held=(*state.held, said)[-MOST_HELD:])
        return state, told
    told.append(request)
    attempts = {**state.attempts, asking.key: request.attempt}
    return (
        msgspec.structs.replace(
            state,
            open=request,
            asked_ms=(*state.asked_ms, at_ms),
            attempts={key: attempts[key] for key in list(attempts)[-MOST_HELD:]},
        ),
        told,
    )


def _closed(
    state: Retraining, settings: RetrainingSettings, controls: Controls, at_ms: int
) -> tuple[Retraining, list[RetrainingRequest]]:
    """Close the open request by its outcome, or by its age."""
    if state.open is None:
        return state, []
    outcome = controls.outcome(state.open.dedupe_key)
    if outcome is not None:
        by = f" by {safe(outcome.by)}" if outcome.by else ""
        version = f", version {safe(outcome.version, 30)}" if outcome.version else ""
        closed = msgspec.structs.replace(
            state.open,
            status=outcome.status,
            reason=f"retraining {outcome.status}, as reported{by}{version}",
            new_version=outcome.version,
            at_ms=at_ms,
        )
    elif at_ms - state.open.at_ms >= settings.outcome_within_ms:
        closed = msgspec.structs.replace(
            state.open,
            status="expired",
            reason=f"no outcome was reported within {format_duration(settings.outcome_within_ms)}",
            at_ms=at_ms,
        )
    else:
        return state, []
    done = state.done
    if closed.status != "failed":
        # What failed may be asked for again; the rest has had its answer.
        done = (*done, *(alert.dedupe_key for alert in closed.evidence.alerts))
        if not closed.evidence.alerts:
            done = (*done, _stale_key(closed.version))
    made = closed.new_version if closed.status == "succeeded" else ""
    return msgspec.structs.replace(state, open=None, done=done[-MOST_HELD:], successor=made or state.successor), [
        closed
    ]


def _asking(
    state: Retraining,
    opened: Sequence[Alert],
    settings: RetrainingSettings,
    at_ms: int,
    first_seen_ms: Mapping[str, int],
) -> _Asking | None:
    order = {cause: number for number, cause in enumerate(settings.causes)}
    # What has been asked for waits for its answer; an alert that is new meanwhile asks, and is held back.
    answered = {*state.done, *(() if state.open is None else (one.dedupe_key for one in state.open.evidence.alerts))}
    alerts = sorted(
        (one for one in opened if one.cause in order and one.dedupe_key not in answered),
        key=lambda one: order[one.cause],
    )
    if alerts:
        return _Asking(
            key=alerts[0].dedupe_key,
            causes=tuple(one.cause for one in alerts),
            alerts=tuple(alerts),
            since_ms=min(one.onset_ms for one in alerts),
        )
    if settings.stale_after_ms is None or not first_seen_ms or state.open is not None:
        return None
    version = max(first_seen_ms, key=lambda name: (first_seen_ms[name], name))
    stale = at_ms - first_seen_ms[version] >= settings.stale_after_ms
    if not stale or _stale_key(version) in state.done:
        return None
    return _Asking(key=_stale_key(version), causes=(), alerts=(), since_ms=first_seen_ms[version])


def _stale_key(version: str) -> str:
    return f"stale {version}"


def _held(
    state: Retraining,
    asking: _Asking,
    opened: Sequence[Alert],
    settings: RetrainingSettings,
    controls: Controls,
    at_ms: int,
) -> tuple[Held, ...]:
    held = []
    since = [one for one in state.labels if one.end_ms > asking.since_ms]
    mature = [one for one in since if one.n_labelled and (one.maturity >= settings.min_maturity or not one.provisional)]
    measured = any(alert.cause in _MEASURED for alert in opened)
    if asking.causes and not measured:
        if mature:
            held.append(Held(code="labels_contradict", text="labels since the change show no loss"))
        elif settings.require_confirmation:
            held.append(
                Held(
                    code="not_confirmed", text="no labels confirm that the drift costs anything (require_confirmation)"
                )
            )
    elif asking.causes and since and not mature:
        held.append(Held(code="immature_labels", text=f"fewer than {settings.min_maturity:.0%} of labels have come"))
    if state.labels:
        n_labels = sum(one.n_labelled for one in since)
        if n_labels < settings.min_labels:
            held.append(Held(code="few_labels", text=f"{n_labels:,} of {counted(settings.min_labels, 'label')} since"))
    broken = [one for one in opened if _has_lost(one) or (one.severity == "critical" and _is_broken(one))]
    if broken:
        held.append(Held(code="broken_data", text=f"{title(broken[0])}: mend that first"))
    rollout = controls.rollout_at(at_ms)
    if rollout is not None:
        held.append(Held(code="rollout", text=f"a rollout is under way until {instant(rollout.until_ms)}"))
    if state.open is not None:
        held.append(Held(code="open_request", text=f"a request of {instant(state.open.at_ms)} waits for its outcome"))
    if state.asked_ms and at_ms - state.asked_ms[-1] < settings.cooldown_ms:
        held.append(
            Held(code="cooldown", text=f"asked {instant(state.asked_ms[-1])}, not again within "
                 f"{format_duration(settings.cooldown_ms)}")
        )  # fmt: skip
    if sum(at_ms - one < settings.budget.per_ms for one in state.asked_ms) >= settings.budget.n:
        held.append(Held(code="budget", text=f"the budget of {settings.budget} is spent"))
    return tuple(held)


def _has_lost(alert: Alert) -> bool:
    """Whether a feature is gone or of another type; one that is new breaks nothing."""
    return alert.cause == "schema" and any(one.direction != NEW for one in alert.columns)


def _is_broken(alert: Alert) -> bool:
    """Whether values are missing or invalid; such as the reference lacks may be the new world."""
    return alert.cause == "data_quality" and any(is_sharp(one.direction) for one in alert.columns)


def _request(
    state: Retraining,
    asking: _Asking,
    settings: RetrainingSettings,
    held: tuple[Held, ...],
    model: str,
    at_ms: int,
    first_seen_ms: Mapping[str, int],
    reference_versions: Mapping[str, str],
    references: Mapping[str, str],
) -> RetrainingRequest:
    since = [one for one in state.labels if one.end_ms > asking.since_ms]
    newest = max(first_seen_ms, key=lambda name: (first_seen_ms[name], name), default="")
    version = asking.alerts[0].version if asking.alerts else newest
    reference = asking.alerts[0].reference if asking.alerts else references.get(version, "")
    attempt = state.attempts.get(asking.key, 0) + 1
    first_ms = first_seen_ms.get(version, asking.since_ms)
    if asking.alerts:
        why = " and ".join(TITLES[cause] for cause in asking.causes)
        reason = f"{safe(model)}: {why}, since {instant(asking.since_ms)}"
    else:
        reason = f"{safe(model)}: version {safe(version, 30)} is {format_duration(_whole_days(at_ms - first_ms))} old"
    if held:
        reason += f"; held back: {'; '.join(one.text for one in held)}"
    n_labels = sum(one.n_labelled for one in since)
    due = sum(one.n_labelled / max(one.maturity, 1e-9) for one in since if one.maturity > 0.0)
    return RetrainingRequest(
        model=model,
        version=version,
        status="held_back" if held else "requested",
        reason=reason,
        causes=asking.causes,
        held_because=held,
        at_ms=at_ms,
        attempt=attempt,
        dry_run=settings.dry_run,
        training_window=TrainingWindow(start_ms=min(asking.since_ms, at_ms), end_ms=at_ms),
        reference=reference,
        reference_version=reference_versions.get(reference, ""),
        evidence=RetrainingEvidence(
            alerts=tuple(
                AskingAlert(
                    dedupe_key=one.dedupe_key,
                    cause=one.cause,
                    severity=one.severity,
                    onset_ms=one.onset_ms,
                    summary=one.summary,
                )
                for one in asking.alerts
            ),
            n_labels=n_labels if state.labels else None,
            maturity=n_labels / due if due > 0.0 else None,
            age_ms=max(at_ms - first_ms, 0),
        ),
        dedupe_key=dedupe_key(model, "retraining", asking.key, attempt),
    )


def _whole_days(duration_ms: int) -> int:
    return max(duration_ms // 86_400_000, 1) * 86_400_000
