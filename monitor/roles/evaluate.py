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
from pathlib import Path
from typing import Any, cast

import faust
import structlog
from faust.types import EventT, FutureMessage

from monitor import telemetry
from monitor.config.schema import Kafka
from monitor.evaluation.evaluator import Evaluator, Step
from monitor.evaluation.results import Source
from monitor.evaluation.turn import MissingReference
from monitor.kafka import topics
from monitor.kafka.clients import OWN_MESSAGE_BYTES
from monitor.kafka.faust.auth import credentials
from monitor.kafka.faust.recovery import OrderedTables
from monitor.kafka.faust.transport import CommittedConsumer, brokers, transport
from monitor.process.health import Health
from monitor.roles.evaluate_metrics import EvaluateMetrics
from monitor.sketching.messages import BadSketchMessage, SketchMessage, decode
from sinks.records import ResultBatch, encode_results

log = structlog.get_logger()

TABLE = "panes"
REFERENCE_RETRY_S = 5.0
LEAVE_S = 0.25
"""How soon a role that waits for a reference sees that it must go, in seconds."""
BUFFER_MESSAGES = 32
"""Messages that Faust keeps ahead of the one in hand, a partition. Each may have megabytes, and by default it keeps
4,096: behind a reference that was missing they took 1.2 GiB."""


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
        broker=brokers(kafka.bootstrap_servers),
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
        stream_buffer_maxsize=BUFFER_MESSAGES,
        TableManager=OrderedTables,
        # One message may score many windows; a watchdog that warns of slow streams is of no use here.
        stream_processing_timeout=3600.0,
    )
    app.transport = transport(app, kafka.bootstrap_servers, kafka.client_settings())
    sketches = _raw_topic(app, kafka.own_topic(topics.SKETCHES))
    results = _raw_topic(app, kafka.own_topic(topics.RESULTS))
    table = app.Table(TABLE, key_type=bytes, value_type=bytes, partitions=kafka.sketch_partitions)
    role = _Role(app, kafka, evaluator, cast("faust.Table[bytes, bytes]", table), results, health)

    @app.agent(sketches, name="score")
    async def score(stream: faust.StreamT[bytes]) -> None:
        async for event in cast("faust.Stream[bytes]", stream).noack().events():
            try:
                done = await role.take(event)
            except Exception:  # the agent's boundary: Faust would go on with the next message, past this one's counts
                log.exception("score role stops", partition=event.message.partition, offset=event.message.offset)
                os._exit(1)
            if done:
                await stream.ack(event)

    @app.timer(interval=2.0)  # type: ignore[untyped-decorator]  # Faust leaves it untyped
    async def turned() -> None:
        health.turned()
        role.turned()

    @app.on_partitions_assigned.connect
    async def assigned(*args: Any, **_kwargs: object) -> None:
        health.not_ready("restoring state from its changelog")
        topic = kafka.own_topic(topics.SKETCHES)  # the signal brings its sender, then what is assigned
        role.metrics.holds({tp.partition for tp in args[1] if tp.topic == topic})

    @app.on_rebalance_complete.connect
    async def restored(*_args: object, **_kwargs: object) -> None:
        health.ready()

    @app.on_partitions_revoked.connect
    async def revoked(*_args: object, **_kwargs: object) -> None:
        health.not_ready("partitions revoked")
        role.metrics.lags(kafka.own_topic(topics.SKETCHES), {})

    return app


def _raw_topic(app: faust.App, name: str) -> faust.TopicT:
    """A topic whose keys and values Faust leaves as they are; left to itself it decodes values as JSON."""
    return app.topic(name, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")


class _Role:
    """Carries one message at a time through the evaluator."""

    def __init__(
        self,
        app: faust.App,
        kafka: Kafka,
        evaluator: Evaluator,
        table: faust.Table[bytes, bytes],
        results: faust.TopicT,
        health: Health,
    ) -> None:
        self.metrics = EvaluateMetrics(kafka.sketch_partitions)
        self._app = app
        self._kafka = kafka
        self._evaluator = evaluator
        self._table = table
        self._results = results
        self._health = health

    async def take(self, event: EventT[bytes]) -> bool:
        """Absorb one message; True when all that follows from it is durable.

        False when the partition must be given up first, by a rebalance or at the end of the process. Nothing was
        written or sent then. Whoever has the partition next gets the message from Kafka, for it is not acknowledged.
        """
        message = event.message
        started_s = time.monotonic()
        source = Source(topic=message.topic, partition=message.partition, offset=message.offset)
        try:
            sketches = decode(message.value or b"")
        except BadSketchMessage as error:
            telemetry.BAD_MESSAGES.labels(message.topic).inc()
            log.error("a message of our own cannot be read and is left out", error=str(error), offset=message.offset)
            return True
        step = await self._step(sketches, source)
        if step is None:
            if self._consumer is not None:
                self._consumer.release(message)
            return False
        await self._send(step.results, message.partition)
        await self._write(step.writes, message.partition)
        await self._write([step.seal], message.partition)
        self._health.ready()
        self.metrics.done(step, message.partition, time.monotonic() - started_s)
        return True

    async def _step(self, sketches: SketchMessage, source: Source) -> Step | None:
        """What the message leads to, once its references are there; None if the partition is given up before."""
        while True:
            try:
                # `_table.data` reads the store of the current event's partition (faust.stores.rocksdb.Store._get).
                return self._evaluator.advance(self._table.data, sketches, source)
            except MissingReference as error:
                log.error("waiting for a reference file; nothing is lost meanwhile", because=str(error))
                self._health.not_ready(str(error))
            for _ in range(round(REFERENCE_RETRY_S / LEAVE_S)):
                await asyncio.sleep(LEAVE_S)
                # Faust stops the flow, and clears its queues, before it waits for the message in hand.
                if self._app.should_stop or self._consumer is None or not self._consumer.flow_active:
                    return None

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

    def turned(self) -> None:
        """Time has passed: tell what has come of it."""
        topic = self._kafka.own_topic(topics.SKETCHES)
        consumer = self._consumer
        assigned = consumer.assignment() if consumer is not None else set()
        lags = {tp.partition: consumer.lag(tp) for tp in assigned if consumer is not None and tp.topic == topic}
        self.metrics.lags(topic, {partition: lag for partition, lag in lags.items() if lag is not None})
        self.metrics.turned()

    @property
    def _consumer(self) -> CommittedConsumer | None:
        return cast("CommittedConsumer | None", self._app.consumer)
