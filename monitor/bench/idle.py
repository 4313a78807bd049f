"""Memory of a whole `driftline up` that has nothing to do, beside as many processes that have imported NumPy.

Resident memory counts pages that processes share (libraries, what the system maps) once for each of them; proportional
memory divides them among those that share. Linux alone tells either (`/proc/PID/smaps_rollup`).
"""

import contextlib
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient

from monitor.bench import data
from monitor.bench.kafka import GIVE_UP_S
from monitor.bench.size import Material
from monitor.config.schema import Config, Kafka
from monitor.embedded.ports import free_port
from monitor.embedded.profile import CLIENT
from monitor.errors import StoppedError
from monitor.kafka import topics
from monitor.kafka.clients import producer_settings
from monitor.kafka.progress import GroupProgress
from monitor.process.children import dying_with_parent

CONFIG: Final = "idle.yaml"
N_PROCESSES: Final = 5
"""Of `driftline up`: itself, the broker, ingest, evaluate and deliver."""
SETTLE_S: Final = 5.0
"""Between the last row and the first look: what waits for an interval or a time-out has had its turn."""

Work = Callable[[], Mapping[str, float]]


def up(material: Material) -> Work:
    """`driftline up` after it has worked through the events: bytes of all its processes."""
    _needs_linux()
    port = free_port()
    config = data.configure(
        material.folder / CONFIG,
        {"bootstrap_servers": f"127.0.0.1:{port}", "topics": {"predictions": ["predictions"]}, "client": CLIENT},
        state_dir=str(material.folder / "idle-state"),
    )
    command = [sys.executable, "-m", "monitor", "up", str(material.folder / CONFIG), "--port", str(port)]
    variables = {**os.environ, "TMPDIR": str(material.folder)}  # it is killed in the end, and clears nothing away
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=variables, preexec_fn=dying_with_parent())
    _work_through(config, material, process)
    time.sleep(SETTLE_S)
    return lambda: _of_all(process.pid)


def numpy_processes(_material: Material) -> Work:
    """As many processes as `driftline up` has, which have imported NumPy and wait."""
    _needs_linux()
    program = "import numpy, sys; print(flush=True); sys.stdin.read()"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            preexec_fn=dying_with_parent(),
        )
        for _ in range(N_PROCESSES)
    ]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    return lambda: _sum(memory_of(process.pid) for process in processes)


def _work_through(config: Config, material: Material, process: subprocess.Popen[bytes]) -> None:
    """Send the events once their topic is there, and wait until every role has gone through all of them."""
    kafka = config.kafka
    source = kafka.topics.predictions[0]
    stages = [
        (f"{kafka.consumer_group}-ingest", source),
        (topics.application_id(kafka), kafka.own_topic(topics.SKETCHES)),
        (f"{kafka.consumer_group}-deliver-clickhouse", kafka.own_topic(topics.RESULTS)),
    ]
    messages = data.read_json(material.folder)

    def wait_for(condition: Callable[[], bool], what: str) -> None:
        give_up_s = time.monotonic() + GIVE_UP_S
        while not condition():
            if process.poll() is not None or time.monotonic() > give_up_s:
                raise StoppedError(f"`driftline up` did not get so far that {what}")
            time.sleep(0.2)

    wait_for(lambda: _has_topic(kafka, source), "it had its topics")
    with contextlib.ExitStack() as stack:
        producer = Producer({**producer_settings(kafka), "linger.ms": 50})
        for number in range(material.size.idle_events):
            producer.produce(source, messages[number % len(messages)])
            if number % 1_000 == 0:
                producer.poll(0)
        if producer.flush(GIVE_UP_S):
            raise StoppedError("`driftline up` did not take the benchmark's events")
        for group, topic in stages:
            progress = stack.enter_context(contextlib.closing(GroupProgress(kafka, group, topic)))
            wait_for(progress.caught_up, f"all of {topic} was read")


def _has_topic(kafka: Kafka, topic: str) -> bool:
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0})
    try:
        return topic in admin.list_topics(timeout=2).topics
    except KafkaException:  # the broker has not begun
        return False


def _of_all(pid: int) -> Mapping[str, float]:
    """Memory of a process and of all that descend from it."""
    return _sum(memory_of(one) for one in process_tree(pid))


def process_tree(pid: int) -> list[int]:
    """A process and all that descend from it, parents first. Linux only."""
    children: dict[int, list[int]] = defaultdict(list)
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended since
            # The name, in parentheses, may hold anything; the parent is the second field after it.
            children[int(status.read_text().rpartition(")")[2].split()[1])].append(int(status.parent.name))
    found = [pid]
    for parent in found:
        found += children[parent]
    return found


def memory_of(pid: int | str) -> Mapping[str, float]:
    """Bytes of a process that are resident: `rss`, all of them; `pss`, shared ones in equal parts. Linux only."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    kilobytes = {line.split()[0]: int(line.split()[1]) for line in lines if line.startswith(("Rss:", "Pss:"))}
    return {"rss": 1024.0 * kilobytes["Rss:"], "pss": 1024.0 * kilobytes["Pss:"]}


def _sum(parts: Iterator[Mapping[str, float]]) -> Mapping[str, float]:
    found = list(parts)
    return {name: sum(part[name] for part in found) for name in ("rss", "pss")}


def _needs_linux() -> None:
    if not Path("/proc/self/smaps_rollup").exists():
        raise StoppedError("only Linux tells the memory of other processes")
