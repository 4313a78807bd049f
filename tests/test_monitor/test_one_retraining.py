"""Exactly one retraining a request, for real: `kill -9` of evaluate and deliver, at random and between a run and its
commit.

The orchestrator is a server of this machine that does as Airflow does: a run whose id it knows is refused with 409.
What is on the wire may come twice; a second run may not.
"""

import os
import random
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.brokers import Broker
from support.events import model_section, rows
from support.http_server import Asked, Reply, serving
from support.installation import Installation
from support.told import told

from monitor.cli.offline import replay_file
from monitor.decisions.wire import decode_retraining

N, HOURS = 24_000, 240.0
PARTITIONS = 2
ROUNDS = int(os.environ.get("DRIFTLINE_KILL_ROUNDS", "20"))
"""Slices of the stream, of twelve hours, long enough for an alert and its end: every second one is shifted."""
SEED = int(os.environ.get("DRIFTLINE_KILL_SEED", "1"))
POLICY: dict[str, Any] = {
    "alerts": {"raise": "verdicts, 2 of 2", "cooldown": "1h", "resolve_after": "1h"},
    "retraining": {
        "require_confirmation": False, "min_labels": 0, "cooldown": "1h", "budget": "100 per 30d",
        "outcome_within": "2h",
    },
}  # fmt: skip


class Orchestrator:
    """Runs by their ids. While `held`, a new run is made and not answered until it is let go."""

    def __init__(self) -> None:
        self.runs: dict[str, str] = {}
        self.n_refused = 0
        self.held, self.made, self.go_on = threading.Event(), threading.Event(), threading.Event()
        self._lock = threading.Lock()

    def respond(self, asked: Asked) -> Reply:
        body = asked.json()
        with self._lock:
            if body["dag_run_id"] in self.runs:
                self.n_refused += 1
                return Reply(409, {"detail": "DAGRun already exists"})
            self.runs[body["dag_run_id"]] = body["conf"]["dedupe_key"]
        if self.held.is_set():
            self.made.set()
            self.go_on.wait(30)
        return Reply(200, {"dag_run_id": body["dag_run_id"], "state": "queued"})


def events() -> list[bytes]:
    """The column `amount` moves and comes back, in turns."""
    encode = msgspec.json.Encoder().encode
    found = []
    for i, row in enumerate(rows(N, seed=3, hours=HOURS)):
        row["features"]["amount"] += 2.0 if (i * ROUNDS // N) % 2 else 0.0
        found.append(encode(row))
    return found


@pytest.fixture
def orchestrator() -> Iterator[tuple[Orchestrator, str]]:
    made = Orchestrator()
    with serving(made.respond) as server:
        yield made, server.url
        made.go_on.set()


@pytest.mark.long
def test_a_request_is_one_run_whoever_is_killed_when(
    transactional_kafka: Broker,
    orchestrator: tuple[Orchestrator, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs, url = orchestrator
    monkeypatch.setenv("PIPELINE_TOKEN", "t")
    destination = {
        "type": "airflow",
        "url": url,
        "dag_id": "retrain",
        "token": "${PIPELINE_TOKEN}",
        "retry_window": "1h",
    }
    installation = Installation(
        tmp_path / "installation", transactional_kafka.bootstrap_servers, f"r{uuid.uuid4().hex[:8]}",
        [model_section(tmp_path / "model", **POLICY)], destinations={"runs": destination},
    )  # fmt: skip
    try:
        installation.prepare(PARTITIONS)
        stream = events()
        (tmp_path / "events.jsonl").write_bytes(b"\n".join(stream))
        replay_file(installation.path, tmp_path / "events.jsonl", tmp_path / "out", close=False)
        expected = (tmp_path / "out" / "retraining.jsonl").read_bytes().splitlines()
        keys = {one.dedupe_key for one in (decode_retraining(line).data for line in expected)}
        assert len(keys) >= ROUNDS // 2
        kill_and_go_on(installation, runs, stream)
        assert told(installation, "retraining") == expected
        assert sorted(runs.runs.values()) == sorted(keys)
        assert runs.n_refused >= ROUNDS // 4, "requests came twice, and were refused"
    finally:
        installation.close()


def kill_and_go_on(installation: Installation, orchestrator: Orchestrator, stream: list[bytes]) -> None:
    """Send the stream a slice a round, and kill after each; return when all is done.

    Every second slice is shifted and leads to a request: then deliver is killed when the run is made and not yet
    committed, and now and then evaluate with it. In the other rounds evaluate is killed at any moment.
    """
    chance = random.Random(SEED)
    for role, worker in (("ingest", "ingest-0"), ("evaluate", "evaluate-0"), ("deliver", "deliver-0")):
        installation.start(role, worker)
    size = len(stream) // ROUNDS
    for number in range(ROUNDS):
        asks = number % 2 == 1
        if asks:
            orchestrator.go_on.clear()
            orchestrator.made.clear()
            orchestrator.held.set()
        installation.send(stream[number * size : (number + 1) * size], PARTITIONS)
        if asks:
            installation.wait_for(orchestrator.made.is_set, f"a run in round {number}", 180.0)
        else:
            installation.breathe(chance.uniform(0.2, 5.0))
        victims = ["deliver-0"] if asks else ["evaluate-0"]
        victims += ["evaluate-0"] if asks and chance.random() < 0.3 else []
        for victim in victims:
            installation.kill(victim)
        orchestrator.held.clear()
        orchestrator.go_on.set()
        for victim in victims:
            installation.start(victim.split("-")[0], victim)
    installation.wait_until_done(timeout_s=300.0)
    installation.stop()
