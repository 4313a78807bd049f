"""What people have said, as the page shows it and sends it on: `drift.controls`, read behind the page's back.

A page waits for the broker a moment only: what was read last is shown meanwhile, and where nothing was, that is said.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from monitor.api.behind import Behind
from monitor.config.schema import Config
from monitor.decisions.controls import Control, Controls
from monitor.errors import DriftlineError

KEPT_S: Final = 5.0
_BROKER_S: Final = 5.0
"""How long a form waits for a broker that does not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of the topic.

    Attributes
    ----------
    controls: None while it has not been read.
    problem, hint: why it could not be read last; empty where it could.
    """

    controls: Controls | None = None
    problem: str = ""
    hint: str = ""


class Told(Protocol):
    """Reads and writes control events."""

    def standing(self, wait_s: float) -> Standing:
        """What stands, as far as that is known within `wait_s`."""

    def say(self, control: Control) -> None:
        """Send one event; it stands when this returns. Raises `DriftlineError`."""


class ControlTopic:
    """The topic of a broker. Safe for threads.

    Parameters
    ----------
    running
        The configuration that roles run with now.
    """

    def __init__(self, running: Callable[[], Config]) -> None:
        self._running = running
        self._behind = Behind(self._read, Standing(), KEPT_S)

    def standing(self, wait_s: float) -> Standing:
        """What stands, as far as that is known within `wait_s`."""
        return self._behind.now(wait_s)

    def _read(self) -> Standing:
        from monitor.kafka.clients import reach_broker
        from monitor.kafka.controls import read_controls

        try:
            kafka = self._running().kafka
            reach_broker(kafka, _BROKER_S)
            return Standing(controls=read_controls(kafka, _BROKER_S))
        except DriftlineError as error:
            return Standing(problem=error.message, hint=error.hint)

    def say(self, control: Control) -> None:
        """Send one event, and know of it. Raises `DriftlineError` where the broker is away or refuses it."""
        from monitor import wiring
        from monitor.kafka.clients import reach_broker
        from monitor.kafka.controls import send_control

        config = self._running()
        reach_broker(config.kafka, _BROKER_S)
        wiring.prepare_topics(config)
        send_control(config.kafka, control, _BROKER_S)
        self._behind.anew()
