"""`/metrics`, `/healthz` and `/readyz` of one process, over HTTP.

An orchestrator restarts what is not healthy (503 from `/healthz`), and sends nothing to what is not ready (`/readyz`).
"""

import contextlib
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Final

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from monitor.config.addresses import Address
from monitor.errors import Unavailable
from monitor.process.health import Health

MAX_CONNECTIONS: Final = 32
READ_WITHIN_S: Final = 5.0
"""How long a client may be silent before its connection is closed, in seconds."""


class HealthServer:
    """Serves a role's metrics and health on `listen` until closed; does nothing when `listen` is None."""

    def __init__(self, health: Health, listen: Address | None) -> None:
        self._server: _Server | None = None
        if listen is None:
            return
        handler = type("Handler", (_Handler,), {"health": health, "timeout": READ_WITHIN_S})
        server = _ServerOnIPv6 if ":" in listen.host else _Server
        try:
            self._server = server((listen.host, listen.port), handler)
        except (OSError, OverflowError) as error:  # the latter: a port beyond 65535, where roles take the next ones
            because = error.strerror if isinstance(error, OSError) else str(error)
            raise Unavailable(
                f"cannot serve metrics on {listen}: {because}",
                hint="set metrics.listen to an address of this machine and a port that no other process has, or to off",
            ) from error
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


class _Server(ThreadingHTTPServer):
    """A thread a connection, and a bound on both: the connection that has been open longest makes room for a new one.

    An answer takes milliseconds, so that one is a client that does not send its request, or does not read.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._open: dict[socket.socket, None] = {}
        self._open_changes = threading.Lock()
        self._free = threading.BoundedSemaphore(MAX_CONNECTIONS)
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for a connection."""
        with self._open_changes:
            if len(self._open) == MAX_CONNECTIONS:
                oldest = next(iter(self._open))
                with contextlib.suppress(OSError):  # its client may have closed it just now
                    oldest.shutdown(socket.SHUT_RDWR)
        self._free.acquire()  # its thread notices at once, and ends
        with self._open_changes:
            self._open[request] = None
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection; it is this one's thread that calls."""
        super().shutdown_request(request)
        with self._open_changes:
            known = self._open.pop(request, self) is None
        if known:
            self._free.release()


class _ServerOnIPv6(_Server):
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
