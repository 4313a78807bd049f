"""The join role's Faust app: assignment, recovery and standby of its table are Faust's, as in `monitor.roles.evaluate`.

Crash only: an error that is not a message's own ends the process. The supervisor starts it again, and it goes on from
what is committed.
"""

import asyncio
import contextlib
from functools import partial
from pathlib import Path
from typing import cast

import faust
import structlog
from confluent_kafka import KafkaException
from faust.types import TP

from monitor import telemetry
from monitor.config.schema import Kafka
from monitor.errors import DriftlineError
from monitor.join.joiner import Joiner
from monitor.join.performance_messages import PerformanceMessages
from monitor.kafka import topics
from monitor.kafka.faust import block_store
from monitor.kafka.faust.app import consumer_of, transactional_app
from monitor.kafka.faust.drain import drained
from monitor.kafka.faust.ends import EndOffsets
from monitor.kafka.faust.producers import Producers, refused
from monitor.kafka.faust.recovery import TransactionalTables
from monitor.kafka.faust.worker import at_the_end, end_process
from monitor.process.health import Health
from monitor.roles.join_role import JoinRole, role_outputs

log = structlog.get_logger()

TURN_S = 2.0
"""How often gauges are refreshed, in seconds."""


def build_join_app(
    kafka: Kafka, joiner: Joiner, messages: PerformanceMessages, *, worker: str, state_dir: Path, health: Health
) -> faust.App:
    """The Faust app.

    `messages` are sent of what matches. `worker` is unique among join workers and the same after a restart; its state
    lies under its name.
    """
    app = transactional_app(kafka, topics.join_application_id(kafka), worker, state_dir / f"join-{worker}")
    source = kafka.own_topic(topics.JOINS)
    blocks = app.topic(source, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
    table = app.Table(
        topics.JOIN_TABLE, key_type=bytes, value_type=bytes, partitions=kafka.sketch_partitions, store=block_store.URL
    )
    producers = Producers(kafka, topics.join_application_id(kafka))
    ends = EndOffsets(kafka, source)
    role = JoinRole(
        kafka,
        joiner,
        health,
        producer_of=producers.of,
        state_of=lambda partition: cast("block_store.BlockStore", table.data).partition(partition),
        outputs=role_outputs(kafka, messages),
    )
    at_the_end(partial(role.say_losses, last=True))

    @app.agent(blocks, name="join")
    async def join(stream: faust.StreamT[bytes]) -> None:
        try:
            async for events in drained(aiter(cast("faust.Stream[bytes]", stream).noack().events())):
                await role.process(events)
        except DriftlineError as error:
            end_process(error)
        except Exception as error:  # the agent's boundary: Faust would go on with the next message, past these
            log.exception("join role stops")
            end_process(error)

    async def take_hold(assigned: set[TP]) -> None:
        health.not_ready("restoring state from its changelog")
        try:
            await producers.take({tp.partition for tp in assigned if tp.topic == source})
        except KafkaException as error:
            end_process(refused(error, kafka))

    cast("TransactionalTables", app.tables).take_hold = take_hold

    @app.timer(interval=TURN_S)  # type: ignore[untyped-decorator]  # Faust leaves it untyped
    async def measured() -> None:
        health.turned()
        role.say_losses()
        consumer = consumer_of(app)
        if not consumer.is_restored:
            return
        rebalances = consumer.rebalances
        next_offsets = {tp.partition: consumer.next_offset(tp) for tp in consumer.assignment() if tp.topic == source}
        lags = await asyncio.to_thread(ends.lags, next_offsets)
        if consumer.rebalances == rebalances:
            for partition, lag in lags.items():
                telemetry.CONSUMER_LAG.labels("join", source, str(partition)).set(lag)
            health.progress(sum(lags.values()), next_offsets)

    @app.on_partitions_revoked.connect
    async def revoked(*_args: object, **_kwargs: object) -> None:
        health.not_ready("partitions revoked")
        for partition in range(kafka.sketch_partitions):
            with contextlib.suppress(KeyError):
                telemetry.CONSUMER_LAG.remove("join", source, str(partition))
        health.progress(0, None)

    @app.on_rebalance_complete.connect
    async def restored(*_args: object, **_kwargs: object) -> None:
        health.ready()

    return app
