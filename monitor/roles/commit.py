"""What one commit of ingest sends: deltas to the partition of their model, clocks to every partition, rejects.

Pure, but for `produce`.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka import Message, Producer

from monitor.config.schema import Kafka
from monitor.events.batch import Rejected
from monitor.eventtime.partitions import Partitions
from monitor.kafka import topics
from monitor.kafka.clients import OWN_MESSAGE_BYTES
from monitor.kafka.messages import offset, place
from monitor.sketching.messages import Delta, SketchMessage, encode
from sinks.records import LAST_MS, Reject, encode_reject

# A reject larger than any message of ours can be is cut to this, and says so in a header; its source offset is there.
MAX_RAW_BYTES = OWN_MESSAGE_BYTES - 64 * 1024

Headers = list[tuple[str, str | bytes | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One message to produce inside the transaction."""

    topic: str
    partition: int
    value: bytes
    headers: Headers | None = None


def sketch_messages(
    kafka: Kafka, deltas: Sequence[Delta], partitions: Partitions, n_partitions: Mapping[str, int]
) -> Iterator[Outgoing]:
    """The deltas, then the clocks, of each partition of `drift.sketches`.

    Clocks go to every partition, because a quiet model must close its windows too; and last, because they may only be
    believed once what was read before them is counted.
    """
    by_partition: dict[int, list[Delta]] = defaultdict(list)
    for delta in deltas:
        by_partition[topics.partition_of_model(delta.model, kafka.sketch_partitions)].append(delta)
    topic = kafka.own_topic(topics.SKETCHES)
    clocks = encode(
        SketchMessage(clocks=partitions.clocks(), n_partitions=dict(n_partitions), sources=partitions.ranges())
    )
    for partition in range(kafka.sketch_partitions):
        for delta in by_partition[partition]:
            yield Outgoing(topic=topic, partition=partition, value=encode(SketchMessage(deltas=[delta])))
        yield Outgoing(topic=topic, partition=partition, value=clocks)


def reject_messages(kafka: Kafka, rejects: Sequence[Rejected], messages: Sequence[Message]) -> Iterator[Outgoing]:
    """The rejected events, their raw bytes whole, on `drift.rejects`."""
    topic = kafka.own_topic(topics.REJECTS)
    for reject in rejects:
        message = messages[reject.message]
        fields, raw = encode_reject(_reject_row(reject, message))
        headers: Headers = [*fields]
        if len(raw) > MAX_RAW_BYTES:
            headers.append(("truncated-from-bytes", str(len(raw)).encode()))
        _topic, source = place(message)
        partition = source % kafka.sketch_partitions
        yield Outgoing(topic=topic, partition=partition, value=raw[:MAX_RAW_BYTES], headers=headers)


def produce(producer: Producer, outgoing: Outgoing) -> None:
    """Hand a message to the producer. Where its queue is full this waits for the broker, and drops nothing."""
    while True:
        try:
            producer.produce(outgoing.topic, outgoing.value, partition=outgoing.partition, headers=outgoing.headers)
            producer.poll(0)
            return
        except BufferError:
            producer.poll(0.1)


def _reject_row(reject: Rejected, message: Message) -> Reject:
    _kind, timestamp_ms = message.timestamp()
    topic, partition = place(message)
    return Reject(
        model=reject.model,
        reason=str(reject.reason),
        source_topic=topic,
        source_partition=partition,
        source_offset=offset(message),
        event_index=reject.index,
        detail=reject.detail,
        time_ms=min(max(timestamp_ms, 0), LAST_MS),  # a producer may set it to anything
        raw=reject.raw,
    )
