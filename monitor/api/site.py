"""What all pages share: where results are, where events go, the clock, and what is asked seldom."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from monitor.api.access import Access
from monitor.api.controls import ControlTopic, Told
from monitor.api.source import Source
from monitor.config.load import load
from monitor.config.schema import Config
from monitor.embedded.session import last_session
from monitor.errors import DriftlineError

KEPT_S: Final = 30.0


@dataclass(slots=True, kw_only=True)
class Site:
    """One server's surroundings.

    Attributes
    ----------
    config: as the user wrote it.
    tells: what people say goes there; None: to the broker that roles run with.
    now_ms: the wall clock.
    """

    source: Source
    config: Config
    access: Access
    tells: Told | None = None
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    _tables: tuple[float, frozenset[str]] = (0.0, frozenset())
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def has(self, table: str) -> bool:
        """Whether the database has this table or view; asked at most twice a minute."""
        from monitor.api.queries.models import tables

        with self._lock:
            asked_s, names = self._tables
            if not names or time.monotonic() - asked_s > KEPT_S:
                names = tables(self.source)
                self._tables = (time.monotonic(), names)
        return table in names

    def running(self) -> Config:
        """What roles run with now: the configuration of the session of `up` that runs, else the user's."""
        session = last_session(self.config)
        if session is not None and session.runs:
            try:
                return load(Path(session.config))
            except DriftlineError:  # it ended this moment
                pass
        return self.config

    def told(self) -> Told:
        """What people say to running roles."""
        with self._lock:
            if self.tells is None:
                self.tells = ControlTopic(self.running)
            return self.tells
