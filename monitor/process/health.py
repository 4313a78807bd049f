"""`/metrics`, `/healthz` and `/readyz` of one process.

Healthy: the role's loop has turned within `stall_s`; an orchestrator restarts what is not. Ready: the role has its
broker (and deliver its database), and gets on where there is something to do; one that lost it is not ready, and
becomes ready again by itself.
"""

import socket
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from monitor.config.addresses import Address
from monitor.errors import Unavailable

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


class HealthServer:
    """Serves a role's metrics and health on `listen` until closed; does nothing when `listen` is None."""

    def __init__(self, health: Health, listen: Address | None) -> None:
        self._server: ThreadingHTTPServer | None = None
        if listen is None:
            return
        handler = type("Handler", (_Handler,), {"health": health})
        server = _ServerOnIPv6 if ":" in listen.host else ThreadingHTTPServer
        try:
            self._server = server((listen.host, listen.port), handler)
        except (OSError, OverflowError) as error:  # the latter: a port beyond 65535, where roles take the next ones
            because = error.strerror if isinstance(error, OSError) else str(error)
            raise Unavailable(
                f"cannot serve metrics on {listen}: {because}",
                hint="set metrics.listen to an address of this machine and a port that no other process has, or to off",
            ) from error
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()

    @property
    def port(self) -> int:
        """The port that is listened on; 0 for none."""
        return int(self._server.server_address[1]) if self._server else 0

    def close(self) -> None:
        """Stop serving and free the port."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()


class _ServerOnIPv6(ThreadingHTTPServer):
    address_family = socket.AF_INET6


class _Handler(BaseHTTPRequestHandler):
    health: ClassVar[Health]

    def do_GET(self) -> None:
        """Answer one request."""
        if self.path == "/metrics":
            self._answer(200, generate_latest(), CONTENT_TYPE_LATEST)
        elif self.path == "/healthz":
            stalled_s = self.health.stalled_s()
            text = (
                f"{self.health.role}: no progress for {stalled_s:.0f} s\n" if stalled_s else f"{self.health.role}: ok\n"
            )
            self._answer(503 if stalled_s else 200, text.encode())
        elif self.path == "/readyz":
            because = self.health.not_ready_because
            text = f"{self.health.role}: not ready: {because}\n" if because else f"{self.health.role}: ready\n"
            self._answer(503 if because else 200, text.encode())
        else:
            self._answer(404, b"/metrics /healthz /readyz\n")

    def _answer(self, status: int, body: bytes, content_type: str = "text/plain; charset=utf-8") -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Probes every few seconds are not worth a log line."""
