"""Apache Kafka itself, one process, from its own jars."""

import atexit
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from support.jars import kafka_jars
from support.ports import free_port
from support.readiness import wait_until_answers

_CLUSTER_ID = "4L6g3nShT-eMCtK--X86sw"
_START_S = 90.0
_STOP_S = 30.0

# One node, so one copy of everything. Few partitions and no delays: a group forms in milliseconds, and a dead worker's
# transaction is rolled back within a second of its timeout. A broker that was killed may come back only when the
# session of the one before has ended: the default of 9 s made it 19 s until it answered again, 3 s makes it 6.
SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "auto.create.topics.enable": "false",
    "message.max.bytes": str(16 * 1024 * 1024),
    "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
}


class ApacheKafka:
    """A broker of its own, on free ports of 127.0.0.1, with its data and log in `directory`.

    `start` after `stop` or `kill` goes on with the same data on the same port. Where `setpriv` is installed it dies
    with the process that started it; to be exact with the *thread* (`PR_SET_PDEATHSIG`), so start it from the main one.

    Raises `support.jars.NoJars` when made where there is no Java or no Maven.
    """

    kind = "Apache Kafka, jars by Maven"
    transactional = True

    def __init__(self, directory: Path) -> None:
        self._jars = kafka_jars()
        self._directory = directory
        self._properties = directory / "server.properties"
        self.log = directory / "kafka.log"
        port, controller_port = free_port(), free_port()
        self.bootstrap_servers = f"127.0.0.1:{port}"
        self._process: subprocess.Popen[bytes] | None = None
        settings = {
            **SETTINGS,
            "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
            "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
            "log.dirs": str(directory / "data"),
        }
        directory.mkdir(parents=True, exist_ok=True)
        self._properties.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))

    @property
    def pid(self) -> int | None:
        """Its process, while it runs."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start it and return when it answers. Raises `RuntimeError` with the end of its log when it does not."""
        if self._process:
            raise RuntimeError("it runs already")
        if not (self._directory / "data").is_dir():
            self._format()
        with self.log.open("ab") as log:
            # A session of its own: Ctrl-C reaches pytest alone, which stops the broker after the tests that use it.
            self._process = subprocess.Popen(
                self._java("kafka.Kafka", str(self._properties), dies_with_us=True),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        atexit.register(self.kill)
        process = self._process
        why_not = wait_until_answers(self.bootstrap_servers, _START_S, still_alive=lambda: process.poll() is None)
        if why_not:
            self.kill()
            end = "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])
            raise RuntimeError(f"Apache Kafka did not start: {why_not}\n{end}")

    def stop(self) -> None:
        """Stop it in good order; its data stay. Nothing when it does not run."""
        if self._process:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._gone()

    def kill(self) -> None:
        """`kill -9`; its data stay as they are. Nothing when it does not run."""
        if self._process:
            self._process.kill()
        self._gone()

    def remove(self) -> None:
        """Kill it and delete its data."""
        self.kill()
        shutil.rmtree(self._directory / "data", ignore_errors=True)

    def _gone(self) -> None:
        if self._process:
            self._process.wait()
            self._process = None
        atexit.unregister(self.kill)

    def _format(self) -> None:
        """Make the data folder: a copy of one that was formatted once, by a Java of its own, for these jars."""
        formatted = self._jars.with_name(f"{self._jars.name}-formatted")
        if not formatted.is_dir():
            tool = ["kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", str(self._properties)]
            with self.log.open("ab") as log:
                subprocess.run(self._java(*tool), stdout=log, stderr=log, stdin=subprocess.DEVNULL, check=True)
            copy = Path(tempfile.mkdtemp(prefix="copy-", dir=formatted.parent))
            shutil.copytree(self._directory / "data", copy, dirs_exist_ok=True)
            try:
                copy.rename(formatted)  # of two that format at the same time the first wins
            except OSError:
                shutil.rmtree(copy)
            return
        shutil.copytree(formatted, self._directory / "data")

    def _java(self, *arguments: str, dies_with_us: bool = False) -> list[str]:
        guard = ["setpriv", "--pdeathsig", "KILL"] if dies_with_us and shutil.which("setpriv") else []
        # It lives for seconds or minutes: quick compiling, and no check of bytecode, take 4 s of processor time off its
        # 9 s to start.
        flags = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        flags += ["-XX:+UnlockDiagnosticVMOptions", "-XX:-BytecodeVerificationRemote"]
        flags += ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
        return [*guard, "java", *flags, "-cp", f"{self._jars}/*", *arguments]
