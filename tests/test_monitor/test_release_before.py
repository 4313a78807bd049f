"""The release before this one, as a wheel, beside this one on one set of topics, through a rolling restart.

Both orders of the restart. Downstream first, this release reads what the one before still writes. Upstream first, a
worker of the release before meets messages of a later one: it stops with a word, and leaves them unread. Either way
nothing is lost and nothing is counted twice: the rows are those of `replay`.
"""

import itertools
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.brokers import Broker
from support.environments import Environment
from support.events import encoded, model_section
from support.installation import Installation, profiles_that_differ
from support.releases import release_before
from support.results import Row, parquet_rows, score_rows

from monitor.cli.offline import replay_file
from monitor.errors import StoppedError

pytestmark = pytest.mark.long

N_EVENTS = 45_000
HOURS = 48.0
PARTITIONS = 3
ROLES = ("ingest", "evaluate", "deliver")


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return release_before(tmp_path_factory.mktemp("release") / "before")


@pytest.fixture
def installation(transactional_kafka: Broker, before: Environment, tmp_path: Path) -> Iterator[Installation]:
    """One whose reference, topics and schema the release before has made."""
    section = model_section(tmp_path / "model")
    name = f"r{uuid.uuid4().hex[:8]}"
    made = Installation(tmp_path / "installation", transactional_kafka.bootstrap_servers, name, [section])
    data = tmp_path / "model" / "reference.jsonl"
    Path(section["reference"]).unlink()
    for arguments in (("reference", "build", made.path, "--data", data), ("migrate", made.path)):
        done = before.run(before.command(*arguments)[1:], cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    made.prepare(PARTITIONS)
    yield made
    made.close()


def _events() -> Iterator[bytes]:
    return encoded(N_EVENTS, seed=5, hours=HOURS, shift=1.0)


def _send_third(installation: Installation, events: Iterator[bytes]) -> None:
    installation.send(itertools.islice(events, N_EVENTS // 3), PARTITIONS)


def _comparable(rows: list[Row]) -> list[Row]:
    """Without what this release computes otherwise: what unchanged data of a part of the reference would give."""
    return [
        {name: value for name, value in row.items() if not row["segment"] or name not in ("p_value", "effect")}
        for row in rows
    ]


def _expect_the_rows_of_replay(installation: Installation, tmp_path: Path) -> None:
    data = tmp_path / "events.jsonl"
    data.write_bytes(b"\n".join(_events()))
    replay_file(installation.path, data, tmp_path / "out", close=False)
    installation.wait_until_done()
    installation.stop()
    rows = score_rows(installation)
    assert len(rows) > 1_000
    assert _comparable(rows) == _comparable(parquet_rows(tmp_path / "out" / "drift.parquet"))
    n_profiles, *differ = profiles_that_differ(installation, tmp_path / "out" / "quality.parquet")
    assert n_profiles > 100
    assert differ == [0, 0], "every event is in its pane once"


def test_a_restart_downstream_first_loses_nothing(
    installation: Installation, before: Environment, tmp_path: Path
) -> None:
    events = _events()
    for role in ROLES:
        installation.start(role, f"{role}-0", release=before)
    _send_third(installation, events)
    installation.wait_until_done()
    for role in reversed(ROLES):  # each is fed by a release that is older than it, for a while
        installation.terminate(f"{role}-0")
        installation.start(role, f"{role}-0")
        installation.send(itertools.islice(events, N_EVENTS // 9), PARTITIONS)
        installation.wait_until_done()
    installation.send(events, PARTITIONS)
    _expect_the_rows_of_replay(installation, tmp_path)


def test_a_restart_upstream_first_leaves_the_newer_messages_unread(
    installation: Installation, before: Environment, tmp_path: Path
) -> None:
    events = _events()
    for role in ROLES:
        installation.start(role, f"{role}-0", release=before)
    _send_third(installation, events)
    installation.wait_until_done()

    installation.terminate("ingest-0")
    installation.start("ingest", "ingest-0")
    _send_third(installation, events)
    assert installation.ended("evaluate-0") == StoppedError.exit_code
    assert "upgrade this worker" in installation.tail()
    # Whoever starts it again gets the same answer: the message was not passed over.
    installation.start("evaluate", "evaluate-0", release=before)
    assert installation.ended("evaluate-0") == StoppedError.exit_code

    installation.start("evaluate", "evaluate-0")
    # A record that the release before does not know.
    assert installation.ended("deliver-0") == StoppedError.exit_code
    installation.start("deliver", "deliver-0")
    installation.send(events, PARTITIONS)
    _expect_the_rows_of_replay(installation, tmp_path)
