"""Deliver: one destination, fed from Driftline's own topics by a consumer group of its own.

Flush, then commit: rows are written before their offsets are committed, and writing a row again changes nothing, so a
crash between the two costs a repetition. While the destination is out of reach the partitions are paused and Kafka
keeps the rows; nothing is dropped, and no other destination waits.
"""

import time
from collections import Counter
from collections.abc import Sequence

import pyarrow as pa
import structlog
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from monitor import telemetry
from monitor.config.schema import Kafka
from monitor.errors import StoppedError
from monitor.kafka import topics
from monitor.kafka.clients import built, classify, consumer_settings
from monitor.kafka.messages import headers, offset, place
from monitor.kafka.progress import export_lag, forget_lag
from monitor.process.garbage import gc_paused
from monitor.process.health import Health
from sinks.destination import Destination, Written
from sinks.errors import BadRecord, NewerRecord, SinkRejected, SinkUnavailable
from sinks.records import decode, decode_reject, record_of, rejects_batch

log = structlog.get_logger()

# A write takes rows of at most so many message bytes: they are several times that as Python objects.
MAX_BATCH_BYTES = 16 * 1024 * 1024
MAX_BACKOFF_S = 15.0


class Deliver:
    """Writes results and rejects to one sink.

    Parameters
    ----------
    name
        The destination's name: its consumer group, and its label in metrics.
    batch_rows, batch_interval_s
        A write happens when so many rows are waiting, or the oldest has waited so long.
    first_rows
        Written once at the start: the references, without which profiles mean nothing in SQL.
    """

    def __init__(
        self,
        kafka: Kafka,
        sink: Destination,
        *,
        name: str,
        batch_rows: int,
        batch_interval_s: float,
        health: Health,
        worker: str,
        first_rows: Sequence[pa.RecordBatch] = (),
    ) -> None:
        self._first_rows = first_rows
        self._kafka = kafka
        self._sink = sink
        self._name = name
        self._role = f"deliver-{name}"
        self._batch_rows = batch_rows
        self._batch_interval_s = batch_interval_s
        self._health = health
        self._worker = worker
        self._stopping = False
        self._rows: list[pa.RecordBatch] = []
        self._offsets: dict[tuple[str, int], int] = {}
        self._first_offsets: dict[tuple[str, int], int] = {}  # of the messages in hand
        self._taken_s = 0.0  # when the first of them was taken

    def stop(self) -> None:
        """Write what is in hand, commit it, and return from `run`. Safe in a signal handler."""
        self._stopping = True

    def run(self) -> None:
        """Read, write and commit until stopped."""
        group = f"deliver-{self._name}"
        instance = f"{self._kafka.consumer_group}-{group}-{self._worker}"
        self._consumer = built(Consumer, consumer_settings(self._kafka, group, instance=instance), self._kafka)
        try:
            self._set_up_sink()
            own = [self._kafka.own_topic(name) for name in (topics.RESULTS, topics.REJECTS)]
            self._consumer.subscribe(own, on_assign=self._on_assign, on_revoke=self._on_revoke)
            while not self._stopping:
                self._turn()
        except KafkaException as error:
            raise classify(error, self._kafka) from error
        finally:
            self._consumer.close()
            self._sink.close()

    def _set_up_sink(self) -> None:
        while not self._stopping:
            try:
                self._sink.setup()
                self._sink.write(self._first_rows)
                return
            except SinkUnavailable as error:
                self._wait(error, polling=False)
            except SinkRejected as error:
                raise StoppedError(f"{self._name}: {error}") from error

    def _on_assign(self, _consumer: Consumer, assigned: list[TopicPartition]) -> None:
        log.info("partitions assigned", destination=self._name, n=len(assigned))
        self._health.ready()

    def _on_revoke(self, consumer: Consumer, revoked: list[TopicPartition]) -> None:
        # Not committed, so whoever reads these partitions next writes the rows (again).
        self._let_go()
        forget_lag(self._role, revoked)
        # librdkafka would remember that they were paused, and read nothing of those that come back.
        consumer.resume(revoked)

    def _turn(self) -> None:
        """Gather rows for one write, write them, commit."""
        with gc_paused():
            self._gather()
        self._health.turned()
        if self._rows and not self._write(self._rows):
            return
        if self._offsets:
            self._commit()

    def _gather(self) -> None:
        deadline_s = time.monotonic() + self._batch_interval_s
        n_bytes = 0
        while (
            not self._stopping
            and sum(batch.num_rows for batch in self._rows) < self._batch_rows
            and n_bytes < MAX_BATCH_BYTES
        ):
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                break
            # One at a time: a single message may hold thousands of rows.
            message = self._consumer.poll(min(left_s, 0.25))
            if message is not None:
                n_bytes += self._take(message)

    def _take(self, message: Message) -> int:
        """Take the rows of a message into hand; returns its bytes. An error that needs a person is raised."""
        error = message.error()
        if error is None:
            self._taken_s = self._taken_s or time.monotonic()
            self._rows += self._read(message)
            self._first_offsets.setdefault(place(message), offset(message))
            self._offsets[place(message)] = offset(message) + 1
            return len(message)
        problem = classify(error, self._kafka)
        if isinstance(problem, StoppedError):
            raise problem
        log.warning(str(problem), destination=self._name)
        return 0

    def _read(self, message: Message) -> Sequence[pa.RecordBatch]:
        try:
            if message.topic() == self._kafka.own_topic(topics.REJECTS):
                return [rejects_batch([decode_reject(headers(message), message.value())])]
            return [decode(message.value() or b"")]
        except NewerRecord as error:
            raise StoppedError(
                f"{message.topic()}/{message.partition()} at {message.offset()}: {error}",
                hint="upgrade this worker; the message stays unread",
            ) from error
        except BadRecord as error:
            telemetry.BAD_MESSAGES.labels(message.topic()).inc()
            telemetry.SINK_ERRORS.labels(self._name, "bad_record").inc()
            log.error(
                "a message of our own cannot be read and is left out", offset=message.offset(), because=str(error)
            )
            return []

    def _write(self, rows: Sequence[pa.RecordBatch]) -> bool:
        """Write `rows`, waiting as long as the destination is out of reach. False: they are not ours any more."""
        tries = 0
        while rows is self._rows:  # a rebalance while waiting takes them away
            try:
                with gc_paused():
                    written = self._sink.write(rows)
                self._count(rows, written)
                if written.because is None:
                    self._health.ready()
                    return True
                rows = self._rows = list(written.left)
                raise written.because
            except SinkUnavailable as error:
                telemetry.SINK_ERRORS.labels(self._name, "unavailable").inc()
                if self._stopping:
                    return False
                self._wait(error, tries=tries)
                tries += 1
            except SinkRejected as error:
                telemetry.SINK_ERRORS.labels(self._name, "rejected").inc()
                raise StoppedError(f"{self._name}: {error}") from error
        return False

    def _count(self, rows: Sequence[pa.RecordBatch], written: Written) -> None:
        """Tell what was accepted, and what never can be."""
        n: Counter[str] = Counter()
        for batch in rows:
            n[record_of(batch).name] += batch.num_rows
        for batch in (*written.left, *(dropped.rows for dropped in written.dropped)):
            n[record_of(batch).name] -= batch.num_rows
        for record, accepted in n.items():
            telemetry.SINK_ROWS.labels(self._name, record).inc(accepted)
        for dropped in written.dropped:
            telemetry.SINK_ERRORS.labels(self._name, "bad_record").inc(dropped.rows.num_rows)
            table = record_of(dropped.rows).table
            log.error("rows break the output contract and are left out", table=table, because=dropped.reason)

    def _wait(self, error: SinkUnavailable, *, polling: bool = True, tries: int = 0) -> None:
        """Wait before the next try, and stay in the consumer group while doing so. A rebalance ends the waiting."""
        seconds = min(MAX_BACKOFF_S, error.retry_after_s * 2.0 ** min(tries, 10))
        log.warning("the destination is out of reach; rows wait in Kafka", destination=self._name, because=str(error))
        self._health.not_ready(f"{self._name} is out of reach: {error}")
        assigned = self._consumer.assignment() if polling else []
        if assigned:
            self._consumer.pause(assigned)
            export_lag(self._consumer, self._role, self._first_offsets, ask=True)
        until_s = time.monotonic() + seconds
        in_hand = self._rows
        while not self._stopping and time.monotonic() < until_s and self._rows is in_hand:
            if polling:
                # What was assigned is paused, so this only keeps the membership and runs rebalances. What a rebalance
                # brings is not paused: its first message may come with it, and must not be lost.
                message = self._consumer.poll(0.25)
                if message is not None:
                    self._take(message)
            else:
                time.sleep(0.25)
            self._health.turned()
        still = self._consumer.assignment() if polling else []
        if still:
            self._consumer.resume(still)

    def _commit(self) -> None:
        offsets = [TopicPartition(topic, number, offset) for (topic, number), offset in self._offsets.items()]
        self._consumer.commit(offsets=offsets, asynchronous=False)
        telemetry.COMMIT_SECONDS.labels(self._role).observe(time.monotonic() - self._taken_s)
        self._let_go()
        export_lag(self._consumer, self._role)

    def _let_go(self) -> None:
        self._rows, self._offsets, self._first_offsets, self._taken_s = [], {}, {}, 0.0
