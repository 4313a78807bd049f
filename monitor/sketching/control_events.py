"""What people and pipelines say, out of what ingest reads: controls on `drift.controls`, outcomes of retraining on
`drift.retraining.outcomes`. Pure.

Ingest sends them on with the sketches, in one transaction with their offsets. So decisions have one input in one order,
`drift.sketches`, whose offset fences them; were they read beside it, a message that is read again after a crash could
meet other controls than the first time, and decide otherwise.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

import msgspec
import numpy as np
from msgspec import Meta

from monitor.config.schema import Kafka
from monitor.decisions.controls import BadControl, Control, RetrainingOutcome, decode_control
from monitor.events.batch import Rejected
from monitor.events.reasons import Reason
from monitor.sketching.own_topics import CONTROLS, OUTCOMES
from monitor.sketching.received import NOTHING, Received

_MOST_DETAIL: Final = 200


class OutcomeEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What a pipeline says on `drift.retraining.outcomes`; a CloudEvent may have it as its `data`.

    Attributes
    ----------
    dedupe_key: of the request.
    status: what became of it.
    version: the new model's.
    model: whose; "" where the key alone says it.
    by, reason: who says so, and why.
    """

    dedupe_key: Annotated[str, Meta(min_length=1, max_length=180)]
    status: Literal["succeeded", "failed", "cancelled"]
    version: str = ""
    model: str = ""
    by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadControls:
    """What was said, in the order of reading, and what is no control; rejects index `received`."""

    controls: Sequence[Control] = ()
    rejects: Sequence[Rejected] = ()
    received: Received = NOTHING


_outcomes: Final = msgspec.json.Decoder(OutcomeEvent)


def control_topics(kafka: Kafka) -> tuple[str, str]:
    """The topics that they are read from."""
    return kafka.own_topic(CONTROLS), kafka.own_topic(OUTCOMES)


def outcome_control(outcome: OutcomeEvent, at_ms: int) -> RetrainingOutcome:
    """An outcome as the control that it is; the last one of a request counts."""
    return RetrainingOutcome(
        id=f"outcome {outcome.dedupe_key}",
        model=outcome.model,
        at_ms=at_ms,
        by=outcome.by,
        reason=outcome.reason,
        dedupe_key=outcome.dedupe_key,
        status=outcome.status,
        version=outcome.version,
    )


def read_controls(received: Received, kafka: Kafka, models: Collection[str]) -> tuple[ReadControls, Received]:
    """The controls among messages, and the other messages."""
    controls_topic, outcomes_topic = control_topics(kafka)
    own = [topic in (controls_topic, outcomes_topic) for topic, _partition in received.partitions]
    if not any(own):
        return ReadControls(), received
    is_own = np.array(own)[received.partition_of]
    others, mine = (received.at(np.flatnonzero(where).astype(np.int32)) for where in (~is_own, is_own))
    controls: list[Control] = []
    rejects: list[Rejected] = []
    for message, value in enumerate(mine.values):
        if value is None:  # a tombstone tidies the topic up; `Removed` is what takes back
            continue
        is_outcome = mine.source(message)[0] == outcomes_topic
        try:
            control = _outcome(value, mine.sent_ms(message)) if is_outcome else decode_control(value)
        except BadControl as error:
            rejects.append(_reject(message, Reason.SCHEMA, str(error), value))
            continue
        if control.model and control.model not in models:
            rejects.append(_reject(message, Reason.UNKNOWN_MODEL, f"no model {control.model!r}", value))
            continue
        controls.append(control)
    return ReadControls(controls=controls, rejects=rejects, received=mine), others


def _outcome(value: bytes, sent_ms: int) -> RetrainingOutcome:
    try:
        envelope = msgspec.json.decode(value, type=dict[str, msgspec.Raw])
        return outcome_control(_outcomes.decode(envelope.get("data", value)), max(sent_ms, 0))
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadControl(f"no outcome: {error}") from error


def _reject(message: int, reason: Reason, detail: str, raw: bytes) -> Rejected:
    return Rejected(message=message, index=0, reason=reason, detail=detail[:_MOST_DETAIL], model="", raw=raw)
