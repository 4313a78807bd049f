"""Ingest: read events, decode, sketch, and commit deltas, rejects and offsets in one Kafka transaction.

The shell round `monitor.sketching.ingest_step`, which decides what a commit holds. A turn reads until a batch is full,
`commit_interval` is over or nothing more is waiting; then all that the step makes of it goes into one transaction: the
deltas (to the partition of each model), this worker's clocks (to *every* partition of `drift.sketches`, after the
deltas), the rejects, and the consumer's offsets. A crash anywhere before the commit rolls all of it back, and the
events are read again. The role keeps no state.
"""

import contextlib
import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from monitor import telemetry
from monitor.config.schema import Kafka
from monitor.errors import DriftlineError, StoppedError, Unavailable
from monitor.eventtime.partitions import SourcePartition
from monitor.kafka.clients import built, classify, consumer_settings
from monitor.kafka.groups import groups_of
from monitor.kafka.lag import Lag
from monitor.kafka.messages import offset, place, received_of
from monitor.kafka.progress import seek_to_committed
from monitor.kafka.transactions import Transactions
from monitor.kafka.waiting import StopRequest, sliced
from monitor.process.garbage import gc_paused
from monitor.process.health import Health
from monitor.roles.losses_said import LEVELS, LossesSaid
from monitor.sketching.ingest_step import Commit, End, Grids, IngestStep, Now
from monitor.sketching.own_topics import REJECTS
from monitor.sketching.received import Received
from sinks.retry import Backoff

log = structlog.get_logger()

# One commit reads at most this much, so that memory stays bounded whatever a message holds.
MAX_BATCH_BYTES = 64 * 1024 * 1024
# Nothing more is waiting when nothing has come for so long; then what there is is committed before `commit_interval` is
# over. But not sooner than this after the commit before: each costs the brokers and `evaluate` the same, however small.
QUIET_S = 0.03
MIN_INTERVAL_S = 0.1
# Pauses after commits that were rolled back one after the other.
BACKOFF = Backoff(first_s=0.25, most_s=15.0)
# librdkafka hands over at most this many at once, so that the byte bound is checked often enough.
_SLICE = 1_000


class Ingest:
    """One ingest worker.

    Parameters
    ----------
    kafka
        The configuration's `kafka` section.
    step
        Decides what a commit holds; see `monitor.wiring`.
    worker
        This worker's name, unique among ingest workers and the same after a restart: its transactional id, by which a
        new process of that name cuts off the old one.
    renewed
        By the monotonic clock in seconds: what depends on references, where one has taken over since.
    make_consumer, make_producer
        Build the clients from their settings.

    Attributes
    ----------
    lag
        What this worker has not read, for `BrokerWatch` to tell.
    """

    def __init__(
        self,
        kafka: Kafka,
        step: IngestStep,
        *,
        worker: str,
        health: Health,
        renewed: Callable[[float], Grids | None] = lambda _now_s: None,
        make_consumer: Callable[[dict[str, Any]], Consumer] = Consumer,
        make_producer: Callable[[dict[str, Any]], Producer] = Producer,
    ) -> None:
        self.lag = Lag(kafka, "ingest", f"{kafka.consumer_group}-ingest", health)
        self._kafka = kafka
        self._step = step
        self._health = health
        self._worker = worker
        self._renewed = renewed
        self._make_consumer = make_consumer
        self._make_producer = make_producer
        self._sources = list(step.sources)
        self._buffer: list[Message] = []
        self._ends: list[End] = []
        self._counted = False  # the partitions of the source topics, since the last assignment
        self._last_commit_s = 0.0
        self._rollbacks = 0
        self._in_group = False
        self._stop = StopRequest()
        self._losses = LossesSaid()

    def stop(self) -> None:
        """Finish the batch in hand, commit it, and return from `run`. Safe in a signal handler."""
        self._stop.ask()

    def run(self) -> None:
        """Read and commit until stopped. Raises `StoppedError` or `Unavailable` when it cannot go on by itself."""
        name = f"{self._kafka.consumer_group}-ingest-{self._worker}"
        self._transactions = Transactions(self._kafka, name, self._stop, self._make_producer)
        reading = {**consumer_settings(self._kafka, "ingest", instance=name), "enable.partition.eof": True}
        self._consumer = built(self._make_consumer, reading, self._kafka)
        try:
            self._transactions.start()
            # A topic that is not there yet is joined when it appears.
            self._consumer.subscribe(self._sources, on_assign=self._on_assign, on_revoke=self._on_revoke)
            while not self._stop:
                with gc_paused():
                    self._turn()
            if self._buffer:
                self._commit_in_groups(time.monotonic())
        except (KafkaException, Unavailable) as error:
            problem = error if isinstance(error, Unavailable) else classify(error, self._kafka)
            if not self._stop or isinstance(problem, StoppedError):
                raise problem from error
            log.warning("stopped without the broker's answer; what was in hand is read again", because=str(problem))
        finally:
            self._say_losses(last=True)
            self._consumer.close()

    # Reading ----------------------------------------------------------------------------------------------------------

    def _on_assign(self, _consumer: Consumer, assigned: list[TopicPartition]) -> None:
        # Nothing of the client may be called here: such a call ends the process when the same call of `consume` runs
        # another callback (confluent-kafka 2.16, `CallState_get: Assertion`).
        self._step.assign([(p.topic, p.partition) for p in assigned], time.monotonic())
        self.lag.note(self._step.done)
        self._counted = False
        self._in_group = True
        log.info("partitions assigned", worker=self._worker, n=len(assigned))
        self._health.ready()

    def _on_revoke(self, _consumer: Consumer, _revoked: list[TopicPartition]) -> None:
        # Nothing of the buffer is committed; whoever reads these partitions next starts at the last commit.
        self._buffer.clear()
        self._ends.clear()
        self._step.assign([], time.monotonic())
        self.lag.note({})
        self._in_group = False
        self._health.not_ready("partitions revoked")

    def _turn(self) -> None:
        """Fill one batch, then commit it."""
        started_s = time.monotonic()
        deadline_s = started_s + self._kafka.commit_interval_ms / 1000
        n_bytes = 0
        while not self._stop and len(self._buffer) < self._kafka.batch_events and n_bytes < MAX_BATCH_BYTES:
            now_s = time.monotonic()
            self._step.awake(now_s)
            left_s = deadline_s - now_s
            if left_s <= 0:
                break
            if self._buffer:
                room = min(_SLICE, self._kafka.batch_events - len(self._buffer))
                found = self._consumer.consume(room, timeout=min(left_s, QUIET_S))
                if not found and now_s - self._last_commit_s >= MIN_INTERVAL_S and not self._more_waits():
                    break
            else:  # the first one: more would be waited for
                found = self._consumer.consume(1, timeout=min(left_s, 0.1))
            if any(map(Message.error, found)):
                self._on_notices(found)
                found = [message for message in found if message.error() is None]
            self._buffer += found
            n_bytes += sum(map(len, found))
        self._commit_in_groups(started_s)

    def _more_waits(self) -> bool:
        """Whether a partition is known to hold more than was read: then a pause is the broker's, not the stream's."""
        ends = self._seen_ends()
        return any(
            0 <= one.offset < ends.get((one.topic, one.partition), 0)
            for one in self._consumer.position(self._consumer.assignment())
        )

    def _seen_ends(self) -> Mapping[SourcePartition, int]:
        """The ends that the broker named when it sent messages; this asks nobody."""
        return {
            (one.topic, one.partition): self._consumer.get_watermark_offsets(one, cached=True)[1]
            for one in self._consumer.assignment()
        }

    def _on_notices(self, found: Sequence[Message]) -> None:
        """What came between the events: ends of partitions, and errors."""
        for message in found:
            error = message.error()
            if error is None:
                continue
            if error.code() == KafkaError._PARTITION_EOF:
                self._ends.append(End(place(message), offset(message)))
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
            self._step.heard_nothing(time.monotonic())
        log.warning(problem.message, worker=self._worker)
        self._health.not_ready(problem.message)

    # Committing -------------------------------------------------------------------------------------------------------

    def _commit_in_groups(self, started_s: float) -> None:
        """Commit what was read: at once, unless a few messages hold so many events that memory would not."""
        received, ends = received_of(self._buffer), self._ends
        self._buffer, self._ends = [], []
        grids = self._renewed(time.monotonic())
        if grids is not None:
            self._step.renew(grids)
        *first, last = groups_of(received.values)
        for group in first:
            if not self._take(received.part(group), [], started_s, received.part(slice(group.stop, None))):
                return
        self._take(received.part(last), ends, started_s)

    def _take(self, received: Received, ends: Sequence[End], started_s: float, rest: Received | None = None) -> bool:
        """Commit some messages, and the ends of partitions that were reached with them.

        False if that was rolled back: then the `rest`, which was read after them, is read again too.
        """
        self._health.turned()
        if not self._step.assigned:
            self._stand_by()
            return True
        if not self._counted:
            self._count_partitions()
        commit = self._step.take(received, ends, Now(time.monotonic(), int(time.time() * 1000)))
        if commit is not None:
            self._last_commit_s = time.monotonic()
            try:
                self._transactions.commit(commit, self._consumer.consumer_group_metadata())
            except KafkaException as error:
                self._roll_back(error, () if rest is None else [partition for partition, *_ in rest.spans()])
                return False
            self._step.committed()
            self._rollbacks = 0
            self._count(commit, started_s)
        self._say_losses()
        self.lag.note(self._step.done, self._seen_ends())
        self._health.ready()
        return True

    def _count_partitions(self) -> None:
        """How many partitions there are to wait for: new ones come with a new assignment."""
        there = sliced(lambda timeout_s: self._consumer.list_topics(timeout=timeout_s), 10.0, self._stop).topics
        self._step.expect({topic: len(there[topic].partitions) for topic in self._sources if topic in there})
        self._counted = True

    def _count(self, commit: Commit, started_s: float) -> None:
        telemetry.COMMIT_SECONDS.labels("ingest").observe(time.monotonic() - started_s)
        for model, n in commit.n_events.items():
            telemetry.EVENTS.labels(model).inc(n)
        for (model, reason), n in commit.n_rejects.items():
            telemetry.REJECTS.labels(model, reason).inc(n)
        where = f"events rejected; they lie whole on {self._kafka.own_topic(REJECTS)}"
        for (model, reason), n in commit.n_rejects.items():
            self._losses.add(where, n, commit.reject_examples[model, reason], model=model, reason=reason)

    def _say_losses(self, *, last: bool = False) -> None:
        for line in self._losses.due(time.monotonic(), last=last):
            log.log(LEVELS[line.level], line.text, worker=self._worker, **line.fields)

    def _stand_by(self) -> None:
        """A worker to whom no partition is left commits nothing that would show that the broker is back: ask."""
        if self._in_group and self._health.not_ready_because:
            with contextlib.suppress(KafkaException):
                self._consumer.list_topics(timeout=1)
                self._health.ready()

    def _roll_back(self, error: KafkaException, unread: Sequence[SourcePartition]) -> None:
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
        self._transactions.roll_back()
        self._stop.pause(BACKOFF.pause_s(self._rollbacks, random.random()))  # noqa: S311 - jitter, no secret
        self._rollbacks += 1
        seek_to_committed(self._consumer, self._step.rolled_back(time.monotonic(), unread), self._stop)
