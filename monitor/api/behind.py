"""Something slow, read behind the page's back: what was read last is shown meanwhile."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Generic, TypeVar

_T = TypeVar("_T")


class Behind(Generic[_T]):
    """A value that is read anew when it is asked for and is old. Safe for threads.

    Parameters
    ----------
    read
        Reads it, in a thread that keeps no process from ending. Raises nothing that is to be told.
    first
        The value before it was read.
    kept_s
        How long it is not old.
    """

    def __init__(self, read: Callable[[], _T], first: _T, kept_s: float) -> None:
        self._read = read
        self._known = first
        self._kept_s = kept_s
        self._read_s = -kept_s
        self._reading: Future[_T] | None = None
        self._lock = threading.Lock()

    def now(self, wait_s: float) -> _T:
        """The value, as far as it is known within `wait_s`."""
        with self._lock:
            if self._reading is None and time.monotonic() - self._read_s >= self._kept_s:
                self._reading = self._begun()
            reading = self._reading
        if reading is not None:
            wait([reading], wait_s)
        with self._lock:
            if reading is not None and reading.done() and self._reading is reading:
                self._known, self._reading, self._read_s = reading.result(), None, time.monotonic()
            return self._known

    def anew(self) -> _T:
        """Read it now: what another read has begun with may be older."""
        known = self._read()
        with self._lock:
            self._known, self._reading, self._read_s = known, None, time.monotonic()
        return known

    def _begun(self) -> "Future[_T]":
        future: Future[_T] = Future()

        def run() -> None:
            try:
                future.set_result(self._read())
            except BaseException as error:
                future.set_exception(error)
                raise

        threading.Thread(target=run, name="behind the page", daemon=True).start()
        return future
