"""The score role: a Faust app around the pure evaluator, with its state in RocksDB and a changelog topic.

Faust runs at least once: a table write and an offset commit are not atomic, and it acknowledges before a batch is
flushed. So messages are taken one by one without automatic acknowledgement, and for each the order is the one that
`monitor.evaluation.evaluator` asks for: results, state, seal, acknowledgement, each waiting for the brokers' answer. A
message carries a whole commit of ingest, so three round trips a message cost little.

Crash only: an error that is not the message's own ends the process without touching the offset. The supervisor starts
it again, and it repeats what was not sealed.
"""

import asyncio
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import faust
import structlog
from faust.types import EventT, FutureMessage
from prometheus_client import Counter

from monitor import telemetry
from monitor.config.schema import Kafka
from monitor.evaluation.evaluator import Evaluator, Step
from monitor.evaluation.results import Source
from monitor.evaluation.turn import MissingReference
from monitor.health import Health
from monitor.kafka import topics
from monitor.kafka.clients import OWN_MESSAGE_BYTES
from monitor.kafka.faust_auth import credentials
from monitor.kafka.faust_recovery import OrderedTables
from monitor.kafka.faust_transport import CommittedConsumer, transport
from monitor.sketch_messages import BadSketchMessage, decode
from sinks.records import ResultBatch, encode_results

log = structlog.get_logger()

TABLE = "panes"
REFERENCE_RETRY_S = 5.0


def application_id(kafka: Kafka) -> str:
    """The Faust app's name: its consumer group, and what its changelog topic's name begins with."""
    return f"{kafka.consumer_group}-evaluate"


def changelog_topic(kafka: Kafka) -> str:
    """The topic that holds the score role's state."""
    return f"{application_id(kafka)}-{TABLE}-changelog"


def build_app(kafka: Kafka, evaluator: Evaluator, *, worker: str, state_dir: Path, health: Health) -> faust.App:
    """The Faust app.

    `worker` is unique among score workers and the same after a restart; its state lies under its name.
    """
    state = state_dir / f"evaluate-{worker}"
    state.mkdir(parents=True, exist_ok=True)
    app = faust.App(
        application_id(kafka),
        broker=[f"kafka://{server.strip()}" for server in kafka.bootstrap_servers.split(",")],
        broker_credentials=credentials(kafka.client_settings()),
        store="rocksdb://",
        datadir=str(state),
        topic_partitions=kafka.sketch_partitions,
        topic_replication_factor=kafka.replication_factor,
        web_enabled=False,
        autodiscover=False,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=f"{application_id(kafka)}-{worker}",
        consumer_max_fetch_size=OWN_MESSAGE_BYTES,
        producer_max_request_size=OWN_MESSAGE_BYTES,
        producer_compression_type="lz4",
        broker_session_timeout=kafka.session_timeout_ms / 1000,
        broker_heartbeat_interval=max(0.5, kafka.session_timeout_ms / 6000),
        broker_commit_interval=1.0,
        # The message in hand is finished before its partition is given up: two workers never write the same state.
        stream_wait_empty=True,
        TableManager=OrderedTables,
        # One message may score many windows; a watchdog that warns of slow streams is of no use here.
        stream_processing_timeout=3600.0,
    )
    app.transport = transport(app, kafka.bootstrap_servers, kafka.client_settings())
    sketches = _raw_topic(app, kafka.own_topic(topics.SKETCHES))
    results = _raw_topic(app, kafka.own_topic(topics.RESULTS))
    table = app.Table(TABLE, key_type=bytes, value_type=bytes, partitions=kafka.sketch_partitions)
    role = _Role(kafka, evaluator, cast("faust.Table[bytes, bytes]", table), results, health)

    @app.agent(sketches, name="score")
    async def score(stream: faust.StreamT[bytes]) -> None:
        async for event in cast("faust.Stream[bytes]", stream).noack().events():
            try:
                await role.take(event)
            except Exception:  # the agent's boundary: Faust would go on with the next message, past this one's counts
                log.exception("score role stops", partition=event.message.partition, offset=event.message.offset)
                os._exit(1)
            await stream.ack(event)

    @app.timer(interval=2.0)  # type: ignore[untyped-decorator]  # Faust leaves it untyped
    async def turned() -> None:
        health.turned()
        role.export_lag(app)

    @app.on_partitions_assigned.connect
    async def assigned(*_args: object, **_kwargs: object) -> None:
        health.not_ready("restoring state from its changelog")

    @app.on_rebalance_complete.connect
    async def restored(*_args: object, **_kwargs: object) -> None:
        health.ready()

    @app.on_partitions_revoked.connect
    async def revoked(*_args: object, **_kwargs: object) -> None:
        health.not_ready("partitions revoked")

    return app


def _raw_topic(app: faust.App, name: str) -> faust.TopicT:
    """A topic whose keys and values Faust leaves as they are; left to itself it decodes values as JSON."""
    return app.topic(name, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")


class _Role:
    """Carries one message at a time through the evaluator."""

    def __init__(
        self,
        kafka: Kafka,
        evaluator: Evaluator,
        table: faust.Table[bytes, bytes],
        results: faust.TopicT,
        health: Health,
    ) -> None:
        self._kafka = kafka
        self._evaluator = evaluator
        self._table = table
        self._results = results
        self._health = health

    async def take(self, event: EventT[bytes]) -> None:
        """Absorb one message. It returns when all that follows from it is durable."""
        message = event.message
        started_s = time.monotonic()
        source = Source(topic=message.topic, partition=message.partition, offset=message.offset)
        try:
            sketches = decode(message.value or b"")
        except BadSketchMessage as error:
            telemetry.BAD_MESSAGES.labels(message.topic).inc()
            log.error("a message of our own cannot be read and is left out", error=str(error), offset=message.offset)
            return
        # `_table.data` reads the store of the current event's partition (faust.stores.rocksdb.Store._get).
        while True:
            try:
                step = self._evaluator.advance(self._table.data, sketches, source)
                break
            except MissingReference as error:
                log.error("waiting for a reference file; nothing is lost meanwhile", because=str(error))
                self._health.not_ready(str(error))
                await asyncio.sleep(REFERENCE_RETRY_S)
        await self._send(step.results, message.partition)
        await self._write(step.writes, message.partition)
        await self._write([step.seal], message.partition)
        self._health.ready()
        _export(step, started_s)

    async def _send(self, batches: list[ResultBatch], partition: int) -> None:
        sent = [await self._results.send(value=encode_results(batch), partition=partition) for batch in batches]
        await asyncio.gather(*sent)

    async def _write(self, writes: list[tuple[bytes, bytes | None]], partition: int) -> None:
        """Write to the local store, then to the changelog, and wait for the latter.

        Not the other way round: the store notes the changelog's offset as restored when it is acknowledged, and a crash
        between would leave a value that was noted and never written. A local value that the changelog lacks is written
        again when its message is repeated.
        """
        sent: list[FutureMessage] = []
        for key, value in writes:
            if value is None:
                self._table.data.pop(key, None)
            else:
                self._table.data[key] = value
            sent.append(self._table.send_changelog(partition, key, value))
        await asyncio.gather(*sent)

    def export_lag(self, app: faust.App) -> None:
        """Messages of `drift.sketches` that are not scored yet."""
        topic = self._kafka.own_topic(topics.SKETCHES)
        consumer = cast("CommittedConsumer", app.consumer)
        for tp in consumer.assignment() if consumer else ():
            high = consumer.highwater(tp) if tp.topic == topic else None
            if high is not None:
                lag = max(0, high - consumer.next_offset(tp))
                telemetry.CONSUMER_LAG.labels("evaluate", tp.topic, str(tp.partition)).set(lag)


def _export(step: Step, started_s: float) -> None:
    telemetry.COMMIT_SECONDS.labels("evaluate").observe(time.monotonic() - started_s)
    now_s = time.time()
    for model, watermark_ms in step.watermarks_ms.items():
        telemetry.WATERMARK_DELAY.labels(model).set(now_s - watermark_ms / 1000)
    for counter, counts in (
        (telemetry.WINDOWS_SCORED, step.n_windows),
        (telemetry.UNKNOWN_MODEL, step.n_unknown_model),
    ):
        _count(counter, counts)
    for batch in step.results:
        for row in batch.late:
            telemetry.LATE_DROPPED.labels(row.model).inc(row.n)
        for score in batch.scores:
            if score.segment == "":
                labels = (score.model, score.column, score.method)
                telemetry.DRIFT_STATISTIC.labels(*labels).set(score.statistic)
                telemetry.DRIFTED.labels(*labels).set(score.drifted)


def _count(counter: Counter, counts: Mapping[str, int]) -> None:
    for model, n in counts.items():
        counter.labels(model).inc(n)
