"""The score role's Faust app: assignment, and a table in RocksDB with a changelog topic, are Faust's.

What is processed goes past it, for its own transactions log errors and carry on: see `monitor.roles.evaluate_role`.

Crash only: an error that is not a message's own ends the process. The supervisor starts it again, and it goes on from
what is committed.
"""

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import cast

import faust
import structlog
from confluent_kafka import KafkaException
from faust.types import TP

from monitor.config.schema import Kafka
from monitor.decisions.policy import Policy
from monitor.errors import DriftlineError
from monitor.evaluation.evaluator import Evaluator
from monitor.kafka import topics
from monitor.kafka.faust import store
from monitor.kafka.faust.app import consumer_of, transactional_app
from monitor.kafka.faust.drain import drained
from monitor.kafka.faust.ends import EndOffsets
from monitor.kafka.faust.producers import Producers, refused
from monitor.kafka.faust.recovery import TransactionalTables
from monitor.kafka.faust.worker import at_the_end, end_process
from monitor.process.health import Health
from monitor.roles.evaluate_role import EvaluateRole

log = structlog.get_logger()

TURN_S = 2.0
"""How often gauges are refreshed, in seconds."""


def build_app(
    kafka: Kafka, evaluator: Evaluator, policies: Sequence[Policy], *, worker: str, state_dir: Path, health: Health
) -> faust.App:
    """The Faust app; `policies` say what decisions on each model go by.

    `worker` is unique among score workers and the same after a restart; its state lies under its name.
    """
    app = transactional_app(kafka, topics.application_id(kafka), worker, state_dir / f"evaluate-{worker}")
    source = kafka.own_topic(topics.SKETCHES)
    sketches = app.topic(source, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
    table = app.Table(
        topics.STATE_TABLE, key_type=bytes, value_type=bytes, partitions=kafka.sketch_partitions, store=store.URL
    )
    producers = Producers(kafka, topics.application_id(kafka))
    ends = EndOffsets(kafka, source)
    role = EvaluateRole(
        kafka,
        evaluator,
        policies,
        health,
        producer_of=producers.of,
        state=lambda: cast("store.TransactionalStore", table.data),
        is_restored=lambda partition: consumer_of(app).is_restored and producers.hold(partition),
    )
    at_the_end(partial(role.metrics.say_losses, last=True))

    @app.agent(sketches, name="score")
    async def score(stream: faust.StreamT[bytes]) -> None:
        try:
            async for events in drained(aiter(cast("faust.Stream[bytes]", stream).noack().events())):
                await role.process(events)
        except DriftlineError as error:
            end_process(error)
        except Exception as error:  # the agent's boundary: Faust would go on with the next message, past these
            log.exception("score role stops")
            end_process(error)

    async def take_hold(assigned: set[TP]) -> None:
        health.not_ready("restoring state from its changelog")
        partitions = {tp.partition for tp in assigned if tp.topic == source}
        role.metrics.holds(partitions)
        try:
            await producers.take(partitions)
        except KafkaException as error:
            end_process(refused(error, kafka))

    cast("TransactionalTables", app.tables).take_hold = take_hold

    @app.timer(interval=TURN_S)  # type: ignore[untyped-decorator]  # Faust leaves it untyped
    async def turned() -> None:
        health.turned()
        role.metrics.turned()

    @app.timer(interval=TURN_S)  # type: ignore[untyped-decorator]
    async def measured() -> None:
        consumer = consumer_of(app)
        if not consumer.is_restored:
            return
        rebalances = consumer.rebalances
        next_offsets = {tp.partition: consumer.next_offset(tp) for tp in consumer.assignment() if tp.topic == source}
        lags = await asyncio.to_thread(ends.lags, next_offsets)
        if consumer.rebalances == rebalances:
            role.metrics.lags(source, lags)
            health.progress(sum(lags.values()), next_offsets)
            try:
                for partition in next_offsets:
                    await role.take_up(partition)
            except DriftlineError as error:
                end_process(error)

    @app.on_partitions_revoked.connect
    async def revoked(*_args: object, **_kwargs: object) -> None:
        health.not_ready("partitions revoked")
        role.metrics.lags(source, {})
        health.progress(0, None)

    @app.on_rebalance_complete.connect
    async def restored(*_args: object, **_kwargs: object) -> None:
        health.ready()

    return app
