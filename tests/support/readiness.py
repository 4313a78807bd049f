"""Waiting for a broker by asking it, with a deadline."""

import time
from collections.abc import Callable

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

# librdkafka's log of refused connections is noise while a broker starts.
_SETTINGS = {"log_level": 0, "reconnect.backoff.ms": 50, "reconnect.backoff.max.ms": 200}


def answers(bootstrap_servers: str, timeout_s: float) -> str:
    """Ask a broker for its topics. Returns why it does not answer; empty when it does."""
    admin = AdminClient({"bootstrap.servers": bootstrap_servers, **_SETTINGS})
    try:
        return "" if admin.list_topics(timeout=timeout_s).brokers else "it names no broker"
    except KafkaException as error:
        return str(error.args[0].str())


def wait_until_answers(bootstrap_servers: str, timeout_s: float, still_alive: Callable[[], bool] = lambda: True) -> str:
    """Ask until the broker answers, `timeout_s` have passed or it is no longer alive. Returns as `answers` does."""
    deadline_s = time.monotonic() + timeout_s
    while True:
        # Each question waits inside librdkafka for a connection; between them we see whether the process died.
        why_not = answers(bootstrap_servers, timeout_s=1.0)
        if not why_not or not still_alive() or time.monotonic() > deadline_s:
            return why_not
