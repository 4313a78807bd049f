"""The join's state on the disk: one RocksDB database a partition of `drift.joins`."""

import time
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from rocksdict import (
    BlockBasedOptions,
    Cache,
    DBCompactionStyle,
    DBCompressionType,
    Options,
    Rdict,
    UniversalCompactOptions,
    WriteBatch,
    WriteOptions,
)

from monitor.join.restore import restored
from monitor.join.state import SEAL
from monitor.join.step import JoinStep

CACHE_BYTES: Final = 128 * 1024 * 1024
"""For the blocks, indices and filters of all partitions together."""
BLOCK_BYTES: Final = 4 * 1024
WRITE_BUFFER_BYTES: Final = 8 * 1024 * 1024
"""Of one partition; two at most. Rows wait there until a file of them is written."""
MAX_RUNS: Final = 12
"""Sorted files that one lookup may have to ask: when there are more, some are merged."""
MAX_STALE_PERCENT: Final = 100
"""What changed and removed rows may take on the disk, in percent of all rows, before the whole is written again."""
OFFSET_KEY: Final = b"__faust\0offset__"
_IN_BACKGROUND: Final = (
    "mem-table-flush-pending", "num-running-flushes", "compaction-pending", "num-running-compactions",
)  # fmt: skip

_cache: Any = None


def open_database(path: Path) -> Any:
    """The database in a folder, which is made if it is not there."""
    # Named by column family, or one that is there already would be opened as its file of options says, which knows
    # neither filters nor the shared cache.
    return Rdict(str(path), options=_options(), column_families={"default": _options()})


def _options() -> Any:
    global _cache  # one a process, made when the first database is opened
    if _cache is None:
        # The usual cache is cut into shards of 1 MB, which the filter of one file of rows does not fit into: at ten
        # million rows every lookup read filters anew, and took 14 us rather than 6.
        _cache = Cache.new_hyper_clock_cache(CACHE_BYTES, BLOCK_BYTES)
    table = BlockBasedOptions()
    table.set_block_cache(_cache)
    table.set_cache_index_and_filter_blocks(True)
    table.set_pin_l0_filter_and_index_blocks_in_cache(True)
    table.set_bloom_filter(10, False)
    table.set_block_size(BLOCK_BYTES)
    table.set_format_version(5)
    opened = Options(raw_mode=True)
    opened.create_if_missing(True)
    opened.set_block_based_table_factory(table)
    opened.set_write_buffer_size(WRITE_BUFFER_BYTES)
    opened.set_max_write_buffer_number(2)
    opened.set_memtable_whole_key_filtering(True)
    opened.set_memtable_prefix_bloom_ratio(0.1)
    # Rows are hashes and packed cells: zstd saves a fifth of them, and takes a quarter of the time of a label.
    opened.set_compression_type(DBCompressionType.none())
    # Labels change rows all over a state. In levels, each changed row has its neighbours written again, 1.4 kB of them,
    # as it sinks; universal compaction merges files of like size, and all of them seldom.
    opened.set_compaction_style(DBCompactionStyle.universal())
    universal = UniversalCompactOptions()
    universal.max_size_amplification_percent = MAX_STALE_PERCENT
    opened.set_universal_compaction_options(universal)
    opened.set_level_zero_file_num_compaction_trigger(MAX_RUNS)
    opened.set_max_open_files(256)
    return opened


def _write_options() -> Any:
    # No write-ahead log: what a kill takes from memory, the offset with it, is restored from the changelog.
    options: Any = WriteOptions()  # in its stub `disable_wal` is a method; it is an attribute
    options.disable_wal = True
    return options


class JoinDatabase:
    """One partition's rows, lists, seal and changelog offset."""

    def __init__(self, database: Any) -> None:
        self._database = database
        self._write_options = _write_options()

    @classmethod
    def open(cls, path: Path) -> "JoinDatabase":
        """The database in a folder, which is made if it is not there."""
        return cls(open_database(path))

    def get_many(self, keys: list[bytes]) -> Sequence[bytes]:
        """The stored values; empty where there is none."""
        found: Sequence[bytes] = self._database.get(keys, b"")
        return found

    def apply(self, steps: Iterable[JoinStep], changelog_offset: int) -> None:
        """Write what the changelog has, up to and with an offset, in one batch."""
        batch = WriteBatch(raw_mode=True)
        seal = None
        for step in steps:
            _exhaust(map(batch.delete, step.deletes))
            for block in step.blocks:
                _exhaust(map(batch.put, block.keys, block.values))
                if block.n_new:
                    batch.put(block.key, block.listed)
            seal = step.seal
        if seal is not None:
            batch.put(SEAL, seal)
        batch.put(OFFSET_KEY, str(changelog_offset).encode())
        self._database.write(batch, self._write_options)

    def restore(self, changes: Iterable[tuple[bytes, bytes | None]], changelog_offset: int) -> None:
        """Write what was read from the changelog, up to and with an offset, in one batch."""
        batch = WriteBatch(raw_mode=True)
        for key, value in restored(self, changes).items():
            if value:
                batch.put(key, value)
            else:
                batch.delete(key)
        batch.put(OFFSET_KEY, str(changelog_offset).encode())
        self._database.write(batch, self._write_options)

    def offset(self) -> int | None:
        """The changelog offset that was written last."""
        found: bytes | None = self._database.get(OFFSET_KEY)
        return None if found is None else int(found)

    def flush(self) -> None:
        """Write what is in memory to the disk: for tests and measurements."""
        self._database.flush()

    def compact(self) -> None:
        """Write all rows into as few files as may be: for measurements."""
        self.flush()
        self._database.compact_range(None, None)

    def settle(self) -> None:
        """Wait until all is done that writing rows has left to do in the background: for measurements."""
        while any(self._database.property_int_value(f"rocksdb.{name}") for name in _IN_BACKGROUND):
            time.sleep(0.01)

    def close(self) -> None:
        """Let go of the files."""
        self._database.close()


def _exhaust(calls: Iterable[object]) -> None:
    deque(calls, maxlen=0)
