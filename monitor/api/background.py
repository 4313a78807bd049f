"""The page served beside what else a process does: for pictures, and for measuring it."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import uvicorn

from monitor.api.app import make_app
from monitor.api.site import Site


@contextlib.contextmanager
def served(site: Site) -> Iterator[str]:
    """Serve on a free port of the loopback; yields the origin."""
    with contextlib.closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)  # who asks before the server has begun waits for it
        server = uvicorn.Server(uvicorn.Config(make_app(site), log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
