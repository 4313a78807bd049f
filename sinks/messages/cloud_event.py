"""An event as a CloudEvent 1.0 in structured mode: one JSON object.

Source: CloudEvents specification 1.0.2, "JSON Event Format". The subject is the dedupe key; what `drift.alerts` and
`alerts.jsonl` hold is the same (`monitor.decisions.wire`).
"""

from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

import msgspec

from sinks.messages.event import Event

CONTENT_TYPE: Final = "application/cloudevents+json; charset=utf-8"


def cloud_event(event: Event) -> dict[str, Any]:
    """The event and its context."""
    return {
        "specversion": "1.0",
        "id": event.id,
        "source": f"/driftline/models/{quote(event.model, safe='')}",
        "type": event.type,
        "subject": event.dedupe_key,
        "time": rfc3339(event.at_ms),
        "datacontenttype": "application/json",
        "data": event.data(),
    }


def encoded(event: Event) -> bytes:
    """The same event gives the same bytes."""
    return msgspec.json.encode(cloud_event(event), order="deterministic")


def rfc3339(time_ms: int) -> str:
    """A time as ``2013-03-01T00:00:00.000Z``."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
