"""Rows in, one message each: what was accepted, what waits, and what will never be taken.

Messages go out in the order of their rows. One that the other side could not take (`MessageFailed`) holds back only
those of its own dedupe key, so that an alert is never raised after it was resolved; where nothing gets through
(`SinkUnavailable`), all wait.
"""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, Protocol, TypeVar

import pyarrow as pa

from sinks.destination import Attempt, Dropped, Written
from sinks.errors import BadRecord, MessageFailed, MessageRefused, SinkUnavailable
from sinks.messages import alert as alerts
from sinks.messages import retraining as retrainings
from sinks.messages.alert import Alert, read_alert
from sinks.messages.cloud_event import rfc3339
from sinks.messages.event import Event
from sinks.messages.retraining import Retraining, read_retraining
from sinks.messages.said import Said
from sinks.messages.sample import sample_alert, sample_retraining
from sinks.messages.settings import AlertSettings, MessageSettings
from sinks.messages.text import clean
from sinks.records import record_of

E_contra = TypeVar("E_contra", bound=Event, contravariant=True)

Outcome = Literal["accepted", "known", "retried", "refused"]
MOST_FAILURES: Final = 5
"""After so many failures in one write it is the other side as a whole that fails."""


class Sender(Protocol[E_contra]):
    """The other side of one destination."""

    def send(self, event: E_contra) -> Said:
        """Send one message; returns what the other side said.

        Raises
        ------
        SinkUnavailable, MessageFailed, MessageRefused, SinkRejected
            As `sinks.errors` says.
        """
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


class MessageDestination:
    """A `sinks.destination.Destination` that sends the rows of one record, each as a message.

    Parameters
    ----------
    record
        The record's name.
    read
        Makes an event of a row; raises `BadRecord`.
    wants
        Whether an event is sent at all: by the destination's own filters.
    sender
        The other side.
    samples
        What a test sends, one after the other, of a key and a time.
    max_age_ms
        What was decided longer ago is dropped; 0: nothing is.
    """

    def __init__(
        self,
        record: str,
        read: Callable[[Mapping[str, Any]], Any],
        wants: Callable[[Any], bool],
        sender: Sender[Any],
        samples: Callable[[str, int], Sequence[Event]],
        *,
        max_age_ms: int = 0,
    ) -> None:
        self._record = record
        self._takes = frozenset({record})
        self._read = read
        self._wants = wants
        self._sender = sender
        self._samples = samples
        self._max_age_ms = max_age_ms

    @property
    def takes(self) -> frozenset[str]:
        """One record."""
        return self._takes

    def setup(self) -> None:
        """Nothing: each message shows whether the other side is there."""

    def write(self, batches: Sequence[pa.RecordBatch]) -> Written:
        """Send the rows' messages, those of other records left out."""
        left: list[pa.RecordBatch] = []
        dropped: list[Dropped] = []
        because: SinkUnavailable | None = None
        waiting: set[str] = set()
        attempts: list[Attempt] = []
        n_failed = 0
        for row in self._rows(batches):
            try:
                event = self._read(row.to_pylist()[0])
            except BadRecord as error:
                dropped.append(Dropped(rows=row, reason=str(error)))
                continue
            if not self._wants(event):
                continue
            if self._max_age_ms and time.time() * 1000 - event.at_ms > self._max_age_ms:
                dropped.append(Dropped(rows=row, reason=f"decided longer ago than max_age: at {rfc3339(event.at_ms)}"))
                continue
            if n_failed >= MOST_FAILURES or event.dedupe_key in waiting:
                left.append(row)
                continue
            start_s, at_ms = time.monotonic(), int(time.time() * 1000)
            try:
                answer = self._sender.send(event)
                outcome: Outcome = "known" if answer.known else "accepted"
                status, detail = answer.status, answer.text
            except MessageRefused as error:
                outcome, status, detail = "refused", error.status, str(error)
                dropped.append(Dropped(rows=row, reason=str(error)))
            except SinkUnavailable as error:
                outcome, status, detail = "retried", error.status, str(error)
                because = error
                left.append(row)
                waiting.add(event.dedupe_key)
                n_failed = n_failed + 1 if isinstance(error, MessageFailed) else MOST_FAILURES
            attempts.append(
                Attempt(
                    event_id=event.id,
                    model=event.model,
                    kind=self._record,
                    dedupe_key=event.dedupe_key,
                    outcome=outcome,
                    status=status,
                    detail=clean(detail),
                    at_ms=at_ms,
                    took_ms=int((time.monotonic() - start_s) * 1000),
                )
            )
        return Written(left=tuple(left), because=because, dropped=tuple(dropped), attempts=tuple(attempts))

    def send_test(self) -> list[str]:
        """Send messages that are marked as a test; returns what the other side said to each."""
        samples = self._samples(f"driftline-test-{uuid.uuid4().hex[:12]}", int(time.time() * 1000))
        return [self._sender.send(event).text for event in samples if self._wants(event)]

    def close(self) -> None:
        """Let go of the connection."""
        self._sender.close()

    def _rows(self, batches: Sequence[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            if record_of(batch).name in self._takes:
                for position in range(batch.num_rows):
                    yield batch.slice(position, 1)


def alert_destination(settings: AlertSettings, sender: Sender[Alert]) -> MessageDestination:
    """Takes alerts."""

    def wants(alert: Alert) -> bool:
        return (
            _of_models(settings, alert)
            and (alert.severity == "critical" or settings.severity == "warning" or alert.state == "resolved")
            and (alert.state != "updated" or settings.updates or alert.severity == "critical")
        )

    return MessageDestination(alerts.RECORD, read_alert, wants, sender, sample_alert, max_age_ms=settings.max_age_ms)


def retraining_destination(settings: MessageSettings, sender: Sender[Retraining]) -> MessageDestination:
    """Takes retraining requests, those alone that a pipeline is to act on."""

    def wants(request: Retraining) -> bool:
        return _of_models(settings, request) and request.asks

    return MessageDestination(
        retrainings.RECORD, read_retraining, wants, sender, sample_retraining, max_age_ms=settings.max_age_ms
    )


def _of_models(settings: MessageSettings, event: Event) -> bool:
    return event.test or not settings.models or event.model in settings.models
