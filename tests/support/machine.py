"""The pure evaluator with what surrounds it in production, in miniature."""

import math
from collections.abc import Sequence
from types import SimpleNamespace

import pyarrow as pa
from support.batches import objects_of
from support.flow import (
    MINUTE_MS,
    Event,
    make_reference,
    make_watched,
    message_of,
)

from monitor.evaluation.evaluator import Evaluator
from monitor.evaluation.results import Source
from monitor.evaluation.watched import Watched
from monitor.eventtime.watermark import Clock
from monitor.sketching import messages
from monitor.sketching.messages import SketchMessage
from sinks.records import decode, encode

REFERENCE = make_reference()
MODEL = make_watched(REFERENCE)


class Machine:
    """What surrounds the evaluator in production, in miniature: a local store, its changelog, a log of results."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self.local: dict[bytes, bytes] = {}
        self.changelog: dict[bytes, bytes] = {}
        self.sent: list[pa.RecordBatch] = []
        self.committed = 0

    def take(self, offset: int, message: SketchMessage, crash_after: int | None = None) -> bool:
        """One message; after so many actions the process dies. True if it got to the acknowledgement."""
        source = Source(topic="s", partition=0, offset=offset)
        step = self.evaluator.advance(self.local, messages.decode(messages.encode(message)), source)
        budget = math.inf if crash_after is None else crash_after
        for batch in step.results:
            if budget <= 0:
                return False
            self.sent.append(decode(encode(batch, source)))
            budget -= 1
        for key, value in [*step.writes, step.seal]:
            for store in (self.local, self.changelog):  # local first, as the role does
                if budget <= 0:
                    return False
                if value is None:
                    store.pop(key, None)
                else:
                    store[key] = value
                budget -= 1
        return True

    @property
    def scores(self) -> list[SimpleNamespace]:
        return objects_of(self.sent, "drift_score")

    @property
    def verdicts(self) -> list[SimpleNamespace]:
        return objects_of(self.sent, "drift_verdict")

    @property
    def windows(self) -> list[SimpleNamespace]:
        return objects_of(self.sent, "window")

    @property
    def profiles(self) -> list[SimpleNamespace]:
        return objects_of(self.sent, "column_profile")

    @property
    def late(self) -> list[SimpleNamespace]:
        return objects_of(self.sent, "late_dropped")


def run_all(messages: Sequence[SketchMessage], model: Watched = MODEL) -> Machine:
    machine = Machine(Evaluator([model]))
    for offset, message in enumerate(messages):
        assert machine.take(offset, message)
    return machine


def clock(partition: int, event_ms: int) -> Clock:
    return Clock(topic="t", partition=partition, max_event_ms=event_ms if event_ms >= 0 else None)


def at(minute: float, n: int = 10) -> list[Event]:
    return [Event(int(minute * MINUTE_MS), float(i % 5), i % 3, i % 3) for i in range(n)]


def one_by_one(*parts: list[Event], model: object = MODEL) -> Machine:
    latest, messages = -1, []
    for part in parts:
        latest = max([latest, *(e.time_ms for e in part)])
        messages.append(message_of(part, REFERENCE, MODEL, [clock(0, latest)], 1))
    machine = Machine(Evaluator([model]))  # type: ignore[list-item]
    for offset, message in enumerate(messages):
        machine.take(offset, message)
    return machine
