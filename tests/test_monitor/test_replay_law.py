"""The replay law for real.

`kill -9` at random moments, local state deleted in half of the rounds, every event counted once.
"""

import os
import random
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.brokers import Broker
from support.events import BAD_EVERY, encoded, model_section
from support.installation import Installation, profiles_that_differ
from support.results import assert_same, delivered, replayed

from monitor.cli.offline import replay_file

N_EVENTS = 300_000
HOURS = 96.0
PARTITIONS = 6
ROUNDS = int(os.environ.get("DRIFTLINE_KILL_ROUNDS", "20"))
SEED = int(os.environ.get("DRIFTLINE_KILL_SEED", "1"))
SCORE_WORKERS = ("evaluate-0", "evaluate-1")
WORKERS = ("ingest-0", "ingest-1", *SCORE_WORKERS)


@pytest.fixture
def installation(transactional_kafka: Broker, tmp_path: Path) -> Iterator[Installation]:
    section = model_section(tmp_path / "model")
    name = f"k{uuid.uuid4().hex[:8]}"
    made = Installation(tmp_path / "installation", transactional_kafka.bootstrap_servers, name, [section])
    made.prepare(PARTITIONS)
    yield made
    made.close()


@pytest.mark.long
def test_every_event_is_counted_once_whatever_is_killed(installation: Installation, tmp_path: Path) -> None:
    data = tmp_path / "events.jsonl"
    data.write_bytes(b"\n".join(encoded(N_EVENTS, seed=9, hours=HOURS, shift=1.0)))
    replay_file(installation.path, data, tmp_path / "out", close=False)
    expected = replayed(tmp_path / "out")

    for worker in WORKERS:
        installation.start(worker.split("-")[0], worker)
    installation.start("deliver", "deliver-0")
    chance = random.Random(SEED)
    # Score workers alone keep state on a disk: they are the victims of every round in which that is deleted.
    rounds = [(SCORE_WORKERS[n % len(SCORE_WORKERS)], True) for n in range(ROUNDS // 2)]
    rounds += [(chance.choice(WORKERS), False) for _ in range(ROUNDS - len(rounds))]
    chance.shuffle(rounds)
    # The moments are numbers of events sent; the flow goes on while the killed worker's successor starts.
    moments = sorted(chance.sample(range(N_EVENTS // 20, N_EVENTS), ROUNDS))
    plan = list(zip(moments, rounds, strict=True))
    killed: list[str] = []
    n_disks_lost = 0

    def pace(n_sent: int) -> None:
        nonlocal n_disks_lost
        if plan and n_sent >= plan[0][0]:
            _moment, (victim, disk_lost) = plan.pop(0)
            if disk_lost:  # it may still be starting after the round before: then there is nothing to lose
                installation.wait_for(lambda: installation.has_disk(victim), f"{victim} to have state on its disk")
            # Let the flow go on for a random while, so that the victim is hit in the middle of its work.
            installation.breathe(chance.uniform(0.5, 4.0))
            installation.kill(victim)
            killed.append(victim)
            if disk_lost:
                installation.lose_disk(victim)
                n_disks_lost += 1
            installation.start(victim.split("-")[0], victim)

    installation.send(encoded(N_EVENTS, seed=9, hours=HOURS, shift=1.0), PARTITIONS, pace=pace)
    assert len(killed) == ROUNDS
    assert set(killed) == set(WORKERS)
    assert n_disks_lost == ROUNDS // 2
    installation.wait_until_done(timeout_s=400)
    installation.stop()

    assert_same(delivered(installation), expected)
    rejected = installation.query("SELECT reason, count() FROM rejects FINAL GROUP BY reason")
    assert rejected == [("undecodable", N_EVENTS // BAD_EVERY)]
    late = installation.query("SELECT count() FROM late_dropped FINAL")
    assert late == [(0,)]
    n_profiles, *differ = profiles_that_differ(installation, tmp_path / "out" / "quality.parquet")
    assert n_profiles > 1_000
    assert differ == [0, 0], "every event is in its pane once"
