"""The forms of single values: how text (or a number) in the file becomes the value the program works with.

A field names its form in `schema` (``Meta(extra={"form": ...})``), or brings one (`sinks.settings.Form`). Each form
says what it expects; its `read` raises `FormError` when it finds something else, and never repeats what it found.
"""

import re
from collections.abc import Mapping

import msgspec

from monitor.config import durations, rates
from monitor.config.addresses import Address, parse_address
from monitor.config.methods import detector_names, method_names
from monitor.config.nearest import nearest
from monitor.config.rates import RaiseRule, Rate
from monitor.config.spans import EXAMPLE, Span, parse_span
from monitor.events.times import TimeRule
from monitor.events.values import MAX_TEXT
from monitor.eventtime.zones import zone_names
from sinks.address_secrets import password
from sinks.settings import Form, FormError, whole

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
_DESTINATION = re.compile(r"[A-Za-z0-9._-]{1,64}")
_CLIENT_KEY = re.compile(r"[a-z]+(?:[._][a-z0-9]+)*")
_SECRET_SETTING = re.compile(r"password|passphrase|secret|(?:^|[._])key[._]pem$|oauthbearer[._]config$")
_PROTOCOL = re.compile(r"(?:PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL)://", re.IGNORECASE)


def name(text: str) -> str:
    """Any text that can be printed in a line and sent anywhere."""
    if not 0 < len(text) <= 200 or not text.isprintable() or text != text.strip():
        raise FormError("expected 1 to 200 printable characters, with no space at either end")
    return text


def secret(text: str) -> str:
    """A password, a token, a key; tokens that are signed have a thousand characters and more."""
    if not 0 < len(text) <= 10_000 or not text.isprintable():
        raise FormError("expected 1 to 10,000 printable characters")
    return text


def column(text: str) -> str:
    """A column's name: not one of the reserved ``@score`` and ``@label``."""
    if name(text).startswith("@"):
        raise FormError("expected the name of a feature; names with @ in front are Driftline's own")
    return text


def class_name(text: str) -> str:
    """A class as predictions and labels spell it."""
    if not 0 < len(text) <= MAX_TEXT or not text.isprintable():
        raise FormError(f"expected a class: 1 to {MAX_TEXT} printable characters")
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


def span(text: str) -> Span:
    """How long a window is, or how far apart windows start."""
    try:
        return parse_span(text)
    except ValueError as error:
        raise FormError(str(error)) from None


def rate(text: str) -> Rate:
    """So many times in so long."""
    try:
        return rates.parse_rate(text)
    except ValueError as error:
        raise FormError(str(error)) from None


def raise_rule(text: str) -> RaiseRule:
    """When alerts are raised."""
    try:
        return rates.parse_rule(text)
    except ValueError as error:
        raise FormError(str(error), nearest(text, ["budget", "verdicts"])) from None


def timezone(text: str) -> str:
    """The name of a zone of the IANA database."""
    names = zone_names()
    if text in names:
        return text
    cities = {name.rpartition("/")[2]: name for name in sorted(names)}
    near = nearest(text, names) or cities.get(nearest(text, cities), "")
    raise FormError("expected the name of a time zone, such as Europe/Berlin or UTC", near)


def instant(text: str) -> int:
    """A date, or a time with an offset; in milliseconds since 1970 UTC."""
    found = TimeRule(min_ms=0).read(text) if "-" in text else None
    if found is None:
        raise FormError("expected a date from 1970 on, such as 1990-01-01, or a time in RFC 3339")
    return found


def listen(text: str) -> Address | None:
    """An address to listen at; None for ``off``."""
    try:
        return None if text == "off" else parse_address(text)
    except ValueError as error:
        raise FormError(f"{error}, or off") from None


def token(text: str) -> str:
    """What is sent in a header: empty, or ASCII without spaces."""
    if not all("!" <= character <= "~" for character in text) or len(text) > 500:
        raise FormError("expected at most 500 characters of ASCII, without spaces")
    return text


def method(text: str) -> str:
    """The name of a registered drift method."""
    known = method_names()
    if text not in known:
        raise FormError(f"expected one of {', '.join(known)}", nearest(text, known))
    return text


def detector(text: str) -> str:
    """The name of a sequential detector."""
    known = detector_names()
    if text not in known:
        raise FormError(f"expected one of {', '.join(known)}", nearest(text, known))
    return text


def concept_drift(text: str) -> object:
    """The name of a sequential detector in the place of its keys."""
    from monitor.config.schema import ConceptDrift  # which reads its forms here

    return ConceptDrift(detector=detector(text))


def destination(text: str) -> str:
    """A name that Kafka accepts, for the destination's consumer group and workers are named after it."""
    if not _DESTINATION.fullmatch(text):
        raise FormError("expected a name of 1 to 64 of a-z, A-Z, 0-9, '.', '_' and '-'")
    return text


def bins(number: int) -> int:
    """Deciles, or a power of two: what the grid of 256 cells and nine deciles gives exactly."""
    if number != 10 and number not in (2, 4, 8, 16, 32, 64, 128, 256):
        raise FormError("expected 10, or a power of two from 2 to 256")
    return number


def client_key(text: str) -> str:
    """The name of a librdkafka setting that is left to the user."""
    if not _CLIENT_KEY.fullmatch(text):
        raise FormError("expected the name of a librdkafka setting, such as security.protocol")
    if text in OWN_CLIENT_SETTINGS:
        raise FormError(f"expected another setting; this one is Driftline's own: {OWN_CLIENT_SETTINGS[text]}")
    return text


def client_secrets(key: str, text: str) -> Mapping[str, str]:
    """Of a librdkafka setting: all of a password, key or the like, the password in an address; what remains, such as
    ``security.protocol``, is no secret."""
    return whole(text) if _SECRET_SETTING.search(key) else password(text)


def compare(text: str) -> object:
    """The one text in the place of a comparison's keys."""
    from monitor.config.schema import PINNED  # which reads its forms here

    if text != "pinned":
        raise FormError("expected pinned, or one of the keys trailing, season and version", nearest(text, ["pinned"]))
    return PINNED


FORMS: Mapping[str, Form] = {
    "bins": Form(expected="10, or a power of two from 2 to 256", of=int, read=bins),
    "class": Form(expected="a class, in quotes if it is a number, true or false", read=class_name),
    "client_key": Form(expected="the name of a librdkafka setting", read=client_key, secret_keys=client_secrets),
    "column": Form(expected="the name of a column", read=column),
    "compare": Form(expected="pinned, or one of the keys trailing, season and version", read=compare),
    "concept_drift": Form(expected="the name of a sequential detector, or its keys", read=concept_drift),
    "destination": Form(expected="the name of a destination", read=destination),
    "detector": Form(expected="the name of a sequential detector", read=detector),
    "duration": Form(expected=durations.EXAMPLE, read=duration),
    "instant": Form(expected="a date, such as 1990-01-01, or a time in RFC 3339", read=instant),
    "listen": Form(expected="host:port, or off", read=listen),
    "method": Form(expected="the name of a drift method", read=method),
    "name": Form(expected="a name", read=name),
    "raise": Form(expected=rates.RULE_EXAMPLE, read=raise_rule),
    "rate": Form(expected=rates.RATE_EXAMPLE, read=rate),
    "secret": Form(expected="a secret", read=secret),
    "segment": Form(expected="the name of a dimension", read=segment),
    "servers": Form(expected="host:port, several with commas between", read=servers),
    "span": Form(expected=EXAMPLE, read=span),
    "timezone": Form(expected="the name of a time zone, such as Europe/Berlin or UTC", read=timezone),
    "token": Form(expected="text without spaces", read=token),
    "topic": Form(expected="the name of a topic", read=topic),
}


def form_of(meta: msgspec.Meta) -> Form | None:
    """The form that a field asks for; None for those that have none."""
    asked = (meta.extra or {}).get("form")
    return asked if asked is None or isinstance(asked, Form) else FORMS[asked]
