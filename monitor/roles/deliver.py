"""Deliver: one destination, fed from Driftline's own topics by a consumer group of its own.

The shell round `monitor.delivery.step`. Flush, then commit: rows are written before their offsets are committed, and
writing a row again changes nothing, so a crash between the two costs a repetition. While the destination is out of
reach the partitions are paused and Kafka keeps the rows; nothing is dropped, and no other destination waits.
"""

import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import pyarrow as pa
import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from monitor import telemetry
from monitor.config.schema import Kafka
from monitor.delivery.reading import OwnMessage, Unread
from monitor.delivery.step import CommitOffsets, DeliverStep, GiveUp, Stop, Write
from monitor.errors import DriftlineError, StoppedError
from monitor.kafka import topics
from monitor.kafka.clients import built, classify, consumer_settings
from monitor.kafka.lag import Lag
from monitor.kafka.messages import headers, offset, place
from monitor.kafka.waiting import StopRequest
from monitor.process.garbage import gc_paused
from monitor.process.health import Health
from monitor.roles.audit import Audit
from monitor.roles.losses_said import LEVELS, LossesSaid
from monitor.roles.outbox import Outbox
from monitor.roles.undelivered import undelivered
from sinks.destination import Destination, Dropped, Written
from sinks.errors import SinkRejected, SinkUnavailable
from sinks.records import record_of
from sinks.retry import Backoff
from sinks.settings import DestinationSettings

log = structlog.get_logger()

# Nothing more is waiting when nothing has come for so long.
QUIET_S: Final = 0.02
# Python hears a signal between two calls of the client only.
LONGEST_WAIT_S: Final = 0.25
# Messages of our own that wait for the next commit, at most.
MOST_WAITING: Final = 100
# librdkafka hands over at most this many messages at once; each may hold thousands of rows.
_SLICE: Final = 200


class Deliver:
    """Writes results and rejects to one destination.

    Parameters
    ----------
    name
        The destination's name: its consumer group, and its label in metrics.
    worker
        This worker's name, unique among those of the destination and the same after a restart.
    first
        Written once at the start: the references, without which profiles mean nothing in SQL.
    renewed
        By the monotonic clock in seconds: the same, where a reference has been replaced since.

    Attributes
    ----------
    lag
        What this worker has not written, for `BrokerWatch` to tell.
    """

    def __init__(
        self,
        kafka: Kafka,
        destination: Destination,
        settings: DestinationSettings,
        *,
        name: str,
        health: Health,
        worker: str,
        first: Sequence[pa.RecordBatch] = (),
        renewed: Callable[[float], Sequence[pa.RecordBatch]] | None = None,
    ) -> None:
        self._kafka = kafka
        self._destination = destination
        self._name = name
        self._role = f"deliver-{name}"
        self._health = health
        self._worker = worker
        self._step = DeliverStep(
            destination.takes,
            batch_rows=settings.batch_rows,
            batch_interval_s=settings.batch_interval_ms / 1000,
            backoff=Backoff(most_s=settings.max_retry_wait_ms / 1000),
            retry_window_s=settings.retry_window_ms / 1000 if settings.retry_window_ms else None,
            first=first,
        )
        self._renewed = renewed
        self._gives_up = settings.retry_window_ms > 0
        self._outbox = Outbox(kafka)
        self._audit = Audit(kafka, name)
        self.lag = Lag(kafka, self._role, f"{kafka.consumer_group}-{self._role}", health)
        self._stop = StopRequest()
        self._in_group = False
        self._reassigned = False
        self._paused = False
        self._connected = False
        for record in destination.takes:
            telemetry.SINK_ROWS.labels(name, record)  # 0 now: see `telemetry.begin_at_zero`
        self._sent: deque[tuple[CommitOffsets, float | None]] = deque()  # commits that the broker has not answered
        self._failure: DriftlineError | None = None
        self._losses = LossesSaid()

    def stop(self) -> None:
        """Write what is in hand, commit it, and return from `run`. Safe in a signal handler."""
        self._stop.ask()

    def run(self) -> None:
        """Read, write and commit until stopped. Raises `StoppedError` when it cannot go on by itself."""
        instance = f"{self._kafka.consumer_group}-{self._role}-{self._worker}"
        settings = {
            **consumer_settings(self._kafka, self._role, instance=instance),
            "enable.partition.eof": True,
            "on_commit": self._on_commit,
        }
        self._consumer = built(Consumer, settings, self._kafka)
        own = [self._kafka.own_topic(name) for name in (topics.RESULTS, topics.REJECTS)]
        try:
            self._consumer.subscribe(own, on_assign=self._on_assign, on_revoke=self._on_revoke)
            while not self._stop:
                with gc_paused():
                    self._turn()
            self._finish()
            self._outbox.settle()
        except KafkaException as error:
            raise classify(error, self._kafka) from error
        except SinkRejected as error:
            telemetry.SINK_ERRORS.labels(self._name, "rejected").inc()
            raise StoppedError(f"{self._name}: {error}") from error
        finally:
            self._say_losses(last=True)
            # To close would wait for the answer to a commit, a minute if the broker is frozen. A static member does not
            # leave its group by closing, so that nothing is lost by leaving it out.
            if not self._sent:
                self._consumer.close()
            self._destination.close()

    # Reading ----------------------------------------------------------------------------------------------------------

    def _on_assign(self, _consumer: Consumer, assigned: list[TopicPartition]) -> None:
        # Nothing of the client may be called here: such a call ends the process when the same call of `consume` runs
        # another callback (confluent-kafka 2.16, `CallState_get: Assertion`).
        self._step.assign([(p.topic, p.partition) for p in assigned])
        self.lag.note(dict(self._step.done))
        self._in_group = self._reassigned = True
        log.info("partitions assigned", destination=self._name, n=len(assigned))

    def _on_revoke(self, _consumer: Consumer, _revoked: list[TopicPartition]) -> None:
        # Not committed, so whoever reads these partitions next writes the rows (again).
        self._step.assign([])
        self.lag.note({})
        self._in_group = False

    def _turn(self) -> None:
        """Read what there is, then do what the step says."""
        now_s = time.monotonic()
        quiet = True
        if self._renewed is not None and (rows := self._renewed(now_s)):
            self._step.renew(rows)
        if self._step.has_room or self._step.obstacle:
            # A rebalance may bring messages although all was paused: they must not be lost.
            found = self._consumer.consume(1, timeout=self._patience_s(now_s))
            if found:  # asked for many, it would wait until they are there
                found += self._consumer.consume(_SLICE, timeout=0)
            quiet = not self._take(found)
        self._steer()
        self._act(quiet=quiet)
        self._tell()

    def _tell(self) -> None:
        """Say how it stands."""
        self._say_losses()
        if self._step.obstacle:
            self._health.not_ready(f"{self._name} is out of reach: {self._step.obstacle}")
        elif not self._in_group:
            self._health.not_ready("waiting for partitions")
        else:
            self._health.ready()
        self.lag.note(dict(self._step.done))

    def _patience_s(self, now_s: float) -> float:
        wait_s = self._step.wait_s(now_s)
        if self._step.in_hand and not self._step.obstacle:
            wait_s = max(QUIET_S, wait_s)
        return min(LONGEST_WAIT_S, wait_s)

    def _take(self, found: Sequence[Message]) -> bool:
        """Take what was read into hand; False if that was no message."""
        messages = [self._own(message) for message in found if message.error() is None]
        if messages:
            for corrupt in self._step.take(messages, time.monotonic()).corrupt:
                self._leave_out(corrupt)
        for message in found:
            error = message.error()
            if error is not None and error.code() == KafkaError._PARTITION_EOF:
                self._step.reached_end(place(message), offset(message))
            elif error is not None:
                self._on_error(error)
        return bool(messages)

    def _own(self, message: Message) -> OwnMessage:
        is_reject = message.topic() == self._kafka.own_topic(topics.REJECTS)
        return OwnMessage(
            partition=place(message),
            offset=offset(message),
            body=message.value() or b"",
            is_reject=is_reject,
            headers=headers(message) if is_reject else (),
        )

    def _on_error(self, error: KafkaError) -> None:
        problem = classify(error, self._kafka)
        if isinstance(problem, StoppedError):
            raise problem
        log.warning(str(problem), destination=self._name)

    def _say_losses(self, *, last: bool = False) -> None:
        for line in self._losses.due(time.monotonic(), last=last):
            log.log(LEVELS[line.level], line.text, destination=self._name, **line.fields)

    def _leave_out(self, problem: Unread) -> None:
        telemetry.BAD_MESSAGES.labels(problem.message.partition[0]).inc()
        telemetry.SINK_ERRORS.labels(self._name, "bad_record").inc()
        topic, partition = problem.message.partition
        example = f"partition {partition}, offset {problem.message.offset}: {problem.because}"
        self._losses.add("messages of our own cannot be read and are left out", 1, example, level="error", topic=topic)

    def _steer(self) -> None:
        """Read from all partitions, or from none while the destination is out of reach."""
        pause = bool(self._step.obstacle)
        if self._reassigned or pause is not self._paused:
            # Partitions that were paused when they were lost are paused when they come back.
            assigned = self._consumer.assignment()
            (self._consumer.pause if pause else self._consumer.resume)(assigned)
            self._reassigned, self._paused = False, pause

    # Writing and committing -------------------------------------------------------------------------------------------

    def _act(self, *, quiet: bool) -> None:
        if self._failure is not None:
            raise self._failure
        while (action := self._step.next(time.monotonic(), quiet=quiet)) is not None:
            if isinstance(action, Stop):
                raise StoppedError(
                    f"a later release wrote {action.because}", hint="upgrade this worker; the message stays unread"
                )
            if isinstance(action, CommitOffsets):
                if self._sent or not self._outbox.settle():
                    return  # one at a time
                self._commit(action)
            elif isinstance(action, GiveUp):
                self._give_up(action)
            elif not self._write(action):
                return

    def _write(self, write: Write) -> bool:
        """Write; False when something was not accepted and waits for its next try."""
        try:
            if not self._connected or not write.batches:
                self._destination.setup()
                self._connected = True
            written = self._destination.write(write.batches) if write.batches else Written()
        except SinkUnavailable as error:
            self._step.refused(error, time.monotonic(), _chance())
        else:
            accepted = self._step.wrote(write, written, time.monotonic(), _chance())
            for record, n in accepted.items():
                telemetry.SINK_ROWS.labels(self._name, record).inc(n)
            for dropped in written.dropped:
                self._drop(dropped)
            for message in self._audit.rows(written.attempts):
                self._outbox.put(message)
            if len(self._outbox) > MOST_WAITING:
                self._outbox.settle()  # of one that is down for long, attempts go out before anything is committed
        if not self._step.obstacle:
            return True
        telemetry.SINK_ERRORS.labels(self._name, "unavailable").inc()
        log.warning(
            "the destination is out of reach; rows wait in Kafka", destination=self._name, because=self._step.obstacle
        )
        return False

    def _give_up(self, action: GiveUp) -> None:
        for rows in action.batches:
            self._put_aside(rows, action.because)
        self._step.gave_up()

    def _put_aside(self, rows: pa.RecordBatch, because: str) -> None:
        """To `drift.undelivered`, before the offsets of these rows are committed."""
        topic = self._kafka.own_topic(topics.UNDELIVERED)
        telemetry.UNDELIVERED.labels(self._name).inc(rows.num_rows)
        text = f"not delivered; the rows are in {topic}"
        self._losses.add(text, rows.num_rows, because, level="error", record=record_of(rows).name)
        self._outbox.put(undelivered(topic, self._name, rows, because))

    def _drop(self, dropped: Dropped) -> None:
        telemetry.SINK_ERRORS.labels(self._name, "bad_record").inc(dropped.rows.num_rows)
        if self._gives_up:
            self._put_aside(dropped.rows, dropped.reason)
            return
        # A destination that tries for ever drops only what breaks the contract: that is told, and lies nowhere else.
        text, n = "rows that the destination can never take are left out", dropped.rows.num_rows
        self._losses.add(text, n, dropped.reason, level="error", record=record_of(dropped.rows).name)

    def _commit(self, commit: CommitOffsets) -> None:
        offsets = [TopicPartition(topic, number, at) for (topic, number), at in commit.offsets.items()]
        self._sent.append((commit, self._step.committing(commit)))
        # Asynchronously, for the call would not return while a broker is frozen; `_on_commit` has the answer.
        self._consumer.commit(offsets=offsets, asynchronous=True)

    def _on_commit(self, error: KafkaError | None, _offsets: Sequence[TopicPartition]) -> None:
        if not self._sent:
            return
        commit, oldest_s = self._sent.popleft()
        now_s = time.monotonic()
        if error is None:
            telemetry.COMMIT_SECONDS.labels(self._role).observe(now_s - (now_s if oldest_s is None else oldest_s))
            return
        problem = classify(error, self._kafka)
        if isinstance(problem, StoppedError):
            self._failure = problem  # raised outside of the client's call
            return
        # A rebalance came first, or the broker is away: the rows are written, and at worst written again.
        telemetry.COMMIT_FAILURES.labels(self._role).inc()
        log.info("offsets are not committed yet", destination=self._name, because=error.str())
        self._step.commit_failed(commit, now_s)

    def _finish(self) -> None:
        """Write what is in hand, once, and see it committed, as long as there is time for it."""
        self._consumer.pause(self._consumer.assignment())
        while self._stop.left_s() > 0:
            action = self._step.next(time.monotonic(), quiet=True)
            if isinstance(action, Write) and not (action.batches and self._write(action)):
                return
            if isinstance(action, GiveUp):
                self._give_up(action)
            if isinstance(action, CommitOffsets) and not self._sent:
                if not self._outbox.settle():
                    return
                self._commit(action)
            if not (self._sent or self._step.in_hand) or isinstance(action, Stop) or self._step.obstacle:
                return
            self._consumer.consume(1, timeout=0.05)  # runs `_on_commit`; what it may read is not committed


def _chance() -> float:
    return random.random()  # noqa: S311 - jitter, no secret
