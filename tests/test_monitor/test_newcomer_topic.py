"""From a topic of nested JSON to the first finding, by the commands of the README."""

import json
import os
import random
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from support.brokers import Broker

from monitor.embedded.ports import is_free

README = (Path(__file__).parents[2] / "README.md").read_text()
N, N_NORMAL = 6_000, 2_000
WITHIN_S = 300.0

pytest.importorskip("chdb", reason="results need the embedded engine")
pytestmark = pytest.mark.kafka


def events() -> Iterator[dict[str, Any]]:
    """As a shop may log them; from the third week on amounts are larger."""
    chance = random.Random(1)
    step = timedelta(days=21) / N
    for i in range(N):
        amount = chance.gauss(50 if i < N * 2 / 3 else 65, 10)
        yield {
            "meta": {"at": (datetime(2026, 3, 1, tzinfo=UTC) + i * step).isoformat(), "requestId": f"r{i}",
                     "model": {"version": "3"}},
            "payload": {"amount": round(amount, 2), "country": chance.choice(["DE", "FR"]), "age": i % 50},
            "result": {"score": round(chance.random(), 4)},
        }  # fmt: skip


def command(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        [sys.executable, "-m", "monitor", *words], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def own_names(servers: str) -> set[str]:
    admin = AdminClient({"bootstrap.servers": servers, "log_level": 0})
    groups = admin.list_consumer_groups(request_timeout=20).result().valid
    names = [*admin.list_topics(timeout=20).topics, *(one.group_id for one in groups)]
    return {name for name in names if "-up-" in name}


def test_the_readmes_commands_lead_from_a_topic_of_nested_json_to_a_finding(
    kafka: Broker, topics: Callable[..., str], free_port: Callable[[], int], tmp_path: Path
) -> None:
    topic = topics("orders", 3)
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "enable.idempotence": True})  # in order
    for i, event in enumerate(events()):
        producer.produce(topic, json.dumps(event).encode(), partition=i % 3)
        producer.poll(0)
    assert producer.flush(30) == 0

    (block,) = (one for one in re.findall(r"```bash\n(.*?)```", README, re.DOTALL) if "init --topic" in one)
    text = block.replace("localhost:9092", kafka.bootstrap_servers).replace("orders", topic)
    init, build, up, status = (shlex.split(line.partition("#")[0])[1:] for line in text.splitlines())
    started_s = time.monotonic()
    said = command(tmp_path, *init).stdout
    kept = (tmp_path / f"{topic}.jsonl").read_text().splitlines()
    assert len(kept) == N_NORMAL
    numbers = {int(json.loads(line)["meta"]["requestId"].removeprefix("r")) for line in kept}
    assert len(numbers) == N_NORMAL
    assert max(numbers) < N_NORMAL + 3, "as many of each partition"
    assert f"Next: driftline {shlex.join(build)}" in said.splitlines()
    assert f"Then: driftline {shlex.join(up)}" in said.splitlines()
    config = tmp_path / "driftline.yaml"
    mapping = msgspec.yaml.decode(config.read_bytes())["models"][0]["mapping"]
    assert mapping == {"timestamp": "meta.at", "prediction_id": "meta.requestId", "version": "meta.model.version",
                       "score": "result.score", "features": "payload"}  # fmt: skip
    command(tmp_path, *build)

    first = next(port for port in iter(free_port, 0) if all(is_free(port + offset) for offset in range(3)))
    with config.open("a") as file:  # other tests may have the usual ports
        file.write(f"metrics: {{listen: '127.0.0.1:{first}'}}\nui: {{listen: '127.0.0.1:{free_port()}'}}\n")
    log = tmp_path / "up.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "monitor", *up], cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    try:
        deadline_s = time.monotonic() + WITHIN_S
        drifted: list[dict[str, Any]] = []
        while not drifted:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline_s, log.read_text()
            time.sleep(3)  # between two looks
            shown = subprocess.run(
                [sys.executable, "-m", "monitor", *status, "--json"], cwd=tmp_path, capture_output=True, check=False
            )
            drifted = json.loads(shown.stdout).get("drifted", []) if shown.returncode == 0 else []
        # The README's figure (`pytest -rP`).
        sys.stdout.write(f"{time.monotonic() - started_s:.0f} s from `init` to the first finding\n")
        assert f"Reads topic {topic} at {kafka.bootstrap_servers}" in log.read_text()
        assert "a column has drifted" in log.read_text()
        assert own_names(kafka.bootstrap_servers)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0, log.read_text()
    finally:
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
    assert [one["column"] for one in drifted] == ["amount"]
    assert "Traceback" not in log.read_text()
    assert own_names(kafka.bootstrap_servers) == set(), log.read_text()
