"""An HTTP or HTTPS server of this machine that answers as a test says, and keeps what it was asked."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Asked(NamedTuple):
    """One request."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Reply(NamedTuple):
    """What is answered; `body` is sent as JSON unless it is bytes.

    fault: "" for none, `close` (the connection, without a word), `silent` (never a word), `drip` (a byte at a time,
    without end), `cut` (half of the body).
    """

    status: int = 200
    body: Any = b"{}"
    headers: Mapping[str, str] = {}
    fault: str = ""


Respond = Callable[[Asked], Reply]


class LocalServer:
    """Answers by `respond`, which a test may change at any time."""

    def __init__(self, respond: Respond, tls: ssl.SSLContext | None = None) -> None:
        self.respond = respond
        self.asked: list[Asked] = []
        self.closing = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                asked = Asked(self.command, self.path, dict(self.headers.items()), self.rfile.read(length))
                outer.asked.append(asked)
                self.reply(outer.respond(asked))

            do_GET = do_POST = do_PUT = answer

            def reply(self, reply: Reply) -> None:
                if reply.fault in ("close", "silent"):
                    if reply.fault == "silent":
                        outer.closing.wait(30)
                    self.close_connection = True
                    return
                body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(10_000_000 if reply.fault == "drip" else len(body)))
                self.end_headers()
                if reply.fault == "drip":
                    while not outer.closing.wait(0.05):
                        self.wfile.write(b" ")
                        self.wfile.flush()
                if reply.fault == "cut":
                    body = body[: len(body) // 2]
                    self.close_connection = True
                if reply.status not in (204, 304):
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                pass  # clients that gave up

        self._server = Server(("127.0.0.1", 0), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        host = "localhost" if tls is not None else "127.0.0.1"
        self.url = f"{'https' if tls else 'http'}://{host}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextmanager
def serving(respond: Respond = lambda asked: Reply(), tls: ssl.SSLContext | None = None) -> Iterator[LocalServer]:
    server = LocalServer(respond, tls)
    try:
        yield server
    finally:
        server.close()
