"""Watches the broker beside a role, so that `/readyz` tells when it is lost, also while the role has nothing to do."""

import threading

import structlog

from monitor.config.schema import Kafka
from monitor.errors import DriftlineError
from monitor.kafka.clients import reach_broker
from monitor.process.health import Health

log = structlog.get_logger()
EVERY_S = 5.0


class BrokerWatch:
    """Asks the broker for its metadata every few seconds until closed."""

    def __init__(self, kafka: Kafka, health: Health, every_s: float = EVERY_S) -> None:
        self._kafka = kafka
        self._health = health
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

    def close(self) -> None:
        """Stop watching."""
        self._closed.set()
        self._thread.join(timeout=2 * self._every_s)
