"""How the topics that hold state are kept small: their settings, and giving them to topics that lack them.

Kafka compacts only what lies in closed segments. By default it closes one after a week or a gigabyte, and compacts when
half of a partition is old values: 11 MB stood for 118 kB of living ones, and a new owner of a partition reads it all.
"""

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Final

import structlog
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource, ConfigSource

from monitor.kafka.clients import OWN_MESSAGE_BYTES

log = structlog.get_logger()

SETTINGS: Final = {
    "cleanup.policy": "compact",
    # A segment is closed when it is so old or so large; it must hold the largest message.
    "segment.ms": str(5 * 60_000),
    "segment.bytes": str(2 * OWN_MESSAGE_BYTES),
    # Compacted when a tenth of it is dirty, and in any case when the oldest dirty record is so old.
    "min.cleanable.dirty.ratio": "0.1",
    "max.compaction.lag.ms": str(30 * 60_000),
}
"""What is written within five minutes stays as it is; what is older is one record a key."""


def complete_settings(admin: AdminClient, names: Sequence[str]) -> None:
    """Give topics that exist the settings that nobody has given them. What a person set stays.

    A broker that cannot, or does not allow it, is told at the level of debugging: nothing depends on it but space.
    """
    if not names:
        return
    asked = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in names]
    described: dict[ConfigResource, Future[dict[str, ConfigEntry]]] = admin.describe_configs(asked, request_timeout=5)
    for resource, answer in described.items():
        try:
            lacking = _lacking(answer.result())
            if lacking:
                changed = ConfigResource(ConfigResource.Type.TOPIC, resource.name, incremental_configs=lacking)
                for done in admin.incremental_alter_configs([changed], request_timeout=5).values():
                    done.result()
                log.info("a topic is compacted sooner", topic=resource.name, settings=[entry.name for entry in lacking])
        except KafkaException as error:
            log.debug("the settings of a topic stay as they are", topic=resource.name, because=error.args[0].str())


def _lacking(found: dict[str, ConfigEntry]) -> list[ConfigEntry]:
    return [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        for name, value in SETTINGS.items()
        if name in found and found[name].value != value and not _was_set(found[name])
    ]


def _was_set(entry: ConfigEntry) -> bool:
    """Whether the topic itself has the setting; the source is a bare number in confluent-kafka 2.16."""
    return ConfigSource(entry.source) is ConfigSource.DYNAMIC_TOPIC_CONFIG
