"""What ingest makes of messages and time, beside its guarantees (`test_replay_law.py`, `test_kafka_path.py`)."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from support.events import encoded, model_section

from monitor.config.load import parse
from monitor.config.schema import Config
from monitor.eventtime.watermark import Clock
from monitor.kafka.decoding import KafkaDecoder
from monitor.models import message_decoder
from monitor.reference.opened import open_references
from monitor.sketching.ingest_step import Commit, End, IngestStep, Now
from monitor.sketching.messages import SketchMessage, decode
from monitor.sketching.received import NOTHING, Received

SOURCE = "predictions"
NOW_MS = 1_800_000_000_000


def step_of(folder: Path, *assigned: int, **kafka: Any) -> IngestStep:
    """A step with these partitions of the source topic, at second 0."""
    document = {"models": [model_section(folder)], "kafka": {"sketch_partitions": 1, **kafka}}
    config: Config = parse(msgspec.yaml.encode(document).decode(), environ={})
    references = open_references(config)
    step = IngestStep(
        config.kafka,
        KafkaDecoder(message_decoder(config, references), config.kafka.topics),
        {name: of_model.current for name, of_model in references.items()},
        {model.name: model for model in config.models},
    )
    step.assign([(SOURCE, number) for number in assigned], 0.0)
    return step


def received(*origins: tuple[int, int], values: Iterable[bytes] | None = None) -> Received:
    """Messages at these (partition, offset), none of which is an event unless `values` says so."""
    return Received(
        values=list(values or [b"no event"] * len(origins)),
        partitions=[(SOURCE, number) for number in range(4)],
        partition_of=np.array([number for number, _ in origins]),
        offsets=np.array([offset for _, offset in origins]),
    )


def read_events() -> Received:
    """24 events, and two messages that are none."""
    values = [b"{", *encoded(24, seed=1, hours=1.0), b"{"]
    return received(*[(0, offset) for offset in range(len(values))], values=values)


def end(partition: int, offset: int) -> End:
    """Nothing is left to read there."""
    return End((SOURCE, partition), offset)


def taken(step: IngestStep, now_s: float, read: Received = NOTHING, *ends: End) -> Commit | None:
    """One step that is acknowledged."""
    commit = step.take(read, ends, Now(now_s, NOW_MS))
    if commit is not None:
        step.committed()
    return commit


def clocks(commit: Commit | None) -> list[Clock]:
    """The clocks that a commit tells."""
    assert commit is not None
    told: list[SketchMessage] = [decode(one.value) for one in commit.outgoing if one.topic == "drift.sketches"]
    return told[-1].clocks


def test_clocks_are_sent_with_an_offset_by_which_kafka_tells_whose_the_partitions_are(tmp_path: Path) -> None:
    step = step_of(tmp_path, 0, 1)
    assert taken(step, 1.0) is None, "not one offset is known yet"
    commit = taken(step, 2.0, NOTHING, end(1, 7))
    assert commit is not None
    assert [one.topic for one in commit.outgoing] == ["drift.sketches"]
    assert commit.offsets == {(SOURCE, 1): 7}
    assert clocks(commit) == [Clock(topic=SOURCE, partition=0), Clock(topic=SOURCE, partition=1)]


def test_where_nothing_has_changed_there_is_nothing_to_commit(tmp_path: Path) -> None:
    step = step_of(tmp_path, 0, idle_timeout="60s", session_timeout="30m")
    assert taken(step, 1.0, NOTHING, end(0, 7)) is not None
    assert taken(step, 30.0) is None
    assert [clock.idle for clock in clocks(taken(step, 61.0))] == [True], "it has fallen silent"
    assert taken(step, 62.0) is None


def test_without_a_partition_there_is_nothing_to_commit(tmp_path: Path) -> None:
    step = step_of(tmp_path)
    assert taken(step, 1.0) is None
    assert (step.assigned, step.done) == ([], {})


def test_what_is_counted_and_what_is_rejected_is_told_by_model(tmp_path: Path) -> None:
    step = step_of(tmp_path, 0)
    commit = taken(step, 1.0, read_events())
    assert commit is not None
    assert commit.n_events == {"m": 24}
    assert commit.n_rejects == {("", "undecodable"): 2}
    (example,) = commit.reject_examples.values()
    assert example.endswith("(predictions, partition 0, offset 0)")
    rejects = [one for one in commit.outgoing if one.topic == "drift.rejects"]
    assert [one.value for one in rejects] == [b"{", b"{"]
    sketched = [decode(one.value) for one in commit.outgoing if one.topic == "drift.sketches"]
    whole = [
        entry.n for message in sketched for delta in message.deltas for entry in delta.entries if not entry.segment
    ]
    assert sum(whole) == 24
    assert not any(message.deltas for message in sketched[-1:]), "clocks come after what they close"


def test_a_worker_that_was_stopped_does_not_count_that_time_as_silence(tmp_path: Path) -> None:
    step = step_of(tmp_path, 0, idle_timeout="60s", session_timeout="10s")
    now_s = 1_000.0
    idle = [clock.idle for clock in clocks(taken(step, now_s, NOTHING, end(0, 7)))]

    def idle_after(seconds: float) -> bool:
        nonlocal now_s, idle
        now_s += seconds
        commit = taken(step, now_s)
        idle = idle if commit is None else [clock.idle for clock in clocks(commit)]
        return idle[0]

    assert not any(idle_after(9.0) for _ in range(5))
    assert not idle_after(70.0), "the process was suspended"
    assert [idle_after(10.0) for _ in range(6)] == [False] * 5 + [True]


def test_while_no_broker_is_there_nothing_falls_silent(tmp_path: Path) -> None:
    step = step_of(tmp_path, 0, idle_timeout="60s")
    now_s = 1_000.0
    told = clocks(taken(step, now_s, NOTHING, end(0, 7)))
    for _ in range(20):
        step.heard_nothing(now_s)
        now_s += 9.0
        commit = taken(step, now_s)
        told = told if commit is None else clocks(commit)
    assert not told[0].idle


@pytest.mark.parametrize(("at", "idle"), [(1, False), (3, True)])
def test_an_end_among_the_messages_counts_where_nothing_followed_it(tmp_path: Path, at: int, idle: bool) -> None:
    step = step_of(tmp_path, 0, idle_timeout="5s", session_timeout="10s")
    step.awake(1_000.0)
    commit = taken(step, 1_006.0, received((0, 1), (0, 2)), end(0, at))
    assert clocks(commit) == [Clock(topic=SOURCE, partition=0, idle=idle)]


def test_messages_that_hold_much_are_committed_group_by_group(tmp_path: Path) -> None:
    step = step_of(tmp_path, 0, 1, idle_timeout="1ms", session_timeout="30m")
    read = received((0, 5), (0, 6), (1, 7), (0, 7), (0, 8))
    commits = [
        taken(step, 1.0, read.part(slice(0, 2))),
        taken(step, 1.0, read.part(slice(2, 4))),
        taken(step, 1.0, read.part(slice(4, 5)), end(0, 9)),
    ]
    assert [commit and commit.offsets for commit in commits] == [
        {(SOURCE, 0): 7}, {(SOURCE, 0): 8, (SOURCE, 1): 8}, {(SOURCE, 0): 9},
    ]  # fmt: skip
    sent = [
        decode(one.value) for commit in commits if commit for one in commit.outgoing if one.topic == "drift.sketches"
    ]
    assert [[(one.first, one.last) for one in message.sources] for message in sent] == [
        [(5, 6)], [(7, 7), (7, 7)], [(8, 8)],
    ]  # fmt: skip


def test_after_a_rollback_the_same_messages_make_the_same_commit(tmp_path: Path) -> None:
    step = step_of(tmp_path, 0, 1)
    read = read_events()
    first = step.take(read, [], Now(1.0, NOW_MS))
    assert step.rolled_back(2.0, unread=[(SOURCE, 1), (SOURCE, 9)]) == {(SOURCE, 0), (SOURCE, 1)}
    assert step.done == {(SOURCE, 0): None, (SOURCE, 1): None}
    again = step.take(read, [], Now(3.0, NOW_MS))
    assert first == again
    step.committed()
    assert step.done == {(SOURCE, 0): 26, (SOURCE, 1): None}
