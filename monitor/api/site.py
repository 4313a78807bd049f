"""What all pages share: where results are, where events go, the clock, and what is asked seldom."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

from monitor.api.access import Access
from monitor.api.arrivals import Arrivals, arrivals
from monitor.api.behind import Behind
from monitor.api.controls import ControlTopic, Told
from monitor.api.queries.models import Sized, sized_windows, tables
from monitor.api.queries.pulse import windows_pulse
from monitor.api.source import Source
from monitor.config.load import load
from monitor.config.schema import Config
from monitor.embedded.session import last_session
from monitor.errors import DriftlineError

_P = ParamSpec("_P")
_T = TypeVar("_T")
KEPT_S: Final = 30.0


@dataclass(slots=True, kw_only=True)
class Site:
    """One server's surroundings.

    Attributes
    ----------
    config: as the user wrote it.
    tells: what people say goes there; None: to the broker that roles run with.
    comes: the messages that came last; None: as that broker has them.
    now_ms: the wall clock.
    """

    source: Source
    config: Config
    access: Access
    tells: Told | None = None
    comes: Behind[Arrivals] | None = None
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    _sized: tuple[str, list[Sized]] = field(default=("", []))
    _tables: tuple[float, frozenset[str]] = (0.0, frozenset())
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def has(self, table: str) -> bool:
        """Whether the database has this table or view; asked at most twice a minute."""
        with self._lock:
            asked_s, names = self._tables
            if not names or time.monotonic() - asked_s > KEPT_S:
                names = tables(self.source)
                self._tables = (time.monotonic(), names)
        return table in names

    def begin(self, table: str, nothing: _T, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """As `Source.begin`, where the database has this table or view; else the answer is `nothing`."""
        if self.has(table):
            return self.source.begin(call, *args, **kwargs)
        answered: Future[_T] = Future()
        answered.set_result(nothing)
        return answered

    def sized(self) -> list[Sized]:
        """`monitor.api.queries.models.sized_windows`, asked when windows have come since."""
        stamp = windows_pulse(self.source)
        with self._lock:
            if self._sized[0] == stamp:
                return self._sized[1]
        found = sized_windows(self.source)  # not older than the stamp
        with self._lock:
            self._sized = (stamp, found)
        return found

    def running(self) -> Config:
        """What roles run with now: the configuration of the session of `up` that runs, else the user's."""
        session = last_session(self.config)
        if session is not None and session.runs:
            try:
                return load(Path(session.config))
            except DriftlineError:  # it ended this moment
                pass
        return self.config

    def arrivals(self, wait_s: float) -> Arrivals:
        """The messages that came last, as far as they are known within `wait_s`."""
        with self._lock:
            if self.comes is None:
                self.comes = arrivals(self.running)
            comes = self.comes
        return comes.now(wait_s)

    def told(self) -> Told:
        """What people say to running roles."""
        with self._lock:
            if self.tells is None:
                self.tells = ControlTopic(self.running)
            return self.tells
