"""What one commit of ingest sends: deltas to the partition of their model, clocks to every partition, rejects. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from monitor.config.schema import Kafka
from monitor.decisions.controls import Control
from monitor.events.batch import Rejected
from monitor.eventtime.partitions import Partitions
from monitor.join.block import Features, JoinMessage, Labels, Predictions
from monitor.join.block import encode as encode_join
from monitor.sketching.control_events import control_topics
from monitor.sketching.messages import Delta, SketchMessage, UnreadCounts, encode
from monitor.sketching.own_topics import JOINS, REJECTS, SKETCHES, partition_of_model
from monitor.sketching.received import Received
from sinks.records import LAST_MS, Reject, encode_reject

MAX_REJECT_BYTES = 16 * 1024 * 1024 - 64 * 1024
"""A reject that no message of ours has room for is cut to this, and says so in a header; its source offset is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One message to produce inside the transaction."""

    topic: str
    partition: int
    value: bytes
    headers: list[tuple[str, str | bytes | None]] | None = None


def sketch_messages(
    kafka: Kafka,
    deltas: Sequence[Delta],
    partitions: Partitions,
    n_partitions: Mapping[str, int],
    controls: Sequence[Control] = (),
    unread: Sequence[UnreadCounts] = (),
) -> Iterator[Outgoing]:
    """The controls, the deltas, what is in none, then the clocks, of each partition of `drift.sketches`.

    Clocks go to every partition, because a quiet model must close its windows too; and last, because they may only be
    believed once what was read before them is counted.
    """
    by_partition: dict[int, list[Delta]] = defaultdict(list)
    for delta in deltas:
        by_partition[partition_of_model(delta.model, kafka.sketch_partitions)].append(delta)
    topic = kafka.own_topic(SKETCHES)
    # Labels and controls come when they come: they neither close windows nor hold them open.
    timeless = {*kafka.topics.labels, *control_topics(kafka)}
    others = {name: n for name, n in n_partitions.items() if name not in timeless}
    clocks = encode(
        SketchMessage(
            clocks=[clock for clock in partitions.clocks() if clock.topic not in timeless],
            n_partitions=others,
            sources=partitions.ranges(),
        )
    )
    for partition in range(kafka.sketch_partitions):
        said = [
            one
            for one in controls
            if one.model == "" or partition_of_model(one.model, kafka.sketch_partitions) == partition
        ]
        if said:
            yield Outgoing(topic=topic, partition=partition, value=encode(SketchMessage(controls=said)))
        for delta in by_partition[partition]:
            yield Outgoing(topic=topic, partition=partition, value=encode(SketchMessage(deltas=[delta])))
        own = [one for one in unread if partition_of_model(one.model, kafka.sketch_partitions) == partition]
        if own:
            yield Outgoing(topic=topic, partition=partition, value=encode(SketchMessage(unread=own)))
        yield Outgoing(topic=topic, partition=partition, value=clocks)


def join_messages(
    kafka: Kafka,
    blocks: Mapping[int, tuple[list[Predictions], list[Labels]]],
    partitions: Partitions,
    n_partitions: Mapping[str, int],
    features: Mapping[int, Sequence[Features]] | None = None,
) -> Iterator[Outgoing]:
    """What each partition of `drift.joins` is sent: blocks, one a message, then the clocks of all sources."""
    topic = kafka.own_topic(JOINS)
    own = control_topics(kafka)
    clocks = encode_join(
        JoinMessage(
            clocks=[clock for clock in partitions.clocks() if clock.topic not in own],
            n_partitions={name: n for name, n in n_partitions.items() if name not in own},
        )
    )
    for partition in range(kafka.sketch_partitions):
        predictions, labels = blocks.get(partition, ((), ()))
        messages = [JoinMessage(predictions=[block]) for block in predictions]
        messages += [JoinMessage(labels=[block]) for block in labels]
        messages += [JoinMessage(features=[block]) for block in (features or {}).get(partition, ())]
        for message in messages:
            yield Outgoing(topic=topic, partition=partition, value=encode_join(message))
        yield Outgoing(topic=topic, partition=partition, value=clocks)


def reject_messages(kafka: Kafka, rejects: Sequence[Rejected], received: Received) -> Iterator[Outgoing]:
    """The rejected events, their raw bytes whole, on `drift.rejects`."""
    topic = kafka.own_topic(REJECTS)
    for reject in rejects:
        source_topic, source_partition = received.source(reject.message)
        fields, raw = encode_reject(
            Reject(
                model=reject.model,
                reason=str(reject.reason),
                source_topic=source_topic,
                source_partition=source_partition,
                source_offset=int(received.offsets[reject.message]),
                event_index=reject.index,
                detail=reject.detail,
                time_ms=min(max(received.sent_ms(reject.message), 0), LAST_MS),
                raw=reject.raw,
            )
        )
        headers: list[tuple[str, str | bytes | None]] = [*fields]
        if len(raw) > MAX_REJECT_BYTES:
            headers.append(("truncated-from-bytes", str(len(raw)).encode()))
        yield Outgoing(
            topic=topic,
            partition=source_partition % kafka.sketch_partitions,
            value=raw[:MAX_REJECT_BYTES],
            headers=headers,
        )
