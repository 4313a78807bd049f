"""Watches the broker beside a role.

So `/readyz` tells when the broker is lost, also while the role has nothing to do, and the lag is true also while the
role reads nothing.
"""

import contextlib
import threading

import structlog
from confluent_kafka import KafkaException

from monitor.config.schema import Kafka
from monitor.errors import DriftlineError
from monitor.kafka.clients import reach_broker
from monitor.kafka.lag import Lag
from monitor.process.health import Health

log = structlog.get_logger()
EVERY_S = 5.0


class BrokerWatch:
    """Asks the broker for its metadata, and how far the role is behind, every few seconds until closed."""

    def __init__(self, kafka: Kafka, health: Health, lag: Lag | None = None, every_s: float = EVERY_S) -> None:
        self._kafka = kafka
        self._health = health
        self._lag = lag
        self._every_s = every_s
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="broker-watch", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._closed.wait(self._every_s):
            try:
                reach_broker(self._kafka, timeout_s=self._every_s)
            except DriftlineError as error:
                if not self._health.broker_lost:
                    log.warning(error.message)
                self._health.broker_lost = error.message
            else:
                if self._health.broker_lost:
                    log.info("broker is back")
                self._health.broker_lost = ""
                self._refresh_lag()

    def _refresh_lag(self) -> None:
        if self._lag is not None:
            # What the broker does not tell now it tells the next time; whether it is there was seen just before.
            with contextlib.suppress(KafkaException):
                self._lag.refresh()

    def close(self) -> None:
        """Stop watching. A question that a frozen broker does not answer is not waited for."""
        self._closed.set()
        self._thread.join(timeout=1.0)
