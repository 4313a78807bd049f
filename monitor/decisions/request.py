"""A request to retrain, and what becomes of it. What leaves in `drift.retraining` and `retraining.jsonl`."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from monitor.config.decisions import Cause
from monitor.decisions.alert import Millis, Severity

Status = Literal["requested", "held_back", "succeeded", "failed", "cancelled", "expired"]
HeldCode = Literal[
    "not_confirmed",
    "labels_contradict",
    "few_labels",
    "immature_labels",
    "broken_data",
    "rollout",
    "open_request",
    "cooldown",
    "budget",
]


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """Why a request was held back: a code of a closed set, and a sentence."""

    code: HeldCode
    text: str


class TrainingWindow(msgspec.Struct, frozen=True, kw_only=True):
    """What to train on: after the change, half-open."""

    start_ms: Millis
    end_ms: Millis


class AskingAlert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert that asks."""

    dedupe_key: str
    cause: Cause
    severity: Severity
    onset_ms: Millis
    summary: str


class RetrainingEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """What a request rests on.

    Attributes
    ----------
    alerts: the open ones that ask.
    n_labels, maturity: labels since the change, and the share of those due that have come; null where none are joined.
    age_ms: how long ago the version was first seen.
    """

    alerts: tuple[AskingAlert, ...]
    n_labels: int | None
    maturity: float | None
    age_ms: int


class RetrainingRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One transition of one request.

    Attributes
    ----------
    model, version: to be replaced.
    status: `requested`, then `succeeded`, `failed` or `cancelled` as reported, or `expired`; or `held_back`, and why.
    reason: a sentence.
    causes: of the alerts that ask; empty where the version is merely old.
    held_because: empty but for `held_back`.
    at_ms: event time of the decision.
    attempt: from 1, of the same alert.
    dry_run: nothing is to act on it.
    training_window: proposed.
    reference, reference_version: digest and label of the reference that the evidence was found with.
    new_version: as the outcome reported it; "" else.
    dedupe_key: the same for a request and its outcome; a pipeline runs once for each.
    """

    model: str
    version: str
    status: Status
    reason: str
    causes: tuple[Cause, ...]
    held_because: tuple[Held, ...] = ()
    at_ms: Millis
    attempt: Annotated[int, Meta(ge=1)] = 1
    dry_run: bool = False
    training_window: TrainingWindow
    reference: str
    reference_version: str = ""
    new_version: str = ""
    evidence: RetrainingEvidence
    dedupe_key: str
