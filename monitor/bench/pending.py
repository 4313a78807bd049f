"""Predictions of thirty days that wait for their labels: what they take, how fast some are joined, and a lost disk."""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from monitor.bench import data
from monitor.bench.idle import memory_of
from monitor.bench.joining import BLOCK_ROWS, DAY_MS, label_message, prediction_message
from monitor.bench.size import Material
from monitor.join import state_block
from monitor.join.block import decode
from monitor.join.joiner import Joiner
from monitor.join.step import JoinModel
from monitor.kafka.join_database import JoinDatabase

HORIZON_MS: Final = 30 * DAY_MS
_LABELLED: Final = 10  # of so many predictions one gets its label while the others wait


def many(material: Material) -> Callable[[], Mapping[str, float]]:
    """As many as `size.pending`, none of them past its horizon; labels of some in random order; then all of the state
    from its changelog, as a worker has it whose disk is gone.

    Predictions come over thirty days: what writing them leaves to RocksDB's threads is done before the first label;
    what labels leave to them counts with the labels.

    Memory is what the process holds more at the end than before the first, with the database's caches. The seconds of
    the restoration are those of the clock, its rate is by the processor's.
    """
    n = material.size.pending

    def work() -> Mapping[str, float]:
        joiner = Joiner([JoinModel(name="m", horizon_ms=HORIZON_MS)])
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            before = memory_of("self")["rss"]
            database = JoinDatabase.open(folder / "state")
            offset = 0
            with (folder / "log").open("wb") as log:
                for message in _predictions(n):
                    step = joiner.advance(database, decode(message), offset)
                    assert step is not None
                    changes = [(block.key, state_block.encode(block)) for block in step.blocks]
                    log.write(_framed(changes))
                    database.apply([step], offset)
                    offset += 1
                memory = max(memory_of("self")["rss"] - before, 1.0)
                n_rows = n
                messages = list(_labels(n))
                database.settle()
                started_s, n_matched = time.process_time(), 0
                for message in messages:
                    step = joiner.advance(database, decode(message), offset)
                    assert step is not None
                    changes = [(block.key, state_block.encode(block)) for block in step.blocks]
                    log.write(_framed(changes))
                    database.apply([step], offset)
                    n_matched += sum(matches.n for matches in step.matches)
                    offset += 1
                database.settle()
                took_s = time.process_time() - started_s
            assert n_matched == n // _LABELLED
            n_rows += n_matched
            database.close()
            clock_s, started_s = time.perf_counter(), time.process_time()
            restored = JoinDatabase.open(folder / "restored")
            for at, logged in enumerate(_read(folder / "log")):
                restored.restore(logged, at)
            recovery_s, clock_s = time.process_time() - started_s, time.perf_counter() - clock_s
            restored.close()
        return {
            "rate": n_matched / took_s,
            "memory": memory / n,
            "recovery": n_rows / recovery_s,
            "seconds": clock_s,
        }

    return work


def _ids(number: int, n: int) -> Any:
    """(n, 16) bytes of a block's ids: the same ones whenever they are asked for."""
    return np.random.default_rng((data.SEED, number)).integers(0, 256, (n, 16), dtype=np.uint8)


def _predictions(n: int) -> Iterator[bytes]:
    rng = np.random.default_rng(data.SEED)
    for number, start in enumerate(range(0, n, BLOCK_ROWS)):
        rows = np.arange(start, min(start + BLOCK_ROWS, n))
        times = data.START_MS + rows * (HORIZON_MS - DAY_MS) // n
        yield prediction_message(rng, _ids(number, rows.size), times)


def _labels(n: int) -> Iterator[bytes]:
    """Of one in `_LABELLED`, spread over all blocks, in random order."""
    rng = np.random.default_rng(data.SEED + 1)
    chosen = rng.permutation(n)[: n // _LABELLED]
    parts = []
    for number in range(-(-n // BLOCK_ROWS)):
        first = number * BLOCK_ROWS
        own = chosen[(chosen >= first) & (chosen < first + BLOCK_ROWS)] - first
        parts.append(_ids(number, min(BLOCK_ROWS, n - first))[own])
    ids = np.concatenate(parts)
    order = rng.permutation(len(ids))
    at_ms = data.START_MS + HORIZON_MS - DAY_MS
    for start in range(0, len(ids), BLOCK_ROWS):
        some = ids[order[start : start + BLOCK_ROWS]]
        yield label_message(rng, some, np.full(len(some), at_ms, dtype=np.int64))


def _framed(changes: list[tuple[bytes, bytes]]) -> bytes:
    encoded = msgspec.msgpack.encode(changes)
    return len(encoded).to_bytes(4, "little") + encoded


def _read(path: Path) -> Iterator[list[tuple[bytes, bytes | None]]]:
    with path.open("rb") as log:
        while size := log.read(4):
            changes = log.read(int.from_bytes(size, "little"))
            yield msgspec.msgpack.decode(changes, type=list[tuple[bytes, bytes | None]])
