"""The HTTP path of the driver. ClickHouse's server comes as no wheel, so both servers below are stand-ins:

- `Trouble` is a fake: it answers every request with one prepared failure. It tests how failures are classified.
- `Bridge` runs the requests it gets on chDB. SQL, types and formats are the real engine's; of the HTTP
  protocol it knows only what the driver uses. It tests that what the sink sends means the same as in process.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

import lz4.frame  # type: ignore[import-untyped]  # has no stubs
import msgspec
import pytest
from support.batches import batch_of
from support.clickhouse import read

from sinks.clickhouse.address import ClickHouseAddress
from sinks.clickhouse.client import connect
from sinks.clickhouse.migrations import migrate, migrations, pending
from sinks.clickhouse.sink import ClickHouseSink
from sinks.destination import Written
from sinks.errors import SinkRejected, SinkUnavailable
from sinks.records import RECORDS, Reject, rejects_batch

chdb = pytest.importorskip("chdb", reason="the embedded engine is an optional dependency")

SECRET = "hunter2hunter2"


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """The server's address, as a DSN."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"clickhouse://me:{SECRET}@127.0.0.1:{server.server_port}/default"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            chunks = []
            while size := int(self.rfile.readline(), 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            self.respond(b"".join(chunks))
        else:
            self.respond(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    do_POST = do_GET

    def respond(self, body: bytes) -> None:
        raise NotImplementedError

    def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def trouble(status: int, body: str, code: int | None = None) -> type[BaseHTTPRequestHandler]:
    class Trouble(Quiet):
        def respond(self, _: bytes) -> None:
            headers = {} if code is None else {"X-ClickHouse-Exception-Code": str(code)}
            self.answer(status, body.encode(), headers)

    return Trouble


@pytest.mark.parametrize(
    ("status", "code", "body", "expected"),
    [
        (503, None, "<html>no healthy upstream</html>", SinkUnavailable),
        (502, None, "", SinkUnavailable),
        (429, None, "slow down", SinkUnavailable),
        (500, 202, "Code: 202. DB::Exception: Too many simultaneous queries.", SinkUnavailable),
        (500, 241, "Code: 241. DB::Exception: Memory limit exceeded.", SinkUnavailable),
        (403, 516, "Code: 516. DB::Exception: me: Authentication failed", SinkRejected),
        (403, 497, "Code: 497. DB::Exception: me: Not enough privileges.", SinkRejected),
        (404, 81, "Code: 81. DB::Exception: Database drift does not exist.", SinkRejected),
        (401, None, "", SinkRejected),
    ],
)
def test_an_answer_is_classified(status: int, code: int | None, body: str, expected: type[Exception]) -> None:
    with serving(trouble(status, body, code)) as dsn, pytest.raises(expected) as caught:
        connect(dsn)
    assert SECRET not in f"{caught.value!r} {caught.value.__cause__!r}"
    assert "clickhouse://me:***@127.0.0.1" in str(caught.value)


def test_a_refused_connection_is_tried_again() -> None:
    with closing(socket.socket()) as held:
        held.bind(("127.0.0.1", 0))  # bound, never listening
        with pytest.raises(SinkUnavailable):
            connect(f"clickhouse://127.0.0.1:{held.getsockname()[1]}/db")


def test_an_unknown_host_is_tried_again() -> None:
    with pytest.raises(SinkUnavailable):
        connect("clickhouse://no-such-host.invalid/db")


def test_a_server_that_never_answers_is_tried_again() -> None:
    with closing(socket.socket()) as held:
        held.bind(("127.0.0.1", 0))
        held.listen()  # the kernel accepts, nobody reads
        with pytest.raises(SinkUnavailable):
            connect(f"clickhouse://127.0.0.1:{held.getsockname()[1]}/db", send_receive_timeout_s=1)


def test_a_connection_that_breaks_is_tried_again() -> None:
    class Breaks(Quiet):
        def respond(self, _: bytes) -> None:
            self.close_connection = True

    with serving(Breaks) as dsn, pytest.raises(SinkUnavailable):
        connect(dsn)


def test_a_plain_server_where_tls_is_expected_is_not_taken_for_a_server(tmp_path: Path) -> None:
    with serving(trouble(200, "")) as dsn, pytest.raises((SinkUnavailable, SinkRejected)) as caught:
        connect(dsn.replace("clickhouse://", "clickhouses://"))
    assert SECRET not in str(caught.value)


class Bridge(Quiet):
    engine: ClassVar[Any]
    lock: ClassVar[threading.Lock] = threading.Lock()
    requests: ClassVar[list[str]] = []
    fail_inserts_with: ClassVar[int | None] = None
    folder: ClassVar[Path]

    def respond(self, body: bytes) -> None:
        options = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        if self.headers.get("Content-Encoding") == "lz4":
            body = lz4.frame.decompress(body)
        sql = options.get("query", "").encode()
        text, data = (sql, body) if sql else (body, b"")
        if text.lstrip().upper().startswith(b"INSERT") and not data and b"\nSELECT " not in body:
            text, _, data = body.partition(b"\n")
        parameters = {name[6:]: value for name, value in options.items() if name.startswith("param_")}
        with self.lock:
            self.requests.append(f"{self.path} {text.decode('utf-8', 'replace')}")
            try:
                self.answer(200, self.run(text, data, parameters), {"X-ClickHouse-Format": "Native"})
            except RuntimeError as error:
                code = str(error).partition("Code: ")[2].partition(".")[0]
                self.answer(500, str(error).encode(), {"X-ClickHouse-Exception-Code": code})

    def run(self, text: bytes, data: bytes, parameters: dict[str, str]) -> bytes:
        if not text.lstrip().upper().startswith(b"INSERT") or b"\nSELECT " in text:
            return bytes(self.engine.query(text.decode(), "TabSeparated", params=parameters).bytes() or b"")
        if self.fail_inserts_with is not None:
            raise RuntimeError(f"Code: {self.fail_inserts_with}. DB::Exception: as the test asked for")
        file = self.folder / "block"
        file.write_bytes(data)
        target, _, form = text.decode().strip().rpartition(" FORMAT ")
        settings = "max_partitions_per_insert_block = 0"
        self.engine.query(f"{target} FROM INFILE '{file}' SETTINGS {settings} FORMAT {form}")
        return b""


@pytest.fixture
def bridge(tmp_path: Path) -> Iterator[str]:
    Bridge.folder = tmp_path
    Bridge.engine = chdb.connect(str(Bridge.folder / "db"))  # type: ignore[no-untyped-call]  # has no hints
    try:
        with serving(Bridge) as dsn:
            yield dsn
    finally:
        Bridge.engine.close()


SCORE = {
    "model": "m", "version": "1", "segment": "größe=ü", "column": "x", "method": "psi", "window_start_ms": 1,
    "window_end_ms": 3_600_001, "reference": "ab", "compare": "pinned", "statistic": -0.0, "effect": 0.0,
    "p_value": float("inf"), "calibration": "theory", "threshold": 0.2, "n_reference": 2**64 - 1, "n_current": 500,
    "error_bound": 0.0, "revision": 1,
}  # fmt: skip
REJECT = Reject(
    model="m", reason="schema", source_topic="t", source_partition=0, source_offset=7, event_index=0,
    detail="no timestamp", time_ms=5, raw=b"\xff\x00{",
)  # fmt: skip
SCORES, REJECTS = batch_of(RECORDS["drift_score"], [SCORE]), rejects_batch([REJECT])


def test_over_http_the_sink_does_what_it_does_in_process(bridge: str) -> None:
    with closing(connect(bridge)) as client:
        assert migrate(client) == migrations()
        assert migrate(client) == []
        assert pending(client) == []
        sink = ClickHouseSink(bridge)
        sink.setup()
        assert sink.write([SCORES, REJECTS, SCORES]) == Written()
        assert read(client, "drift_score") == [SCORE]
        assert repr(read(client, "drift_score", "segment = {s:String}", {"s": "größe=ü"})) == repr([SCORE])
        assert read(client, "reject") == [msgspec.structs.asdict(REJECT)]
        sink.close()


def test_a_failed_insert_is_tried_again_and_then_written_once(bridge: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(connect(bridge)) as client:
        migrate(client)
        sink = ClickHouseSink(bridge)
        sink.setup()
        monkeypatch.setattr(Bridge, "fail_inserts_with", 252)
        with pytest.raises(SinkUnavailable) as caught:
            sink.write([REJECTS])
        assert caught.value.retry_after_s >= 1
        monkeypatch.setattr(Bridge, "fail_inserts_with", None)
        assert sink.write([REJECTS]) == Written()
        assert read(client, "reject") == [msgspec.structs.asdict(REJECT)]
        sink.close()


def test_the_password_is_in_no_query(bridge: str) -> None:
    Bridge.requests.clear()
    with closing(connect(bridge)) as client:
        assert client.command("SELECT 1") == 1
    assert any("SELECT 1" in request for request in Bridge.requests)
    assert not any(SECRET in request for request in Bridge.requests)
    assert SECRET not in repr(ClickHouseAddress.parse(bridge))
