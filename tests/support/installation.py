"""A whole Driftline beside a test: a configuration, role processes that may be killed, and the rows that came out."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import Producer
from support.environments import Environment

from monitor import wiring
from monitor.config.load import load
from monitor.config.schema import Config
from monitor.kafka import topics
from monitor.kafka.progress import GroupProgress
from monitor.process.children import dying_with_parent
from sinks.clickhouse.client import connect

ROLES = ("ingest", "evaluate", "deliver")


class Installation:
    """One configuration in a folder of its own, on a broker that is there; chDB for ClickHouse.

    `name` makes groups and topics unique, so that installations share a broker without meeting.
    """

    def __init__(
        self,
        folder: Path,
        bootstrap_servers: str,
        name: str,
        models: list[dict[str, Any]],
        *,
        destinations: dict[str, Any] | None = None,
        **kafka: object,
    ) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "driftline.yaml"
        document = {
            "models": models,
            "kafka": {
                "bootstrap_servers": bootstrap_servers,
                "topics": {"predictions": [f"{name}-predictions"], "features": [f"{name}-features"]},
                "consumer_group": name,
                "topic_prefix": f"{name}.drift",
                "sketch_partitions": 2,
                "session_timeout": "6s",
                "commit_interval": "200ms",
                "idle_timeout": "2s",
                **kafka,
            },
            "destinations": {"clickhouse": {"dsn": f"chdb://{folder / 'clickhouse'}"}}
            if destinations is None
            else destinations,
            "metrics": {"listen": "off"},
            "state_dir": str(folder / "state"),
        }
        self.path.write_bytes(msgspec.yaml.encode(document))
        self.config: Config = load(self.path)
        self.source = self.config.kafka.topics.predictions[0]
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.log = (folder / "roles.log").open("ab")

    @property
    def labels(self) -> str:
        """The topic of labels."""
        return self.config.kafka.topics.labels[0]

    def prepare(self, source_partitions: int) -> None:
        """Topics and schema."""
        kafka = self.config.kafka
        sources = {self.source: source_partitions, **dict.fromkeys(kafka.topics.features, 1)}
        if self.config.joins:
            sources[self.labels] = source_partitions
        wiring.prepare_topics(self.config, sources)
        wiring.migrate(self.config)

    def start(self, role: str, worker: str, *arguments: str, release: Environment | None = None) -> None:
        """Start a role's process under the worker's name; of this tree, or of another release."""
        all_arguments = [role, str(self.path), *arguments, "--worker", worker]
        self.processes[worker] = subprocess.Popen(
            release.command(*all_arguments) if release else [sys.executable, "-m", "monitor", *all_arguments],
            cwd=self.folder if release else None,  # the folder that Python starts in comes before what is installed
            env=release.variables() if release else None,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            preexec_fn=dying_with_parent(),
        )

    def terminate(self, worker: str) -> None:
        """Ask a role to finish, and wait until it has."""
        process = self.processes.pop(worker)
        process.terminate()
        assert process.wait(timeout=60) == 0, self.tail()

    def ended(self, worker: str, timeout_s: float = 120.0) -> int:
        """Wait until a role ends by itself; returns its exit code."""
        return self.processes.pop(worker).wait(timeout=timeout_s)

    def kill(self, worker: str) -> None:
        """`kill -9`."""
        process = self.processes.pop(worker)
        process.kill()
        process.wait()

    def has_disk(self, worker: str) -> bool:
        """Whether a score or join worker has begun to keep state on its disk."""
        return any(self._disk(worker).rglob("*.log"))

    def lose_disk(self, worker: str) -> None:
        """Delete what a dead score or join worker kept on its disk."""
        shutil.rmtree(self._disk(worker))

    def _disk(self, worker: str) -> Path:
        return self.folder / "state" / f"{'join' if worker.startswith('join') else 'evaluate'}-{worker}"

    def stop(self) -> None:
        """Ask every role to finish, and wait."""
        for process in self.processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes = {}

    def send(
        self, events: Iterable[bytes], partitions: int, *, topic: str = "", pace: Callable[[int], None] | None = None
    ) -> int:
        """Send events, one a message, round robin over the partitions of a topic, or the source; returns how many."""
        producer = Producer(
            {"bootstrap.servers": self.config.kafka.bootstrap_servers, "linger.ms": 20, "message.max.bytes": 16_000_000}
        )
        n = 0
        for n, event in enumerate(events, start=1):
            while True:
                try:
                    producer.produce(topic or self.source, event, partition=n % partitions)
                    break
                except BufferError:
                    producer.poll(0.1)
            if n % 1000 == 0:
                producer.poll(0)
                if pace is not None:
                    pace(n)
        producer.flush(120)
        return n

    def wait_until_done(self, roles: Sequence[str] = ROLES, timeout_s: float = 240.0) -> None:
        """Wait until each role has committed everything that the one before it sent."""
        kafka = self.config.kafka
        stages = {
            "ingest": [(f"{kafka.consumer_group}-ingest", self.source)],
            "labels": [(f"{kafka.consumer_group}-ingest", kafka.topics.labels[0])],
            "join": [(topics.join_application_id(kafka), kafka.own_topic(topics.JOINS))],
            "evaluate": [(topics.application_id(kafka), kafka.own_topic(topics.SKETCHES))],
            "deliver": [
                (f"{kafka.consumer_group}-deliver-{destination}", kafka.own_topic(name))
                for destination in self.config.destinations
                for name in (topics.RESULTS, topics.REJECTS)
            ],
        }
        for role in roles:
            for group, topic in stages[role]:
                with contextlib.closing(GroupProgress(kafka, group, topic)) as progress:
                    self.wait_for(progress.caught_up, f"{role} to read all of {topic}", timeout_s)

    def breathe(self, seconds: float) -> None:
        """Let the roles work for a while: the one place where time itself is what a test needs."""
        time.sleep(seconds)

    def wait_for(
        self, condition: Callable[[], bool], what: str, timeout_s: float = 60.0, *, every_s: float = 0.1
    ) -> None:
        """Wait for a condition; a role that ended by itself meanwhile, or the deadline, fails the test."""
        deadline_s = time.monotonic() + timeout_s
        while not condition():
            for worker, process in self.processes.items():
                assert process.poll() is None, f"{worker} ended with {process.returncode}:\n{self.tail()}"
            assert time.monotonic() < deadline_s, f"waited {timeout_s:.0f} s for {what}:\n{self.tail()}"
            os.sched_yield()
            time.sleep(every_s)  # between two looks at the condition

    def tail(self) -> str:
        """The roles' last words."""
        return (self.folder / "roles.log").read_text(errors="replace")[-6000:]

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the database; deliver must have been stopped, for one process alone can open chDB's folder."""
        with contextlib.closing(connect(self.config.destinations["clickhouse"].dsn.reveal())) as client:
            return [tuple(row) for row in client.query(sql).result_rows]

    def close(self) -> None:
        self.stop()
        self.log.close()


_KEY = "model, version, reference, segment, column, kind"
_FIGURES = (
    "cityHash64(n, nulls, invalid, counts, arrayMap(x -> toString(x), arrayConcat([minimum, maximum], quantiles))) "
    "AS counted, mean, std, greatest(abs(minimum), abs(maximum)) AS size"
)


def profiles_that_differ(installation: Installation, quality: Path) -> tuple[int, int, int]:
    """The last revisions of all profiles in ClickHouse, beside those that `replay` wrote into `quality`.

    Returns how many there are, how many of either side lack one that is equal to the bit in what comes from counts, and
    how many means or deviations are further apart than 1e-12 of the column's largest magnitude.
    """
    ours = (
        f"SELECT {_KEY}, toUnixTimestamp64Milli(pane_start) AS start, toUnixTimestamp64Milli(pane_end) AS stop, "
        f"{_FIGURES} FROM column_profiles_latest"
    )
    theirs = f"SELECT {_KEY}, pane_start_ms AS start, pane_end_ms AS stop, {_FIGURES} FROM file('{quality}', Parquet)"
    digests = f"SELECT cityHash64({_KEY}, start, stop, counted) AS digest FROM"
    ((n, n_unequal),) = installation.query(
        "SELECT count(), countIf(sides != 2) FROM (SELECT digest, count() AS sides FROM "
        f"({digests} ({ours}) UNION ALL {digests} ({theirs})) GROUP BY digest)"
    )
    ((n_apart,),) = installation.query(
        f"SELECT countIf(abs(a.mean - b.mean) > 1e-12 * size OR abs(a.std - b.std) > 1e-12 * size) FROM ({ours}) AS a "
        f"INNER JOIN ({theirs}) AS b USING ({_KEY}, start, stop)"
    )
    return n, n_unequal, n_apart
