"""What a role says of itself: whether it is healthy, and whether it is ready.

Healthy: the role's loop has turned within `stall_s`; an orchestrator restarts what is not. Ready: the role has its
broker (and deliver its database), and gets on where there is something to do; one that lost it is not ready, and
becomes ready again by itself.
"""

import time
from dataclasses import dataclass

STALL_S = 120.0
STUCK_S = 30.0


class Health:
    """What a role says of itself. Thread-safe: single assignments only.

    Parameters
    ----------
    stall_s
        Seconds without a turn of the loop after which the role is unhealthy.
    stuck_s
        Seconds without progress, while there is something to read, after which it is not ready.
    """

    def __init__(self, role: str, stall_s: float = STALL_S, stuck_s: float = STUCK_S) -> None:
        self.role = role
        self.broker_lost = ""
        self._lacking = "starting"
        self._stall_s = stall_s
        self._stuck_s = stuck_s
        self._turned_s = time.monotonic()
        self._progress = _Progress(lag=0, done=None, since_s=self._turned_s)

    @property
    def not_ready_because(self) -> str:
        """What is missing, in words; empty when the role is ready."""
        return self.broker_lost or self._lacking or self._stuck()

    def progress(self, lag: int, done: object) -> None:
        """Note how many messages wait for the role, and where it stands. To be called every few seconds.

        `done` is any value that changes when the role gets on, such as the offsets it has committed. While messages
        wait and it stays the same, the role is stuck, however well its loop turns.
        """
        before = self._progress
        moved = lag == 0 or before.lag == 0 or done != before.done
        self._progress = _Progress(lag=lag, done=done, since_s=time.monotonic() if moved else before.since_s)

    def _stuck(self) -> str:
        progress = self._progress
        stuck_s = time.monotonic() - progress.since_s
        if progress.lag == 0 or stuck_s <= self._stuck_s:
            return ""
        return f"no progress for {stuck_s:.0f} s while {progress.lag} messages wait"

    def ready(self) -> None:
        """The role has all that it needs, and its loop turns."""
        self._lacking = ""
        self.turned()

    def not_ready(self, because: str) -> None:
        """The role lost something that it needs; its loop still turns."""
        self._lacking = because
        self.turned()

    def turned(self) -> None:
        """The loop has turned once more."""
        self._turned_s = time.monotonic()

    def stalled_s(self) -> float:
        """Seconds since the loop turned, if that is too long; else 0."""
        silent_s = time.monotonic() - self._turned_s
        return silent_s if silent_s > self._stall_s else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Progress:
    lag: int
    done: object
    since_s: float  # when `done` last changed, or messages began to wait
