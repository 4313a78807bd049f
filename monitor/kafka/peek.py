"""The first messages of a topic, read without a trace: no group, no commit."""

import time
import uuid
from typing import Any

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from monitor.config.schema import Kafka
from monitor.errors import InputError
from monitor.events.json.enveloped import context_of
from monitor.events.json.forgiving import Refused, not_an_event, parse
from monitor.events.serving.forms import FORMS
from monitor.files.report import FileReport, rejected
from monitor.guess.serving import SENT
from monitor.kafka.clients import built, classify, consumer_settings, reach_broker
from monitor.kafka.messages import headers, offset

SILENT_S = 5.0
"""A partition that brings nothing for so long has no more; its last offsets may be of markers."""


def first_events(servers: str, topic: str, most: int, report: FileReport) -> list[dict[str, Any]]:
    """The JSON objects in at most so many messages of all partitions, from the first on; others are reported.

    Where a message's headers are the context of a CloudEvent, it is the `data` of an object of them. Each object that
    looks like an envelope of a serving system carries the message's own time under `monitor.guess.serving.SENT`.

    Raises
    ------
    Unavailable
        The broker does not answer.
    InputError
        It has no such topic.
    """
    kafka = Kafka(bootstrap_servers=servers)
    found = reach_broker(kafka).topics.get(topic)
    if found is None or not found.partitions:
        raise InputError(f"Kafka at {servers} has no topic {topic!r}", hint="check --topic and --bootstrap-servers")
    consumer = built(Consumer, consumer_settings(kafka, f"init-{uuid.uuid4().hex}"), kafka)
    messages: list[Message] = []
    try:
        messages = _evenly(consumer, [TopicPartition(topic, number) for number in found.partitions], most)
    except KafkaException as error:
        raise classify(error, kafka) from error
    finally:
        consumer.close()
    events: list[dict[str, Any]] = []
    for message in messages:
        own = events_in(message.value(), _context(message), report)
        if any(form.recognises(event) for event in own for form in FORMS.values()):
            own = [{**event, SENT: message.timestamp()[1]} for event in own]
        events += own
    return events


def _evenly(consumer: Consumer, partitions: list[TopicPartition], most: int) -> list[Message]:
    """The first messages, as many of each partition, for their times are alike then; more where another has few."""
    spans = {}
    for partition in partitions:
        low, high = consumer.get_watermark_offsets(partition, timeout=10)
        spans[partition.partition] = (low, high)
    messages: list[Message] = []
    by_size = sorted(partitions, key=lambda one: spans[one.partition][1] - spans[one.partition][0])
    for number, partition in enumerate(by_size):
        share = -(-(most - len(messages)) // (len(by_size) - number))
        messages += _first(consumer, partition, *spans[partition.partition], share)
    return messages


def _first(consumer: Consumer, partition: TopicPartition, low: int, high: int, most: int) -> list[Message]:
    """The first messages of a partition, from one offset to before another."""
    consumer.assign([TopicPartition(partition.topic, partition.partition, low)])
    messages: list[Message] = []
    end, deadline_s = low, time.monotonic() + SILENT_S
    while len(messages) < most and end < high and time.monotonic() < deadline_s:
        read = consumer.consume(min(most - len(messages), 1_000), timeout=0.5)
        own = [message for message in read if message.error() is None]
        messages += own
        if own:
            end, deadline_s = offset(own[-1]) + 1, time.monotonic() + SILENT_S
    return messages


def events_in(
    value: bytes | None, context: dict[str, str] | None = None, report: FileReport | None = None
) -> list[dict[str, Any]]:
    """The JSON objects of a message: one, an array of them, or one a line; what is none is reported."""
    raw = value or b""
    report = FileReport() if report is None else report
    try:
        parsed = [parse(raw)]
    except Refused as refused:
        parsed = []
        try:
            parsed += map(parse, raw.splitlines())
        except Refused:
            parsed = []
        if not parsed:
            report.reject(rejected(refused, raw))
    if context:
        return [{**context, "data": one} for one in parsed]
    events = [one for item in parsed for one in (item if isinstance(item, list) else [item])]
    for event in events:
        if not isinstance(event, dict):
            report.reject(rejected(not_an_event(event), raw))
    return [event for event in events if isinstance(event, dict)]


def _context(message: Message) -> dict[str, str]:
    found = {
        name.lower(): value.decode("utf-8", "replace") for name, value in headers(message) if isinstance(value, bytes)
    }
    return context_of(found)
