"""Ingest: read events, decode, sketch, and commit deltas, rejects and offsets in one Kafka transaction.

A commit is: consume until a batch is full or `commit_interval` is over; decode and sketch it; then one transaction with
the deltas (to the partition of each model), this worker's clocks (to *every* partition of `drift.sketches`, after the
deltas), the rejects, and the consumer's offsets. A crash anywhere before the commit rolls all of it back, and the
events are read again. The role keeps no state.
"""

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from detectors.reference import Reference
from monitor import telemetry
from monitor.config.schema import Kafka
from monitor.errors import DriftlineError, StoppedError
from monitor.events.batch import Decoded
from monitor.eventtime.partitions import Partitions
from monitor.kafka.clients import built, classify, consumer_settings, producer_settings
from monitor.kafka.groups import groups_of
from monitor.kafka.messages import offset, place, places_of
from monitor.kafka.progress import export_lag, forget_lag, seek_to_committed
from monitor.process.garbage import gc_paused
from monitor.process.health import Health
from monitor.roles.commit import produce, reject_messages, sketch_messages
from monitor.sketching.deltas import deltas_of
from monitor.sketching.messages import Delta

log = structlog.get_logger()

# One commit reads at most this much, so that memory stays bounded whatever a message holds.
MAX_BATCH_BYTES = 64 * 1024 * 1024
# The longest pause after commits that were rolled back one after the other.
MAX_PAUSE_S = 15.0
# librdkafka hands over at most this many at once, so that the byte bound is checked often enough.
_SLICE = 1_000

Decode = Callable[[Sequence[Message], int], Decoded]
"""(messages, now_ms) to columns and rejects; the rejects' `message` is an index into the messages."""


class Ingest:
    """One ingest worker.

    Parameters
    ----------
    kafka
        The configuration's `kafka` section.
    decode
        Reads messages; see `monitor.wiring`.
    references, pane_ms
        By model: what to sketch on, and the length of a pane in milliseconds.
    worker
        This worker's name, unique among ingest workers and the same after a restart: its transactional id, by which a
        new process of that name cuts off the old one.
    """

    def __init__(
        self,
        kafka: Kafka,
        decode: Decode,
        references: Mapping[str, Reference],
        pane_ms: Mapping[str, int],
        *,
        worker: str,
        health: Health,
    ) -> None:
        self._kafka = kafka
        self._decode = decode
        self._references = references
        self._pane_ms = pane_ms
        self._health = health
        self._worker = worker
        self._sources = [*kafka.topics.predictions, *kafka.topics.features]
        self._partitions = Partitions(kafka.idle_timeout_ms / 1000)
        self._n_partitions: dict[str, int] = {}
        self._buffer: list[Message] = []
        self._ended: list[tuple[tuple[str, int], int]] = []
        self._last_awake_s = 0.0
        self._rollbacks = 0
        self._in_group = False
        self._stopping = False

    def stop(self) -> None:
        """Finish the batch in hand, commit it, and return from `run`. Safe in a signal handler."""
        self._stopping = True

    def run(self) -> None:
        """Read and commit until stopped. Raises `StoppedError` or `Unavailable` when it cannot go on by itself."""
        name = f"{self._kafka.consumer_group}-ingest-{self._worker}"
        self._producer = built(Producer, producer_settings(self._kafka, transactional_id=name), self._kafka)
        reading = {**consumer_settings(self._kafka, "ingest", instance=name), "enable.partition.eof": True}
        self._consumer = built(Consumer, reading, self._kafka)
        try:
            self._start()
            while not self._stopping:
                with gc_paused():
                    self._turn()
            if self._buffer:
                self._commit_in_groups(time.monotonic())
        except KafkaException as error:
            raise classify(error, self._kafka) from error
        finally:
            self._consumer.close()

    def _start(self) -> None:
        self._producer.init_transactions(30)
        # A topic that is not there yet is joined when it appears.
        self._consumer.subscribe(self._sources, on_assign=self._on_assign, on_revoke=self._on_revoke)

    # Reading ----------------------------------------------------------------------------------------------------------

    def _on_assign(self, _consumer: Consumer, assigned: list[TopicPartition]) -> None:
        self._n_partitions = {}
        self._partitions.assign([(p.topic, p.partition) for p in assigned], time.monotonic())
        self._in_group = True
        log.info("partitions assigned", worker=self._worker, n=len(assigned))
        self._health.ready()

    def _on_revoke(self, _consumer: Consumer, revoked: list[TopicPartition]) -> None:
        # Nothing of the buffer is committed; whoever reads these partitions next starts at the last commit.
        self._buffer.clear()
        self._ended.clear()
        self._partitions.assign([], time.monotonic())
        forget_lag("ingest", revoked)
        self._in_group = False
        self._health.not_ready("partitions revoked")

    def _count_partitions(self) -> None:
        """How many partitions there are to wait for: new ones come with a new assignment.

        Not in the callback itself: a call into the client from there ends the process when the same call of `consume`
        runs another callback (confluent-kafka 2.16, `CallState_get: Assertion`).
        """
        there = self._consumer.list_topics(timeout=10).topics
        self._n_partitions = {topic: len(there[topic].partitions) for topic in self._sources if topic in there}

    def _turn(self) -> None:
        """Fill one batch, then commit it."""
        started_s = time.monotonic()
        deadline_s = started_s + self._kafka.commit_interval_ms / 1000
        n_bytes = 0
        while not self._stopping and len(self._buffer) < self._kafka.batch_events and n_bytes < MAX_BATCH_BYTES:
            now_s = time.monotonic()
            self._notice_suspension(now_s)
            left_s = deadline_s - now_s
            if left_s <= 0:
                break
            room = min(_SLICE, self._kafka.batch_events - len(self._buffer))
            found = self._consumer.consume(room, timeout=min(left_s, 0.1))
            if any(map(Message.error, found)):
                self._on_notices(found)
                found = [message for message in found if message.error() is None]
            self._buffer += found
            n_bytes += sum(map(len, found))
        self._commit_in_groups(started_s)

    def _notice_suspension(self, now_s: float) -> None:
        """Restart the idle timers after the process itself was suspended: it read nothing in that time.

        After longer than the session timeout its partitions may also be another worker's by now.
        """
        if now_s - self._last_awake_s > self._kafka.session_timeout_ms / 1000:
            self._partitions.restart_idle_timers(now_s)
        self._last_awake_s = now_s

    def _on_notices(self, found: Sequence[Message]) -> None:
        """What came between the events: ends of partitions, and errors."""
        for message in found:
            error = message.error()
            if error is None:
                continue
            if error.code() == KafkaError._PARTITION_EOF:
                self._ended.append((place(message), offset(message)))
            else:
                self._on_error(error)

    def _on_error(self, error: KafkaError) -> None:
        if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            log.warning("a source topic is not there yet; it is read once it is", because=error.str())
            return
        problem = classify(error, self._kafka)
        if isinstance(problem, StoppedError):
            raise problem
        # librdkafka reconnects by itself; the events wait in Kafka meanwhile.
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            self._partitions.restart_idle_timers(time.monotonic())
        log.warning(problem.message, worker=self._worker)
        self._health.not_ready(problem.message)

    # Committing -------------------------------------------------------------------------------------------------------

    def _commit_in_groups(self, started_s: float) -> None:
        """Commit what was read: at once, unless a few messages hold so many events that memory would not."""
        messages, ended = self._buffer, self._ended
        self._buffer, self._ended = [], []
        *first, last = groups_of(messages)
        for group in first:
            if not self._commit_or_roll_back(messages[group], [], started_s, messages[group.stop :]):
                return
        self._commit_or_roll_back(messages[last], ended, started_s)

    def _commit_or_roll_back(
        self,
        messages: Sequence[Message],
        ended: Sequence[tuple[tuple[str, int], int]],
        started_s: float,
        rest: Sequence[Message] = (),
    ) -> bool:
        """Commit some messages; `ended` are the ends of partitions that were reached with them.

        False if that was rolled back: then the `rest`, which was read after them, is read again too.
        """
        self._health.turned()
        now_s = time.monotonic()
        self._notice_suspension(now_s)
        places = places_of(messages)
        for key, first, last in zip(places.partitions, places.first.tolist(), places.last.tolist(), strict=True):
            self._partitions.read(key, first, last)
        for key, end in ended:
            self._partitions.reached_end(key, end)
        if not len(self._partitions):
            self._stand_by()
            return True
        if not self._n_partitions:
            self._count_partitions()
        decoded = self._decode(messages, int(time.time() * 1000))
        for key, event_ms in places.latest(decoded.batches):
            self._partitions.saw(key, event_ms, now_s)
        self._partitions.find_idle(now_s)
        # Clocks are believed, so they are sent only with an offset: by that Kafka tells whether the partitions are
        # still this worker's. One that has shown nothing yet, not even its end, soon will.
        if not (self._partitions.changed() and self._partitions.to_commit()):
            export_lag(self._consumer, "ingest")
            self._health.ready()
            return True
        deltas = self._sketch(decoded)
        try:
            self._commit(deltas, decoded, messages)
        except KafkaException as error:
            self._roll_back(error, rest)
            return False
        self._partitions.committed()
        self._rollbacks = 0
        telemetry.COMMIT_SECONDS.labels("ingest").observe(time.monotonic() - started_s)
        for batch in decoded.batches:
            telemetry.EVENTS.labels(batch.model).inc(batch.n)
        for reject in decoded.rejects:
            telemetry.REJECTS.labels(reject.model, reject.reason).inc()
        export_lag(self._consumer, "ingest")
        self._health.ready()
        return True

    def _stand_by(self) -> None:
        """A worker to whom no partition is left commits nothing that would show that the broker is back: ask."""
        if self._in_group and self._health.not_ready_because:
            with contextlib.suppress(KafkaException):
                self._consumer.list_topics(timeout=1)
                self._health.ready()

    def _sketch(self, decoded: Decoded) -> list[Delta]:
        return [
            delta
            for batch in decoded.batches
            for delta in deltas_of(batch, self._references[batch.model], self._pane_ms[batch.model])
        ]

    def _commit(self, deltas: Sequence[Delta], decoded: Decoded, messages: Sequence[Message]) -> None:
        self._producer.begin_transaction()
        for outgoing in sketch_messages(self._kafka, deltas, self._partitions, self._n_partitions):
            produce(self._producer, outgoing)
        for outgoing in reject_messages(self._kafka, decoded.rejects, messages):
            produce(self._producer, outgoing)
        offsets = [
            TopicPartition(topic, number, next_) for (topic, number), next_ in self._partitions.to_commit().items()
        ]
        self._producer.send_offsets_to_transaction(offsets, self._consumer.consumer_group_metadata(), 30)
        self._producer.commit_transaction(60)

    def _roll_back(self, error: KafkaException, rest: Sequence[Message]) -> None:
        """Undo the transaction and read its events again. What cannot be undone ends this process instead."""
        kafka_error = error.args[0]
        telemetry.COMMIT_FAILURES.labels("ingest").inc()
        problem: DriftlineError = classify(error, self._kafka)
        self._health.not_ready(problem.message)
        if isinstance(problem, StoppedError):
            raise problem from error
        if not (isinstance(kafka_error, KafkaError) and kafka_error.txn_requires_abort()):
            # Not known whether it was committed: a new process with this transactional id finds out, and goes on from
            # the committed offsets.
            raise problem from error
        log.warning("commit rolled back, its events are read again", worker=self._worker, because=kafka_error.str())
        self._producer.abort_transaction(30)
        self._pause(min(MAX_PAUSE_S, 0.25 * 2.0 ** min(self._rollbacks, 10)))
        self._rollbacks += 1
        seek_to_committed(self._consumer, self._partitions.rolled_back(time.monotonic(), places_of(rest).partitions))

    def _pause(self, seconds: float) -> None:
        """Wait before the events are read again. Between steps, so that a signal is heard."""
        until_s = time.monotonic() + seconds
        while not self._stopping and time.monotonic() < until_s:
            time.sleep(0.05)
