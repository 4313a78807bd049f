"""`/healthz`, `/readyz` and `/metrics` mean something, and a port that is taken is said plainly."""

import contextlib
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import pytest

from monitor import telemetry
from monitor.config.addresses import Address
from monitor.errors import Unavailable
from monitor.process.health import Health
from monitor.process.health_server import MAX_CONNECTIONS, HealthServer

LOOPBACK = "127.0.0.1"


@pytest.fixture
def health() -> Health:
    return Health("ingest")


@pytest.fixture
def server(health: Health) -> Iterator[HealthServer]:
    made = HealthServer(health, Address(host=LOOPBACK, port=0))
    yield made
    made.close()


def get(server: HealthServer, path: str) -> tuple[int, str]:
    request = urllib.request.Request(f"http://{LOOPBACK}:{server.port}{path}")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def test_a_role_that_starts_is_healthy_and_not_ready(server: HealthServer) -> None:
    assert get(server, "/healthz") == (200, "ingest: ok\n")
    assert get(server, "/readyz") == (503, "ingest: not ready: starting\n")


def test_a_role_becomes_ready_loses_it_and_becomes_ready_again(health: Health, server: HealthServer) -> None:
    health.ready()
    assert get(server, "/readyz") == (200, "ingest: ready\n")
    health.not_ready("partitions revoked")
    assert get(server, "/readyz") == (503, "ingest: not ready: partitions revoked\n")
    health.ready()
    assert get(server, "/readyz")[0] == 200


def test_a_lost_broker_outweighs_what_the_role_says_of_itself(health: Health, server: HealthServer) -> None:
    health.ready()
    health.broker_lost = "Kafka at here:9092 does not answer"
    health.ready()  # a loop with nothing to do still turns
    assert get(server, "/readyz") == (503, "ingest: not ready: Kafka at here:9092 does not answer\n")
    assert get(server, "/healthz")[0] == 200, "starting the role again would not bring the broker back"
    health.broker_lost = ""
    assert get(server, "/readyz")[0] == 200


def test_a_loop_that_no_longer_turns_is_unhealthy_until_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 1_000.0
    monkeypatch.setattr("monitor.process.health.time.monotonic", lambda: now_s)
    health = Health("score", stall_s=60.0)
    now_s += 60.0
    assert health.stalled_s() == 0.0
    now_s += 1.0
    assert health.stalled_s() == 61.0
    for sign_of_life in (health.turned, health.ready, lambda: health.not_ready("no database")):
        now_s += 100.0
        assert health.stalled_s() > 60.0
        sign_of_life()
        assert health.stalled_s() == 0.0


def test_a_role_that_does_not_get_on_while_messages_wait_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 1_000.0
    monkeypatch.setattr("monitor.process.health.time.monotonic", lambda: now_s)
    health = Health("deliver", stuck_s=30.0)
    health.ready()

    def after(seconds: float, lag: int, done: object) -> str:
        nonlocal now_s
        now_s += seconds
        health.progress(lag, done)
        health.ready()  # its loop turns
        return health.not_ready_because

    #  lag 5 ...... 30 s: not yet ...... 31 s: stuck ...... one message is done: ready
    assert after(100.0, lag=5, done={"t": 7}) == "", "they may have come only now"
    assert after(30.0, lag=5, done={"t": 7}) == ""
    assert after(1.0, lag=6, done={"t": 7}) == "no progress for 31 s while 6 messages wait"
    assert health.stalled_s() == 0.0
    assert after(50.0, lag=5, done={"t": 8}) == ""
    #  a quiet stream is no lack of progress, however long
    assert after(1.0, lag=0, done={"t": 13}) == ""
    assert after(9_000.0, lag=0, done={"t": 13}) == ""
    assert after(9_000.0, lag=1, done={"t": 13}) == "", "it came after the last look"
    now_s += 31.0
    assert health.not_ready_because, "also when nobody looks any more"


def test_a_stalled_role_answers_503_and_says_for_how_long() -> None:
    server = HealthServer(Health("score", stall_s=-1.0), Address(host=LOOPBACK, port=0))
    try:
        status, text = get(server, "/healthz")
    finally:
        server.close()
    assert status == 503
    assert text.startswith("score: no progress for ")


def test_metrics_are_in_the_prometheus_format(server: HealthServer) -> None:
    telemetry.ROLE_RESTARTS.labels("test-of-health").inc()
    with urllib.request.urlopen(f"http://{LOOPBACK}:{server.port}/metrics", timeout=10) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        text = answer.read().decode()
    assert "# TYPE driftline_role_restarts_total counter" in text
    assert 'driftline_role_restarts_total{role="test-of-health"} 1.0' in text


@pytest.mark.parametrize("path", ["/", "/metrics/x", "/readyz?x", "/etc/passwd", "/%2e%2e/"])
def test_any_other_path_is_404_and_names_those_that_there_are(server: HealthServer, path: str) -> None:
    assert get(server, path) == (404, "/metrics /healthz /readyz\n")


def test_connections_that_send_nothing_neither_pile_up_nor_keep_others_waiting(server: HealthServer) -> None:
    before = threading.active_count()
    with contextlib.ExitStack() as held:
        for number in range(400):
            half_sent = held.enter_context(socket.create_connection((LOOPBACK, server.port), timeout=10))
            half_sent.sendall(b"GET /healthz HTTP/1.1\r\n")
            if number % 100 == 99:
                assert get(server, "/healthz") == (200, "ingest: ok\n")
                assert threading.active_count() <= before + MAX_CONNECTIONS
        assert get(server, "/metrics")[0] == 200


def test_a_client_that_falls_silent_is_hung_up_on(health: Health, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.process.health_server.READ_WITHIN_S", 0.05)
    server = HealthServer(health, Address(host=LOOPBACK, port=0))
    with contextlib.closing(server), socket.create_connection((LOOPBACK, server.port), timeout=10) as half_sent:
        half_sent.sendall(b"GET /healthz HTTP/1.1\r\n")
        assert half_sent.recv(1) == b""


def test_a_port_in_use_is_one_clear_error_with_a_way_out(server: HealthServer) -> None:
    taken = Address(host=LOOPBACK, port=server.port)
    with pytest.raises(Unavailable, match=f"cannot serve metrics on {taken}: Address already in use") as caught:
        HealthServer(Health("deliver"), taken)
    assert "metrics.listen" in caught.value.hint


@pytest.mark.parametrize(("host", "port"), [(LOOPBACK, 70_000), ("192.0.2.1", 0), ("no-such-host.invalid", 0)])
def test_an_address_that_cannot_be_had_is_one_clear_error(host: str, port: int) -> None:
    with pytest.raises(Unavailable, match=f"cannot serve metrics on {host}:{port}: .+"):
        HealthServer(Health("deliver"), Address(host=host, port=port))


def test_an_ipv6_address_is_served() -> None:
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
    server = HealthServer(Health("ingest"), Address(host="::1", port=0))
    try:
        with urllib.request.urlopen(f"http://[::1]:{server.port}/healthz", timeout=10) as answer:
            assert answer.status == 200
    finally:
        server.close()


def test_closing_frees_the_port(health: Health, free_port: Callable[[], int]) -> None:
    address = Address(host=LOOPBACK, port=free_port())
    for _ in range(2):
        server = HealthServer(health, address)
        assert get(server, "/healthz")[0] == 200
        server.close()
    with pytest.raises(urllib.error.URLError):
        get(server, "/healthz")


def test_without_an_address_nothing_listens(health: Health) -> None:
    server = HealthServer(health, None)
    assert server.port == 0
    server.close()
