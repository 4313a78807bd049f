"""chDB in a process of its own that speaks ClickHouse's HTTP interface on loopback: `python -m sinks.clickhouse.engine
FOLDER PORT`.

So deliver, the page, `driftline query`, curl and any client of ClickHouse use it side by side while it runs, as they
would a server, which ClickHouse does not ship as a wheel. It knows what clients use: statements in the body or in
`query`, `param_*`, `database`, `default_format`, settings, compressed bodies, exceptions with their code. It has no
users and no replication, and listens on loopback alone. A browser is no client: requests that a page sends carry an
`Origin`, and those that were lured here by a name (DNS rebinding) another `Host`; both are refused.
"""

import contextlib
import email
import email.message
import gzip
import queue
import re
import signal
import socket
import sys
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType
from typing import Any, ClassVar, Final
from urllib.parse import parse_qsl, urlsplit

CONNECTIONS: Final = 4
"""Statements that run side by side. An insert does not wait for a slow query."""
MAX_BODY_BYTES: Final = 512 << 20
_TRANSPORT: Final = frozenset(
    {
        "query", "database", "default_format", "compress", "decompress", "user", "password", "session_id",
        "session_timeout", "session_check", "query_id", "wait_end_of_query", "buffer_size", "quota_key", "role",
        "client_protocol_version", "send_progress_in_http_headers", "http_headers_progress_interval_ms",
        "enable_http_compression", "readonly", "stacktrace",
    }
)  # fmt: skip
_INSERT: Final = re.compile(r"\s*INSERT\s", re.IGNORECASE)
_OWN_ROWS: Final = re.compile(
    r"\s*INSERT\s+INTO\s+(TABLE\s+)?[\w.`\"]+\s*(\([^)]*\))?\s*(SELECT|WITH|VALUES)\b", re.IGNORECASE
)
_SELECT_OR_VALUES: Final = re.compile(r"\b(SELECT|VALUES|WITH)\b", re.IGNORECASE)
_FORMAT: Final = re.compile(r"\s+FORMAT\s+(\w+)\s*;?\s*$", re.IGNORECASE)
_READS: Final = re.compile(r"\s*(SELECT|WITH|SHOW|DESCRIBE|DESC|EXPLAIN|EXISTS|CHECK)\b", re.IGNORECASE)
_CODE: Final = re.compile(r"Code: ?(\d+)")
_NAME: Final = re.compile(r"\w+")
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_READONLY: Final = "Code: 164. DB::Exception: Cannot execute query in readonly mode. (READONLY)"


class Engine:
    """The engine: some connections to one folder, each for one statement at a time."""

    def __init__(self, folder: str) -> None:
        import chdb  # takes a second, and 200 MB

        self._all = [chdb.connect(folder) for _ in range(CONNECTIONS)]  # type: ignore[no-untyped-call]  # has no hints
        self._free: queue.LifoQueue[Any] = queue.LifoQueue()
        for connection in self._all:
            self._free.put(connection)

    @contextlib.contextmanager
    def _connection(self, database: str, settings: Mapping[str, str]) -> Iterator[Any]:
        connection = self._free.get()
        try:
            if database:
                connection.query(f"USE `{database.replace('`', '')}`")
            for name, value in settings.items():
                connection.query(f"SET {name} = {_quoted(value)}")
            yield connection
        finally:
            for name in settings:
                connection.query(f"SET {name} = DEFAULT")
            if database:
                connection.query("USE default")
            self._free.put(connection)

    def run(self, statement: bytes, data: bytes, options: Mapping[str, str]) -> tuple[bytes, str]:
        """What a statement answers, and in which format. Raises `RuntimeError` with ClickHouse's code and words."""
        settings = {
            name: value
            for name, value in options.items()
            if name not in _TRANSPORT and not name.startswith("param_") and _NAME.fullmatch(name)
        }
        parameters = {name[len("param_") :]: value for name, value in options.items() if name.startswith("param_")}
        if options.get("readonly", "0") != "0" and not _READS.match(statement.decode("utf-8", "replace")):
            raise RuntimeError(_READONLY)
        with self._connection(options.get("database", ""), settings) as connection:
            if _INSERT.match(statement.decode("utf-8", "replace")) and (inserted := _insert(statement, data)):
                target, form, rows = inserted
                with connection.send_insert(target, form) as inserter:
                    inserter.append(rows)
                    inserter.finish()
                return b"", form
            text = (statement + data).decode()
            named = _FORMAT.search(text)
            form = named[1] if named else options.get("default_format", "TabSeparated")
            return bytes(connection.query(text, form, params=parameters).bytes() or b""), form

    def close(self) -> None:
        """Close the folder."""
        for connection in self._all:
            connection.close()


def _insert(statement: bytes, data: bytes) -> tuple[str, str, bytes] | None:
    """Target, format and rows of an INSERT with data of its own; None where it reads them from a query."""
    if not data and _OWN_ROWS.match(statement.decode("utf-8", "replace")):
        return None
    head, _, rest = (statement, b"", data) if data else statement.partition(b"\n")
    text = head.decode()
    named = _FORMAT.search(text)
    if named is None:
        return None if _SELECT_OR_VALUES.search(text) or not rest else (text.strip(), "TabSeparated", rest)
    return text[: named.start()].strip(), named[1], rest


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return value if re.fullmatch(r"-?\d+(\.\d+)?", value) else f"'{escaped}'"


def _unpacked(body: bytes, encoding: str) -> bytes:
    if encoding in ("", "identity"):
        return body
    if encoding == "lz4":
        import lz4.frame  # type: ignore[import-untyped]  # has no stubs

        return bytes(lz4.frame.decompress(body))
    if encoding == "zstd":
        import zstandard

        try:
            return zstandard.ZstdDecompressor().decompressobj().decompress(body)
        except zstandard.ZstdError as error:
            raise ValueError(str(error)) from error
    if encoding == "gzip":
        return gzip.decompress(body)
    if encoding == "deflate":
        return zlib.decompress(body)
    raise ValueError(f"Content-Encoding {encoding!r} is not known")


def _fields(content_type: str, body: bytes) -> dict[str, str]:
    """The fields of a form."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1")
    message = email.message_from_bytes(head + body)
    parts = message.get_payload() if message.is_multipart() else []
    found = {}
    for part in parts:
        if isinstance(part, email.message.Message):
            name = part.get_param("name", header="content-disposition")
            data = part.get_payload(decode=True)
            if isinstance(name, str) and isinstance(data, bytes):
                found[name] = data.decode()
    return found


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    engine: ClassVar[Engine]

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else each answer waits 40 ms for an ACK

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        """Run a statement, or say that the engine is there."""
        url = urlsplit(self.path)
        options = dict(parse_qsl(url.query, keep_blank_values=True))
        try:
            body = _unpacked(self._body(), self.headers.get("Content-Encoding", ""))
        except (ValueError, RuntimeError, OSError, EOFError, zlib.error, ImportError) as error:
            self.close_connection = True
            self._answer(400, f"the body cannot be read: {error}\n".encode())
            return
        if self.headers.get_content_type() == "multipart/form-data":  # how clients send what is too long for an address
            options |= _fields(self.headers["Content-Type"], body)
            body = b""
        host = urlsplit(f"//{self.headers.get('Host', '')}").hostname
        if self.headers.get("Origin") or host not in _LOOPBACK:
            self._answer(403, b"this engine answers programs of this machine, and no web pages\n")
        elif url.path in ("/ping", "/replicas_status"):
            self._answer(200, b"Ok.\n")
        elif url.path != "/" or not (options.get("query") or body):
            self._answer(200 if url.path == "/" else 404, b"Ok.\n" if url.path == "/" else b"There is no such page.\n")
        else:
            self._run(options, body)

    do_POST = do_GET  # noqa: N815 - the names are http.server's

    def _run(self, options: Mapping[str, str], body: bytes) -> None:
        statement, data = (options["query"].encode(), body) if options.get("query") else (body, b"")
        try:
            answer, form = self.engine.run(statement, data, options)
        except (RuntimeError, UnicodeDecodeError) as error:  # chDB's own error is a RuntimeError
            code = _CODE.search(str(error))
            self._answer(
                500,
                f"{error}\n".encode("utf-8", "replace"),
                {"X-ClickHouse-Exception-Code": code[1] if code else "1002"},
            )
        else:
            self._answer(200, answer, {"X-ClickHouse-Format": form, "X-ClickHouse-Timezone": "UTC"})

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            length = int(self.headers.get("Content-Length") or 0)
            if length > MAX_BODY_BYTES:
                raise ValueError(f"larger than {MAX_BODY_BYTES} bytes")
            return self.rfile.read(length)
        chunks, n_bytes = [], 0
        while size := int(self.rfile.readline().split(b";")[0], 16):
            n_bytes += size
            if n_bytes > MAX_BODY_BYTES:
                raise ValueError(f"larger than {MAX_BODY_BYTES} bytes")
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: object) -> None:
        """A client that hung up is no error of ours."""


def serve(folder: str, port: int, ready: Callable[[], None] = lambda: None) -> None:
    """Serve the engine in `folder` until SIGTERM. Raises `RuntimeError` where the folder is in use, `OSError` where the
    port is."""
    engine = Engine(folder)
    try:
        server = _Server(("127.0.0.1", port), type("Handler", (_Handler,), {"engine": engine}))

        def stop(_number: int, _frame: FrameType | None) -> None:
            threading.Thread(target=server.shutdown).start()  # it waits for the loop, which this thread runs

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started this
        ready()
        with server:
            server.serve_forever(poll_interval=0.2)
    finally:
        engine.close()


if __name__ == "__main__":
    try:
        serve(sys.argv[1], int(sys.argv[2]))
    except (RuntimeError, OSError, ImportError) as error:
        sys.exit(f"{error}".splitlines()[0])
