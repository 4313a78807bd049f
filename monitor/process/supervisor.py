"""One process per role: start them, start again what fails, stop all of them together.

Roles are crash only: any of them may be killed at any moment, and takes up where the last commit left it. A role that
fails is started again with growing pauses. One that says that it needs a person (`StoppedError`, `ConfigError`) gets
two more tries, for what it lacks may come within seconds; then it ends the whole. So does one that asks for a new
process (`RestartError`) again and again, as two workers of one name do.
"""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from monitor.errors import ConfigError, RestartError, StoppedError
from monitor.process.children import dying_with_parent
from sinks.retry import Backoff

log = structlog.get_logger()

STOP_WITHIN_S = 20.0
PAUSES = Backoff(first_s=1.0, most_s=30.0)
# A role that ran for so long before it failed starts again at once.
STEADY_S = 60.0
# How often in a row, without a steady run in between, a role may end with a code before that ends the whole.
TRIES = {ConfigError.exit_code: 3, StoppedError.exit_code: 3, RestartError.exit_code: 5}
# Tells a role how often it was started again, for its metrics: the supervisor serves none.
RESTARTS_VARIABLE = "DRIFTLINE_ROLE_RESTARTS"
_PROGRAM = (sys.executable, "-m", "monitor")


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleCommand:
    """A role's process: its name, and the arguments of `driftline` that start it."""

    name: str
    arguments: Sequence[str]


@dataclass(slots=True, kw_only=True)
class _Child:
    command: RoleCommand
    process: subprocess.Popen[bytes]
    started_s: float
    failures: int = 0
    refusals: Counter[int] = field(default_factory=Counter)  # of these, those in `TRIES`, by exit code
    restarts: int = 0
    start_again_s: float = field(default=0.0)


class Supervisor:
    """Runs roles as child processes until stopped.

    They are in sessions of their own, so that Ctrl-C reaches the supervisor alone, which stops them in their order.

    Parameters
    ----------
    commands
        The roles, upstream first.
    environment
        Variables for the children beside this process's own.
    program
        What a role's arguments are given to.
    pauses, stop_within_s
        The pauses before a role that fails again and again is started; seconds a role has to stop before it is killed.
    """

    def __init__(
        self,
        commands: Sequence[RoleCommand],
        *,
        environment: Mapping[str, str] | None = None,
        program: Sequence[str] = _PROGRAM,
        pauses: Backoff = PAUSES,
        stop_within_s: float = STOP_WITHIN_S,
    ) -> None:
        self._commands = commands
        self._environment = {**os.environ, **(environment or {})}
        self._program = program
        self._pauses = pauses
        self._stop_within_s = stop_within_s
        self._children: list[_Child] = []
        self._killed: list[str] = []
        self._stopping = False

    @property
    def killed(self) -> Sequence[str]:
        """The names of the roles that did not stop in time, and were killed."""
        return tuple(self._killed)

    def start(self) -> None:
        """Start every role."""
        for command in self._commands:
            self._children.append(_Child(command=command, process=self._spawn(command), started_s=time.monotonic()))

    def stop(self) -> None:
        """Have `run` return. Safe in a signal handler."""
        self._stopping = True

    def run(self, tick: Callable[[], bool] | None = None) -> None:
        """Watch the roles until `stop` is called, or `tick`, called several times a second, returns False.

        Raises `StoppedError` when a role needs a person.
        """
        while not self._stopping and (tick is None or tick()):
            for child in self._children:
                self._watch(child)
            time.sleep(0.2)

    def _spawn(self, command: RoleCommand, restarts: int = 0) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*self._program, *command.arguments],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env={**self._environment, RESTARTS_VARIABLE: str(restarts)},
            preexec_fn=dying_with_parent(),
        )

    def _watch(self, child: _Child) -> None:
        now_s = time.monotonic()
        if child.start_again_s:
            if now_s >= child.start_again_s:
                child.start_again_s = 0.0
                child.restarts += 1
                child.process = self._spawn(child.command, child.restarts)
                child.started_s = now_s
            return
        code = child.process.poll()
        if code is None:
            return
        if now_s - child.started_s > STEADY_S:
            child.failures = 0
            child.refusals.clear()
        else:
            child.failures += 1
        # A service that was away before must not use up the tries.
        child.refusals[code] += code in TRIES
        if code in TRIES and child.refusals[code] >= TRIES[code]:
            raise StoppedError(f"{child.command.name} cannot go on; its last words are above")
        chance = random.random()  # noqa: S311 - jitter, no secret
        pause_s = self._pauses.pause_s(child.failures - 1, chance) if child.failures else 0.0
        log.warning("a role ended and is started again", name=child.command.name, code=code, pause_s=pause_s)
        child.start_again_s = now_s + pause_s

    def close(self) -> None:
        """Ask every role to finish what it has in hand, wait, and end what does not. Leaves no process behind."""
        for child in self._children:  # upstream first, so that what it still sends is taken
            if child.process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    child.process.send_signal(signal.SIGTERM)
        deadline_s = time.monotonic() + self._stop_within_s
        for child in self._children:
            try:
                child.process.wait(timeout=max(0.1, deadline_s - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.warning("a role did not stop in time and is killed; nothing is lost", name=child.command.name)
                self._killed.append(child.command.name)
                child.process.kill()
                child.process.wait()
        self._children = []

    def __enter__(self) -> "Supervisor":
        try:
            self.start()
        except BaseException:  # also an interrupt between two of them: `with` closes only what was entered
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
