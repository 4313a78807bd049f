"""The user's own Kafka under `driftline up`: a session reads it under a name of its own, and leaves nothing there."""

import time
from types import TracebackType
from typing import Any, Final, Self

import structlog
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from monitor.config.schema import Kafka
from monitor.kafka.clients import built, common_settings, reach_broker

DELETED_WITHIN_S: Final = 20.0

log = structlog.get_logger()


class OwnKafka:
    """A session's consumer groups and topics on a broker that is there already; both are deleted when it is closed.

    The session begins at the beginning of the source topics, and an installation of the same configuration that runs
    there is not disturbed.

    Parameters
    ----------
    kafka
        The configuration's section.
    session
        The session's name: letters, digits, `-`.
    """

    def __init__(self, kafka: Kafka, session: str) -> None:
        self._kafka = kafka
        self._group = f"{kafka.consumer_group}-up-{session}"
        self._prefix = f"{kafka.topic_prefix}-up-{session}"

    @property
    def bootstrap_servers(self) -> str:
        """As configured."""
        return self._kafka.bootstrap_servers

    @property
    def changes(self) -> dict[str, Any]:
        """The keys to set in the configuration's section."""
        return {"consumer_group": self._group, "topic_prefix": self._prefix}

    def check(self) -> None:
        """Nothing: the roles say what is wrong with a broker that is not theirs, and wait for it."""

    def __enter__(self) -> Self:
        reach_broker(self._kafka)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        admin = built(AdminClient, {**common_settings(self._kafka), "log_level": 0}, self._kafka)
        deadline_s = time.monotonic() + DELETED_WITHIN_S
        try:
            # Groups first: without their topics they are kept for their offsets' retention. A member may still leave.
            while (left := self._delete_groups(admin)) and time.monotonic() < deadline_s:
                time.sleep(1.0)
            names = admin.list_topics(timeout=DELETED_WITHIN_S).topics
            own = [name for name in names if name.startswith((f"{self._prefix}.", f"{self._group}-"))]
            left |= _failed(admin.delete_topics(own, operation_timeout=DELETED_WITHIN_S)) if own else {}
        except KafkaException as failure:
            left = {f"{self._prefix}.*": str(failure)}
        if left:
            log.warning("some of what this session made on your Kafka is still there", names=left)

    def _delete_groups(self, admin: AdminClient) -> dict[str, str]:
        listed = admin.list_consumer_groups(request_timeout=DELETED_WITHIN_S).result()
        groups = [one.group_id for one in listed.valid if one.group_id.startswith(self._group)]
        return _failed(admin.delete_consumer_groups(groups)) if groups else {}


def _failed(futures: dict[str, Any]) -> dict[str, str]:
    """Those that could not be deleted, and why."""
    failed = {}
    for name, future in futures.items():
        try:
            future.result(DELETED_WITHIN_S)
        except (KafkaException, TimeoutError) as error:
            failed[name] = str(error)
    return failed
