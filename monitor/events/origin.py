"""Where messages came from: the topic, the headers and the time that Kafka holds. Files have none of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from monitor.events.mapping import HEADER, TOPIC
from monitor.events.values import clean

Headers = Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origins:
    """Of some messages, by their index.

    Attributes
    ----------
    topic
        gives the name of a message's topic.
    headers
        gives its headers; None: it has none.
    sent_ms
        gives the time that Kafka holds for it, in milliseconds since 1970; producers may set it to anything.
    """

    topic: Callable[[int], str]
    headers: Callable[[int], Headers | None]
    sent_ms: Callable[[int], int]

    def at(self, places: Sequence[int]) -> "Origins":
        """Of the messages at some places, in their order."""
        return Origins(
            topic=lambda message: self.topic(places[message]),
            headers=lambda message: self.headers(places[message]),
            sent_ms=lambda message: self.sent_ms(places[message]),
        )

    def value(self, place: str, message: int) -> str | None:
        """What `topic` or `header:NAME` is of a message, the last where a header is given twice; None: it has none."""
        if place == TOPIC:
            return self.topic(message)
        wanted = place.removeprefix(HEADER).lower()
        found = None
        for name, value in self.headers(message) or ():
            if name.lower() == wanted:
                found = None if value is None else clean(value.decode("utf-8", "replace"))
        return found

    def attributes(self, message: int) -> dict[str, str]:
        """The headers by name in small letters."""
        return {
            name.lower(): clean(value.decode("utf-8", "replace"))
            for name, value in self.headers(message) or ()
            if value is not None
        }
