"""uvicorn round the application, on a socket that listens already."""

import contextlib
import socket
from collections.abc import Iterator

import uvicorn

from monitor.api.app import make_app
from monitor.api.site import Site
from monitor.cli.roles import stopping


class _Server(uvicorn.Server):
    """Leaves signals to `stopping`, as every role does; uvicorn would end the process by the signal itself."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def run(site: Site, listener: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT."""
    settings = uvicorn.Config(
        make_app(site),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=3,
        lifespan="off",
    )
    server = _Server(settings)

    def stop() -> None:
        server.should_exit = True

    with stopping(stop):
        server.run(sockets=[listener])
