"""The forms of single values: how text (or a number) in the file becomes the value the program works with.

A field names its form in `schema` (``Meta(extra={"form": ...})``). Each form says what it expects; its `read` raises
`FormError` when it finds something else, and never repeats what it found.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from monitor.config import durations
from monitor.config.addresses import Address, parse_address
from monitor.config.methods import method_names
from monitor.config.nearest import nearest

OWN_CLIENT_SETTINGS = {
    "bootstrap.servers": "kafka.bootstrap_servers sets it",
    "metadata.broker.list": "kafka.bootstrap_servers sets it",
    "group.id": "kafka.consumer_group sets it",
    "group.instance.id": "every worker has its own",
    "group.protocol": "partitions are assigned as Driftline counts on",
    "partition.assignment.strategy": "partitions are assigned as Driftline counts on",
    "session.timeout.ms": "kafka.session_timeout sets it",
    "auto.offset.reset": "all events count, from the first on",
    "enable.partition.eof": "who is idle rests on it",
    "enable.auto.commit": "offsets are committed with the results they belong to",
    "enable.auto.offset.store": "offsets are committed with the results they belong to",
    "isolation.level": "results rest on read_committed",
    "transactional.id": "every worker has its own",
    "enable.idempotence": "transactions need it",
    "acks": "transactions need acks=all",
    "request.required.acks": "transactions need acks=all",
    "message.max.bytes": "a reject holds its event whole",
    "logger": "it is no text; DRIFTLINE_LOG and DRIFTLINE_LOG_LEVEL set what is logged",
}
"""librdkafka settings that are Driftline's own, and why."""

_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_CLIENT_KEY = re.compile(r"[a-z]+(?:[._][a-z0-9]+)*")
_ESCAPE = "write what is special in a password as %XX, or put it in by ${NAME}"
_PROTOCOL = re.compile(r"(?:PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL)://", re.IGNORECASE)


class FormError(ValueError):
    """A value is not of its form; the message begins with "expected"; `nearest` is the value probably meant, or ""."""

    def __init__(self, message: str, nearest: str = "") -> None:
        super().__init__(message)
        self.nearest = nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What is expected, in words, and how it is read. `of` is the type in the file: text or a whole number."""

    expected: str
    of: type = str
    read: Callable[[str], object] | Callable[[int], object]


def name(text: str) -> str:
    """Any text that can be printed in a line and sent anywhere."""
    if not 0 < len(text) <= 200 or not text.isprintable() or text != text.strip():
        raise FormError("expected 1 to 200 printable characters, with no space at either end")
    return text


def column(text: str) -> str:
    """A column's name: not one of the reserved ``@score`` and ``@label``."""
    if name(text).startswith("@"):
        raise FormError("expected the name of a feature; names with @ in front are Driftline's own")
    return text


def segment(text: str) -> str:
    """A segment's dimension; ``=`` parts dimension and value in results."""
    if "=" in column(text):
        raise FormError("expected the name of a dimension, without '='")
    return text


def topic(text: str) -> str:
    """A name Kafka accepts."""
    if not _TOPIC.fullmatch(text) or text in (".", ".."):
        raise FormError("expected the name of a topic: 1 to 249 of a-z, A-Z, 0-9, '.', '_' and '-'")
    return text


def servers(text: str) -> str:
    """One or more ``host:port``, with commas between; librdkafka also takes a protocol in front."""
    for server in text.split(","):
        try:
            address = parse_address(_PROTOCOL.sub("", server.strip(), count=1))
        except ValueError:
            raise FormError("expected host:port, several with commas between") from None
        if address.port == 0:
            raise FormError("expected host:port, with a port from 1 to 65535")
    return text


def duration(text: str) -> int:
    """A duration, in milliseconds."""
    try:
        return durations.parse_duration(text)
    except ValueError as error:
        raise FormError(str(error)) from None


def listen(text: str) -> Address | None:
    """An address to listen at; None for ``off``."""
    try:
        return None if text == "off" else parse_address(text)
    except ValueError as error:
        raise FormError(f"{error}, or off") from None


def method(text: str) -> str:
    """The name of a registered drift method."""
    known = method_names()
    if text not in known:
        raise FormError(f"expected one of {', '.join(known)}", nearest(text, known))
    return text


def bins(number: int) -> int:
    """Deciles, or a power of two: what the grid of 256 cells and nine deciles gives exactly."""
    if number != 10 and number not in (2, 4, 8, 16, 32, 64, 128, 256):
        raise FormError("expected 10, or a power of two from 2 to 256")
    return number


def dsn(text: str) -> str:
    """A database's URL, as `sinks.clickhouse.client` takes it: ``clickhouse://``, ``clickhouses://``, ``chdb://``.

    It is read again there. Here the places where half a password could pass for a host or a database are closed.
    """
    try:
        url = urlsplit(text)
        port = url.port
        options = [key for key, _ in parse_qsl(url.query, keep_blank_values=True, strict_parsing=bool(url.query))]
    except ValueError:
        raise FormError(f"expected a URL whose parts can be read; {_ESCAPE}") from None
    if url.scheme not in ("clickhouse", "clickhouses", "chdb") or "://" not in text:
        raise FormError("expected a URL that begins with clickhouse://, clickhouses:// or chdb:///")
    if not text.isprintable() or " " in text or url.fragment:
        raise FormError(f"expected a URL without spaces and '#'; {_ESCAPE}")
    if url.scheme == "chdb":
        if (url.netloc or not url.path.strip("/")) and f"{url.netloc}{url.path}" not in ("memory", "memory/"):
            raise FormError("expected chdb:/// and an absolute path, with three slashes, or chdb://memory")
    elif not url.hostname or port == 0 or url.path.count("/") > 1 or "@" in url.path:
        raise FormError(f"expected clickhouse://user:password@host:8123/database; {_ESCAPE}")
    if any(option != "ca_cert" or url.scheme != "clickhouses" for option in options):
        raise FormError("expected no options but ca_cert, which clickhouses:// takes")
    return text


def client_key(text: str) -> str:
    """The name of a librdkafka setting that is left to the user."""
    if not _CLIENT_KEY.fullmatch(text):
        raise FormError("expected the name of a librdkafka setting, such as security.protocol")
    if text in OWN_CLIENT_SETTINGS:
        raise FormError(f"expected another setting; this one is Driftline's own: {OWN_CLIENT_SETTINGS[text]}")
    return text


FORMS: Mapping[str, Form] = {
    "bins": Form(expected="10, or a power of two from 2 to 256", of=int, read=bins),
    "client_key": Form(expected="the name of a librdkafka setting", read=client_key),
    "column": Form(expected="the name of a column", read=column),
    "dsn": Form(expected="a URL such as clickhouse://user:${PASSWORD}@host:8123/database", read=dsn),
    "duration": Form(expected=durations.EXAMPLE, read=duration),
    "listen": Form(expected="host:port, or off", read=listen),
    "method": Form(expected="the name of a drift method", read=method),
    "name": Form(expected="a name", read=name),
    "segment": Form(expected="the name of a dimension", read=segment),
    "servers": Form(expected="host:port, several with commas between", read=servers),
    "topic": Form(expected="the name of a topic", read=topic),
}
