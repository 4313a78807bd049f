"""The last messages that came, for whoever has just sent some: the first minute, when no window has closed yet."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from monitor.api.behind import Behind
from monitor.api.queries.rejects import Rejected
from monitor.config.schema import Config
from monitor.errors import DriftlineError

if TYPE_CHECKING:
    from monitor.kafka.newest import Came

MOST: Final = 10
_KEPT_S: Final = 2.0
_BROKER_S: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """The newest messages of the source topics; `problem`: why they are not known, `known`: whether they were read."""

    messages: "Sequence[Came]" = ()
    problem: str = ""
    known: bool = False


def arrivals(running: Callable[[], Config]) -> Behind[Arrivals]:
    """Those of the broker that roles run with now."""

    def read() -> Arrivals:
        from monitor.kafka.clients import reach_broker
        from monitor.kafka.newest import newest_messages

        try:
            kafka = running().kafka
            reach_broker(kafka, _BROKER_S)
            topics = (*kafka.topics.predictions, *kafka.topics.features, *kafka.topics.labels)
            return Arrivals(messages=newest_messages(kafka, topics, MOST, _BROKER_S), known=True)
        except DriftlineError as error:
            return Arrivals(problem=error.message)

    return Behind(read, Arrivals(), _KEPT_S)


def with_reasons(found: Arrivals, rejects: Sequence[Rejected]) -> list[tuple["Came", str, str]]:
    """Each message, its first bytes as text, and why an event of it was rejected; empty where none was so far."""
    reasons = {(one.source_topic, one.source_partition, one.source_offset): one.reason for one in rejects}
    return [
        (one, one.head.decode("utf-8", "replace"), reasons.get((one.topic, one.partition, one.offset), ""))
        for one in found.messages
    ]
