"""A process of this machine that a destination is reached through, such as ClickHouse's engine."""

import contextlib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from types import TracebackType
from typing import IO, Final, Self

import structlog

from monitor.errors import StoppedError, Unavailable
from monitor.process.children import dying_with_parent

log = structlog.get_logger()

READY_WITHIN_S: Final = 60.0
STOP_WITHIN_S: Final = 20.0
MOST_RESTARTS: Final = 5
"""Of one server; then something is wrong that starting it again does not mend."""


class EmbeddedServer:
    """Runs a server of a destination until closed, and starts it again when it ends by itself: what it had answered for
    is on the disk.

    Parameters
    ----------
    name
        The destination's.
    command
        A module and its arguments, for `python -m`.
    port
        Of the loopback, on which it will listen.
    """

    def __init__(self, name: str, command: Sequence[str], port: int) -> None:
        self.command = tuple(command)
        self._name = name
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None
        self._said: IO[bytes] | None = None
        self._restarts = 0

    def start(self) -> Self:
        """Start it and wait until it listens. Raises `StoppedError` with its last words when it ends instead."""
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `close`
        self._spawn()
        try:
            self._wait_until_ready()
        except BaseException:  # also an interrupt: `with` closes only what was entered
            self.close()
            raise
        return self

    def _spawn(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", *self.command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._said,
            start_new_session=True,  # Ctrl-C is for the supervisor, which stops it after the roles
            preexec_fn=dying_with_parent(),
        )

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        deadline_s = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < deadline_s:
            if self._process.poll() is not None:
                raise StoppedError(f"{self._name} could not be started: {self._last_words()}")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._port), timeout=1):
                return
            time.sleep(0.05)
        raise Unavailable(f"{self._name} did not answer within {READY_WITHIN_S:.0f} s")

    def check(self) -> None:
        """Start it again when it has ended. Raises `StoppedError` when it ends again and again."""
        assert self._process is not None
        if self._process.poll() is None:
            return
        self._restarts += 1
        if self._restarts > MOST_RESTARTS:
            raise StoppedError(f"{self._name} ends again and again: {self._last_words()}")
        log.warning(
            "the server of a destination ended and is started again", name=self._name, because=self._last_words()
        )
        self._spawn()

    def _last_words(self) -> str:
        assert self._process is not None
        assert self._said is not None
        self._said.seek(0)
        lines = self._said.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1][:500] if lines else f"exit code {self._process.returncode}"

    def close(self) -> None:
        """Have it write what it has in hand, and end."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None
        if self._said is not None:
            self._said.close()
            self._said = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
