"""`driftline deliver CONFIG NAME --test`: a marked message to one destination, and what it answered."""

import contextlib
from pathlib import Path

from rich.console import Console

from monitor import wiring
from monitor.cli.roles import only_destination
from monitor.config.load import load
from monitor.errors import InputError, StoppedError, Unavailable
from sinks.destination import Testable
from sinks.errors import MessageRefused, SinkRejected, SinkUnavailable


def test_destination(config_path: Path, name: str) -> None:
    """Send it, without Kafka, and print the answers.

    Raises `InputError` for a destination that sends no messages, `Unavailable` (exit code 3) when it cannot be reached
    or refuses our credentials, `StoppedError` (4) when it refuses the message.
    """
    config = load(config_path)
    name = name or only_destination(config)
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    with contextlib.closing(wiring.open_destination(config, name)) as destination:
        if not isinstance(destination, Testable):
            raise InputError(f"{name} takes tables, no messages", hint="driftline migrate CONFIG shows that it answers")
        try:
            destination.setup()
            said = destination.send_test()
        except SinkUnavailable as error:
            raise Unavailable(f"{name}: {error}", hint=f"see that it is up, and mend destinations.{name}") from error
        except (MessageRefused, SinkRejected) as error:
            raise StoppedError(f"{name}: {error}", hint=f"mend destinations.{name}, or what it may do there") from error
    for answer in said:
        console.print(f"{name}: {answer}")
    what = "a request to retrain" if "retraining" in destination.takes else "an alert, raised and resolved"
    console.print(f"Sent {what}, marked as a test of the model driftline-test. See that it has arrived.")
