"""One step of ingest: from what was read, and the time, to what one transaction commits. Pure: no client, no clock.

The step keeps the clocks and offsets of this worker's partitions. Its driver reads messages, gives them to `take`,
sends what the commit holds in one transaction with its offsets, and says how that ended: `committed` or `rolled_back`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from detectors.reference import Reference
from monitor.config.schema import Kafka
from monitor.events.batch import Decoded, Rejected
from monitor.eventtime.partitions import Partitions, SourcePartition
from monitor.join.feature_blocks import FeatureBlocks, features_by_partition, live_batches
from monitor.join.outgoing import PredictionBlocks, blocks_by_partition
from monitor.sketching.control_events import control_topics, read_controls
from monitor.sketching.deltas import Cut, sketched
from monitor.sketching.messages import UnreadCounts
from monitor.sketching.outgoing import Outgoing, join_messages, reject_messages, sketch_messages
from monitor.sketching.received import Received
from monitor.sketching.unread import unread_counts

Decode = Callable[[Received, int], Decoded]
"""(messages, now_ms) to columns and rejects; the rejects' `message` is an index into the messages."""


class Now(NamedTuple):
    """The time of a step: `monotonic_s` measures silence in seconds, `wall_ms` bounds what events say of theirs."""

    monotonic_s: float
    wall_ms: int


class Grids(NamedTuple):
    """What depends on the models' references: see the parameters of `IngestStep`."""

    decode: Decode
    references: Mapping[str, Reference]
    blocks: Mapping[str, PredictionBlocks]
    features: Mapping[str, FeatureBlocks]


class End(NamedTuple):
    """Nothing was left to read of a partition at this offset: the broker says so."""

    partition: SourcePartition
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """What one transaction holds.

    Attributes
    ----------
    outgoing
        the messages to send, in this order.
    offsets
        where to go on reading each partition; never empty, for by them Kafka tells whether it is still this worker's.
    n_events
        by model, the events that are counted in the messages.
    n_rejects
        by model and reason, those that were not.
    reject_examples
        likewise, the first of them: why, and where it lies.
    """

    outgoing: Sequence[Outgoing]
    offsets: Mapping[SourcePartition, int]
    n_events: Mapping[str, int]
    n_rejects: Mapping[tuple[str, str], int]
    reject_examples: Mapping[tuple[str, str], str]


class IngestStep:
    """The state of one ingest worker between its consumer and its producer.

    Parameters
    ----------
    kafka
        The configuration's `kafka` section.
    decode
        Reads messages; see `monitor.wiring`.
    references, cuts
        By model: what to sketch on, and how its events are cut.
    blocks
        Of each model that has labels: what makes blocks of its predictions. Where no model has, label topics are not
        read.
    features
        Of each model whose features are compared when they are computed again: what makes blocks of them. Without
        `blocks` and these, nothing is sent to `drift.joins`.
    """

    def __init__(
        self,
        kafka: Kafka,
        decode: Decode,
        references: Mapping[str, Reference],
        cuts: Mapping[str, Cut],
        blocks: Mapping[str, PredictionBlocks] | None = None,
        features: Mapping[str, FeatureBlocks] | None = None,
    ) -> None:
        self._blocks = blocks or {}
        self._features = features or {}
        self._kafka = kafka
        self._control_topics = control_topics(kafka)
        self._decode = decode
        self._references = references
        self._cuts = cuts
        self._partitions = Partitions(kafka.idle_timeout_ms / 1000)
        self._n_partitions: Mapping[str, int] = {}
        self._last_awake_s = 0.0

    @property
    def sources(self) -> Sequence[str]:
        """The topics to read."""
        topics = self._kafka.topics
        return [*topics.predictions, *topics.features, *(topics.labels if self._blocks else ()), *self._control_topics]

    @property
    def assigned(self) -> Sequence[SourcePartition]:
        """The partitions that this worker has."""
        return self._partitions.assigned

    @property
    def done(self) -> Mapping[SourcePartition, int | None]:
        """The first offset of each partition that is not committed; None where nothing is known of it yet."""
        return self._partitions.done()

    def assign(self, partitions: Iterable[SourcePartition], now_s: float) -> None:
        """Start afresh with these partitions; none, when they were taken away."""
        self._partitions.assign(list(partitions), now_s)

    def renew(self, grids: Grids) -> None:
        """Count what is taken from now on on these references. What was committed stays on those before."""
        self._decode, self._references, self._blocks, self._features = grids

    def expect(self, n_partitions: Mapping[str, int]) -> None:
        """How many partitions each source topic has: whoever reads the clocks waits for so many."""
        self._n_partitions = n_partitions

    def heard_nothing(self, now_s: float) -> None:
        """No broker could be reached until now: what was silent may have brought something since."""
        self._partitions.restart_idle_timers(now_s)

    def awake(self, now_s: float) -> None:
        """Note that the process runs; to be called at least as often as the session timeout.

        After a longer pause the process was suspended and read nothing, and its partitions may be another worker's.
        """
        if now_s - self._last_awake_s > self._kafka.session_timeout_ms / 1000:
            self._partitions.restart_idle_timers(now_s)
        self._last_awake_s = now_s

    def take(self, received: Received, ends: Iterable[End], now: Now) -> Commit | None:
        """Count messages, and the ends of partitions that were reached with them. None: there is nothing to commit yet.

        Clocks are believed, so they are sent only with an offset: by that Kafka tells whether the partitions are still
        this worker's. One that has shown nothing yet, not even its end, soon will.
        """
        self.awake(now.monotonic_s)
        for partition, first, last in received.spans():
            self._partitions.read(partition, first, last)
        for end in ends:
            self._partitions.reached_end(end.partition, end.offset)
        said, received = read_controls(received, self._kafka, self._cuts.keys())
        decoded = self._decode(received, now.wall_ms)
        for partition, event_ms in received.latest_ms([*decoded.batches, *decoded.labels]):
            self._partitions.saw(partition, event_ms, now.monotonic_s)
        self._partitions.find_idle(now.monotonic_s)
        offsets = self._partitions.to_commit()
        if not (offsets and self._partitions.changed()):
            return None
        live = live_batches(decoded.batches, self._features)
        deltas = sketched(live, self._references, self._cuts)
        return Commit(
            outgoing=[
                *sketch_messages(
                    self._kafka,
                    deltas,
                    self._partitions,
                    self._n_partitions,
                    said.controls,
                    self._unread(decoded, received),
                ),
                *self._join_messages(decoded),
                *reject_messages(self._kafka, decoded.rejects, received),
                *reject_messages(self._kafka, said.rejects, said.received),
            ],
            offsets=offsets,
            n_events={batch.model: batch.n for batch in live},
            n_rejects=_count([*decoded.rejects, *said.rejects]),
            reject_examples={**_examples(said.rejects, said.received), **_examples(decoded.rejects, received)},
        )

    def _unread(self, decoded: Decoded, received: Received) -> list[UnreadCounts]:
        labels = frozenset(self._kafka.topics.labels)

        def time_ms(reject: Rejected) -> int | None:
            if received.source(reject.message)[0] in labels:
                return None
            return received.sent_ms(reject.message) if reject.time_ms is None else reject.time_ms

        return unread_counts(decoded, self._cuts, time_ms)

    def _join_messages(self, decoded: Decoded) -> Iterable[Outgoing]:
        if not (self._blocks or self._features):
            return ()
        n_partitions = self._kafka.sketch_partitions
        blocks = blocks_by_partition(decoded.batches, decoded.labels, self._blocks, n_partitions)
        features = features_by_partition(decoded.batches, self._features, n_partitions)
        return join_messages(self._kafka, blocks, self._partitions, self._n_partitions, features)

    def committed(self) -> None:
        """The broker has acknowledged the last commit."""
        self._partitions.committed()

    def rolled_back(self, now_s: float, unread: Iterable[SourcePartition] = ()) -> set[SourcePartition]:
        """The last commit was undone, and what was read since the one before counts for nothing.

        Returns the partitions to read again from where they are committed: `unread`, which were read and not taken, are
        some of them.
        """
        return self._partitions.rolled_back(now_s, unread)


def _examples(rejects: Iterable[Rejected], received: Received) -> Mapping[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for reject in rejects:
        key = (reject.model, str(reject.reason))
        if key not in found:
            topic, partition = received.source(reject.message)
            found[key] = f"{reject.detail} ({topic}, partition {partition}, offset {received.offsets[reject.message]})"
    return found


def _count(rejects: Iterable[Rejected]) -> Mapping[tuple[str, str], int]:
    counts: dict[tuple[str, str], int] = {}
    for reject in rejects:
        key = (reject.model, str(reject.reason))
        counts[key] = counts.get(key, 0) + 1
    return counts
