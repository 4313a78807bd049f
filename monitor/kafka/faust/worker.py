"""How a Faust process runs, and how it ends: soon after it is told to, and at once where going on would be wrong.

Roles are crash only. State, results and offsets are committed together, so that a process may end at any moment.
"""

import os
import threading
from collections.abc import Callable
from typing import Final, NoReturn

import faust
import structlog

from monitor.errors import DriftlineError, StoppedError

log = structlog.get_logger()

LEAVE_WITHIN_S = 12.0
"""How long a process takes to end in good order, in seconds. A broker that does not answer holds it up for longer, and
the supervisor kills what has not ended after 20."""


_last_words: Final[list[Callable[[], None]]] = []


def at_the_end(say: Callable[[], None]) -> None:
    """Have something said when this process ends, in whatever order: what a role would have said within a minute."""
    _last_words.append(say)


def say_last_words() -> None:
    """Say it, once."""
    while _last_words:
        _last_words.pop(0)()


class EvaluateWorker(faust.Worker):
    """Runs an app until SIGTERM or SIGINT, and ends within `LEAVE_WITHIN_S` of it."""

    def __init__(self, app: faust.App) -> None:
        super().__init__(app, loglevel="ERROR", redirect_stdouts=False, override_logging=False, quiet=True)
        self.spinner = None  # it draws on standard output also when nobody watches

    def execute_from_commandline(self) -> NoReturn:
        """Run until the end."""
        try:
            super().execute_from_commandline()
        finally:
            say_last_words()

    def _on_sigint(self) -> None:
        self._leave_in_time()
        super()._on_sigint()

    def _on_sigterm(self) -> None:
        self._leave_in_time()
        super()._on_sigterm()

    def _leave_in_time(self) -> None:
        timer = threading.Timer(LEAVE_WITHIN_S, _leave)
        timer.daemon = True
        timer.start()


def _leave() -> None:
    say_last_words()
    log.warning("the broker does not answer: the process ends without leaving its group; nothing is lost")
    os._exit(0)


def end_process(error: BaseException) -> NoReturn:
    """End at once, because of `error`, with its exit code; the supervisor starts the role again, or calls a person."""
    say_last_words()
    if isinstance(error, StoppedError):
        log.error("cannot go on", because=error.message, hint=error.hint)
    else:
        log.error("the process ends, to start again from what is committed", because=str(error) or repr(error))
    os._exit(error.exit_code if isinstance(error, DriftlineError) else 1)
