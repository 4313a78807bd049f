"""A score worker that sleeps through its session, and wakes after another has taken over, changes nothing.

In each round one worker is stopped (SIGSTOP) in a backlog, another takes over and finishes it, the first wakes,
and both are killed; in half of the rounds they lose their disks. What is then restored is what was committed.
"""

import os
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.brokers import Broker
from support.evaluate_group import EvaluateGroup
from support.events import encoded, model_section
from support.installation import Installation, profiles_that_differ
from support.results import assert_same, delivered, replayed

from monitor.cli.offline import replay_file

EVENTS_A_ROUND = 2_000
HOURS_A_ROUND = 4.0
PARTITIONS = 2
ROUNDS = int(os.environ.get("DRIFTLINE_FENCING_ROUNDS", "20"))
LONG_S = 400.0
"""A deadline, in seconds, that only a role that hangs would miss, on a machine with much else to do."""
SLEEPER, SUCCESSOR = "evaluate-0", "evaluate-1"


@pytest.fixture
def installation(transactional_kafka: Broker, tmp_path: Path) -> Iterator[Installation]:
    made = Installation(
        tmp_path / "installation", transactional_kafka.bootstrap_servers, f"f{uuid.uuid4().hex[:8]}",
        [model_section(tmp_path / "model")], batch_events=25, commit_interval="100ms",
    )  # fmt: skip
    made.prepare(PARTITIONS)
    yield made
    made.close()


def test_two_rounds_of_sleep_takeover_wake_and_crash_leave_the_rows_of_replay(
    installation: Installation, tmp_path: Path
) -> None:
    sleep_take_over_wake_and_crash(installation, tmp_path, rounds=2)


@pytest.mark.long
def test_many_rounds_of_sleep_takeover_wake_and_crash_leave_the_rows_of_replay(
    installation: Installation, tmp_path: Path
) -> None:
    sleep_take_over_wake_and_crash(installation, tmp_path, rounds=ROUNDS)


def sleep_take_over_wake_and_crash(installation: Installation, tmp_path: Path, rounds: int) -> None:
    data = tmp_path / "events.jsonl"
    events = list(encoded(EVENTS_A_ROUND * rounds, seed=9, hours=HOURS_A_ROUND * rounds, shift=1.0))
    data.write_bytes(b"\n".join(events))
    replay_file(installation.path, data, tmp_path / "out", close=False)

    installation.start("ingest", "ingest-0")
    installation.start("deliver", "deliver-0")
    group, n_in_backlog = EvaluateGroup(installation.config.kafka), 0
    for number in range(rounds):
        installation.send(events[number * EVENTS_A_ROUND : (number + 1) * EVENTS_A_ROUND], PARTITIONS)
        installation.wait_until_done(["ingest"], timeout_s=LONG_S)
        n_in_backlog += one_round(installation, group, lose_disks=number % 2 == 0)
    assert n_in_backlog > rounds // 2, "else it was not stopped with messages in hand"
    installation.start("evaluate", SLEEPER)
    installation.wait_until_done(timeout_s=LONG_S)
    installation.stop()

    assert_same(delivered(installation), replayed(tmp_path / "out"))
    n_profiles, *differ = profiles_that_differ(installation, tmp_path / "out" / "quality.parquet")
    assert n_profiles > 100
    assert differ == [0, 0], "every event is in its pane once"


def one_round(installation: Installation, group: EvaluateGroup, *, lose_disks: bool) -> bool:
    """Returns whether the sleeper was stopped with something left to read."""
    before = group.committed()
    installation.start("evaluate", SLEEPER)
    installation.wait_for(lambda: group.committed() > before, "the sleeper to begin", LONG_S, every_s=0.02)
    sleeper = installation.processes.pop(SLEEPER)
    sleeper.send_signal(signal.SIGSTOP)
    try:
        stopped_at = group.committed()
        installation.start("evaluate", SUCCESSOR)
        installation.wait_until_done(["evaluate"], timeout_s=LONG_S)
        finished_at = group.committed()
        sleeper.send_signal(signal.SIGCONT)
        installation.wait_for(
            lambda: sleeper.poll() is not None or group.n_members() == 2, "the sleeper to find out", LONG_S
        )
    finally:
        sleeper.kill()
        sleeper.wait()
    installation.kill(SUCCESSOR)
    if lose_disks:
        installation.lose_disk(SLEEPER)
        installation.lose_disk(SUCCESSOR)
    return finished_at > stopped_at
