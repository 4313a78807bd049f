"""Alerts and requests as CloudEvents 1.0 in structured JSON: on `drift.alerts` and `drift.retraining`, in files, in
webhooks.

The id and the bytes are a function of the alert alone: what is sent twice has one id, and receivers drop the second.

Source: CloudEvents specification 1.0.2, https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md.
"""

from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from urllib.parse import quote

import msgspec

from monitor.decisions.alert import Alert
from monitor.decisions.machine import dedupe_key
from monitor.decisions.request import RetrainingRequest

ALERT_TYPE: Final[Literal["io.driftline.alert.v1"]] = "io.driftline.alert.v1"
RETRAINING_TYPE: Final[Literal["io.driftline.retraining.v1"]] = "io.driftline.retraining.v1"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class AlertEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A CloudEvent that carries one transition of an alert.

    Attributes
    ----------
    source: `/driftline/models/` and the model's name, percent-encoded.
    id: unique with the source; the same whenever the same transition is sent.
    time: RFC 3339, event time of the decision.
    subject: the alert's dedupe key.
    """

    specversion: Literal["1.0"]
    type: Literal["io.driftline.alert.v1"]
    source: str
    id: str
    time: str
    subject: str
    datacontenttype: Literal["application/json"]
    data: Alert


class RetrainingEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A CloudEvent that carries one transition of a request to retrain; the attributes are those of `AlertEvent`."""

    specversion: Literal["1.0"]
    type: Literal["io.driftline.retraining.v1"]
    source: str
    id: str
    time: str
    subject: str
    datacontenttype: Literal["application/json"]
    data: RetrainingRequest


_encoder: Final = msgspec.json.Encoder(order="deterministic")
_alerts: Final = msgspec.json.Decoder(AlertEvent)
_requests: Final = msgspec.json.Decoder(RetrainingEvent)


class BadEvent(ValueError):  # noqa: N818 - it names what came, as BadRecord does
    """No event of ours, or of another version: drop it, and count it."""


def alert_event(alert: Alert) -> AlertEvent:
    """The event of an alert."""
    return AlertEvent(
        specversion="1.0",
        type=ALERT_TYPE,
        datacontenttype="application/json",
        source=_source(alert.model),
        id=dedupe_key(alert.dedupe_key, alert.sequence, alert.state),
        time=_time(alert.at_ms),
        subject=alert.dedupe_key,
        data=alert,
    )


def retraining_event(request: RetrainingRequest) -> RetrainingEvent:
    """The event of a request."""
    return RetrainingEvent(
        specversion="1.0",
        type=RETRAINING_TYPE,
        datacontenttype="application/json",
        source=_source(request.model),
        id=dedupe_key(request.dedupe_key, request.status, *(one.code for one in request.held_because)),
        time=_time(request.at_ms),
        subject=request.dedupe_key,
        data=request,
    )


def encode_alert(alert: Alert) -> bytes:
    """The event of an alert as JSON, equal to the byte for equal alerts."""
    return _encoder.encode(alert_event(alert))


def encode_retraining(request: RetrainingRequest) -> bytes:
    """The event of a request as JSON, equal to the byte for equal requests."""
    return _encoder.encode(retraining_event(request))


def decode_alert(data: bytes) -> AlertEvent:
    """The event in the bytes of a message. Raises `BadEvent`."""
    try:
        return _alerts.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadEvent(f"no alert: {error}") from error


def decode_retraining(data: bytes) -> RetrainingEvent:
    """The event in the bytes of a message. Raises `BadEvent`."""
    try:
        return _requests.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadEvent(f"no request to retrain: {error}") from error


def _source(model: str) -> str:
    return f"/driftline/models/{quote(model, safe='')}"


def _time(at_ms: int) -> str:
    instant = _EPOCH + timedelta(milliseconds=at_ms)
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")
