"""Driftline's own topics: their names, shapes, and making them where they are missing."""

from collections.abc import Sequence
from concurrent.futures import Future

import structlog
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigEntry, ConfigResource
from confluent_kafka.cimpl import NewTopic

from monitor.config.schema import Kafka
from monitor.errors import StoppedError
from monitor.kafka import compaction
from monitor.kafka.clients import OWN_MESSAGE_BYTES, built, classify, common_settings
from monitor.sketching.own_topics import JOINS as JOINS
from monitor.sketching.own_topics import REJECTS as REJECTS
from monitor.sketching.own_topics import RESULTS as RESULTS
from monitor.sketching.own_topics import SKETCHES as SKETCHES
from monitor.sketching.own_topics import UNDELIVERED as UNDELIVERED
from monitor.sketching.own_topics import partition_of_model as partition_of_model

log = structlog.get_logger()

_WEEK_MS = 7 * 24 * 3_600_000
STATE_TABLE = "panes"
"""Of the score role; part of its changelog topic's name."""
JOIN_TABLE = "pending"
"""Of the join, likewise."""
RETENTION_MS = {SKETCHES: _WEEK_MS, RESULTS: _WEEK_MS, REJECTS: 2 * _WEEK_MS, UNDELIVERED: 2 * _WEEK_MS}


def application_id(kafka: Kafka) -> str:
    """The Faust app's name: its consumer group, and what its changelog topic and transactional ids begin with."""
    return f"{kafka.consumer_group}-evaluate"


def changelog_topic(kafka: Kafka) -> str:
    """The topic that holds the score role's state."""
    return f"{application_id(kafka)}-{STATE_TABLE}-changelog"


def join_application_id(kafka: Kafka) -> str:
    """The join's Faust app, likewise."""
    return f"{kafka.consumer_group}-join"


def join_changelog_topic(kafka: Kafka) -> str:
    """The topic that holds the join's state."""
    return f"{join_application_id(kafka)}-{JOIN_TABLE}-changelog"


def ensure_topics(
    kafka: Kafka, *, sources: dict[str, int] | None = None, compacted: tuple[str, ...] = (), joins: bool = False
) -> None:
    """Make Driftline's own topics where they are missing, `compacted` ones among them, and check their partitions.

    With `joins` the topic that predictions and labels are joined from is one of them.

    One that takes only smaller messages than Driftline's is told in a warning: the first that is larger ends its role.
    Compacted ones that exist are given the settings that they lack.

    `sources` are source topics to make as well (embedded broker: nobody else would), with their partitions. On a real
    cluster they belong to those who write them.

    Raises `StoppedError` when a topic has another number of partitions than configured: panes would change hands.
    """
    admin = built(AdminClient, common_settings(kafka), kafka)
    n, replicas = kafka.sketch_partitions, kafka.replication_factor
    size = {"max.message.bytes": str(OWN_MESSAGE_BYTES)}
    wanted = [
        NewTopic(kafka.own_topic(name), n, replicas, config={"retention.ms": str(keep_ms), **size})
        for name, keep_ms in {**RETENTION_MS, **({JOINS: _WEEK_MS} if joins else {})}.items()
    ]
    wanted += [NewTopic(name, n, replicas, config={**compaction.SETTINGS, **size}) for name in compacted]
    wanted += [NewTopic(name, partitions, replicas) for name, partitions in (sources or {}).items()]
    try:
        existing = admin.list_topics(timeout=10).topics
        missing = [topic for topic in wanted if topic.topic not in existing]
        for future in admin.create_topics(missing, operation_timeout=20).values() if missing else ():
            _made(future)
    except KafkaException as error:
        raise classify(error, kafka) from error
    for topic in wanted:
        found = existing.get(topic.topic)
        if found is not None and topic.topic not in (sources or {}) and len(found.partitions) != topic.num_partitions:
            raise StoppedError(
                f"topic {topic.topic} has {len(found.partitions)} partitions, kafka.sketch_partitions says {n}",
                hint=f"set kafka.sketch_partitions to {len(found.partitions)}: it is fixed once the topics exist",
            )
    compaction.complete_settings(admin, [name for name in compacted if name in existing])
    _check_sizes(admin, [topic.topic for topic in wanted if topic.topic in existing and topic.config])


def _check_sizes(admin: AdminClient, names: Sequence[str]) -> None:
    """Warn of topics that others made, with Kafka's default of 1 MB, say."""
    if not names:
        return
    asked = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in names]
    told: dict[ConfigResource, Future[dict[str, ConfigEntry]]] = admin.describe_configs(asked, request_timeout=5)
    for resource, future in told.items():
        try:
            found = future.result().get("max.message.bytes")
        except KafkaException as error:  # no right to ask, or a broker that cannot tell: then the first message shows
            log.debug("the settings of a topic are not known", topic=resource.name, because=error.args[0].str())
            continue
        if found is not None and found.value is not None and int(found.value) < OWN_MESSAGE_BYTES:
            log.warning(
                "a topic takes only smaller messages than Driftline's can be",
                topic=resource.name,
                hint=f"set its max.message.bytes to {OWN_MESSAGE_BYTES}; it is {found.value}",
            )


def _made(future: object) -> None:
    try:
        future.result()  # type: ignore[attr-defined]  # concurrent.futures.Future, untyped in confluent-kafka
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise
