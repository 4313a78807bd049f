"""The state on the disk is that in memory; so is what several messages together lead to, and what is restored."""

import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rocksdict import Rdict, WriteBatch

from monitor.eventtime.watermark import Clock
from monitor.join.batch import MAX_MESSAGES, JoinBatch
from monitor.join.block import BadJoinMessage, JoinMessage, Labels, Predictions, columns_of, encode
from monitor.join.joiner import Joiner
from monitor.join.records import CLASS, LABEL, Shape, set_times
from monitor.join.state import SEAL, DictStore, read_seal
from monitor.join.step import JoinModel
from monitor.kafka.join_database import CACHE_BYTES, OFFSET_KEY, JoinDatabase, open_database

SHAPE = Shape(model="m", reference="r", pane_ms=10, n_scores=1, n_dimensions=0, n_columns=3)
JOINER = Joiner([JoinModel(name="m", horizon_ms=1_000)])
N = 400


def ids(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.integers(0, 256, (n, 16), dtype=np.uint8)


def messages() -> list[bytes]:
    """Predictions and labels by turns, labels of earlier blocks and of later ones; in the end all horizons are over."""
    rng = np.random.default_rng(7)
    every = ids(rng, N)
    found = []
    for block in range(8):
        own = every[block * 50 : (block + 1) * 50]
        records = np.zeros(50, dtype=SHAPE.dtype)
        set_times(records, 100 * block + np.arange(50))
        predictions = Predictions(shape=SHAPE, versions=("1",), ids=own.tobytes(), columns=columns_of(records))
        of_labels = np.zeros(60, dtype=LABEL)
        chosen = rng.integers(0, N, 60)
        set_times(of_labels, 400 + chosen)
        of_labels["kind"], of_labels["label"] = CLASS, rng.integers(0, 2, 60)
        labels = Labels(model="m", classes=("a", "b"), ids=every[chosen].tobytes(), columns=columns_of(of_labels))
        found.append(JoinMessage(predictions=[predictions]))
        found.append(JoinMessage(labels=[labels]))
    for clock_ms in (1_500, 10_000, 10_001):
        clock = Clock(topic="t", partition=0, max_event_ms=clock_ms)
        found.append(JoinMessage(clocks=[clock], n_partitions={"t": 1}))
    return [encode(message) for message in found]


@pytest.mark.parametrize("until", [16, 17, 19])
@pytest.mark.parametrize("at_once", [1, 3, 20])
def test_the_disk_holds_what_memory_holds_however_many_messages_a_transaction_has(
    tmp_path: Path, at_once: int, until: int
) -> None:
    memory = DictStore()
    database, second = JoinDatabase.open(tmp_path / "a"), JoinDatabase.open(tmp_path / "b")
    log: list[tuple[bytes, bytes | None]] = []
    sent = messages()[:until]
    for start in range(0, len(sent), at_once):
        batch = JoinBatch(JOINER, database)
        for offset in range(start, min(start + at_once, len(sent))):
            batch.add(sent[offset], offset)
        assert batch.next_offset == min(start + at_once, len(sent))
        for step in batch.steps:
            step.apply(memory.rows)
        log += batch.changelog
        database.apply(batch.steps, len(log))
        second.restore(batch.changelog, len(log))
    keys = [*memory.rows, b"x" * 16, b"y" * 16]
    for held in (database, second):
        assert list(held.get_many(keys)) == memory.get_many(keys)
        assert held.offset() == len(log)
    assert read_seal(database).absorbed == until - 1
    if until == 19:
        assert set(memory.rows) == {SEAL}
        assert {key for key, value in log if value is None} == {key for key, _ in log} - {SEAL}
    database.close()
    second.close()
    for name in ("a", "b"):
        again = Rdict(str(tmp_path / name))
        assert set(again.keys()) == {*memory.rows, OFFSET_KEY}
        again.close()


def apply_until_killed(folder: Path, written: list[int]) -> None:
    """In a process of its own: take in all messages but the last three, and be killed. Where `written` names a message,
    what is in memory then is written to the disk."""
    memory, database, offset = DictStore(), JoinDatabase.open(folder), 0
    for number, message in enumerate(messages()[:-3]):
        batch = JoinBatch(JOINER, memory)
        batch.add(message, number)
        for step in batch.steps:
            step.apply(memory.rows)
        offset += len(batch.changelog)
        database.apply(batch.steps, offset)
        if number in written:
            database.flush()
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("written", [[], [2, 9]])
def test_a_killed_state_is_that_of_the_offset_it_names_and_the_changelog_has_the_rest(
    tmp_path: Path, written: list[int]
) -> None:
    worker = multiprocessing.get_context("spawn").Process(target=apply_until_killed, args=(tmp_path / "state", written))
    worker.start()
    worker.join(60)
    assert worker.exitcode == -signal.SIGKILL
    memory, log = DictStore(), list[tuple[bytes, bytes | None]]()
    ends = []
    for number, message in enumerate(messages()[:-3]):
        batch = JoinBatch(JOINER, memory)
        batch.add(message, number)
        for step in batch.steps:
            step.apply(memory.rows)
        log += batch.changelog
        ends.append(len(log))
    database = JoinDatabase.open(tmp_path / "state")
    left = database.offset()
    assert left == (ends[written[-1]] if written else None)
    database.restore(log[left or 0 :], len(log))
    keys = [*memory.rows, b"x" * 16]
    assert list(database.get_many(keys)) == memory.get_many(keys)
    database.close()


def test_a_database_that_is_opened_again_has_its_filters_and_the_cache_of_all(tmp_path: Path) -> None:
    for number in range(2):
        database: Any = open_database(tmp_path / "state")
        batch = WriteBatch(raw_mode=True)
        for key in range(100):
            batch.put(bytes([number, key]), b"row")
        database.write(batch)
        database.flush()
        assert database.property_int_value("rocksdb.block-cache-capacity") == CACHE_BYTES
        told = database.property_value("rocksdb.aggregated-table-properties")
        assert f"# entries for filter={100 * (number + 1)};" in told
        database.close()


def test_a_message_that_comes_again_and_one_that_cannot_be_read_change_nothing() -> None:
    memory = DictStore()
    first, second = messages()[:2]
    batch = JoinBatch(JOINER, memory)
    batch.add(first, 0)
    for step in batch.steps:
        step.apply(memory.rows)
    before = dict(memory.rows)
    again = JoinBatch(JOINER, memory)
    again.add(first, 0)
    with pytest.raises(BadJoinMessage):
        again.add(second[:-5], 1)
    again.skip(1)
    assert (again.steps, again.changelog, again.next_offset) == ([], [], 2)
    assert memory.rows == before


def test_a_transaction_is_full_after_so_many_messages() -> None:
    batch = JoinBatch(JOINER, DictStore())
    for offset in range(MAX_MESSAGES):
        assert not batch.full
        batch.add(encode(JoinMessage()), offset)
    assert batch.full
