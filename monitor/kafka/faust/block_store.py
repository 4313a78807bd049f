"""The store of the join's table: a RocksDB database a partition, written in batches, after the changelog has them.

Faust's own stores hold a value a key and send a message a change. Here a message of the changelog is a block: the rows
that one message of `drift.joins` changed (`monitor.join.state_block`). What is written when is the caller's to say;
what is restored is read from blocks, rows, index and offset in one batch.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from faust.stores import STORES
from faust.stores.rocksdb import RocksDBOptions, Store
from faust.types import TP, EventT

from monitor.kafka.join_database import JoinDatabase, open_database

SCHEME = "blocks"
URL = f"{SCHEME}://local"
"""What a table names as its `store`. Faust takes a URL without a host for none at all, and keeps state in memory."""


class _Opening(RocksDBOptions):
    """Opens databases as the join needs them: small buffers, a filter of all keys."""

    def open(self, path: Path, *, read_only: bool = False) -> Any:  # noqa: ARG002 - Faust passes it
        return open_database(path)


class BlockStore(Store):
    """A database a partition, in the place where Faust's own store has it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rocksdb_options = _Opening()

    @property
    def basename(self) -> Path:
        """What the names of the databases begin with."""
        return Path(self.table_name)

    def partition(self, number: int) -> JoinDatabase:
        """A partition's state, whatever event Faust takes for the current one."""
        return JoinDatabase(self._db_for_partition(number))

    def apply_changelog_batch(
        self,
        batch: Iterable[EventT[bytes]],
        to_key: Callable[[Any], Any],  # noqa: ARG002 - keys and values are bytes already
        to_value: Callable[[Any], Any],  # noqa: ARG002
    ) -> None:
        """Write what was read from the changelog."""
        changes: dict[TP, list[tuple[bytes, bytes | None]]] = {}
        offsets: dict[TP, int] = {}
        for event in batch:
            message = event.message
            assert message.key is not None
            changes.setdefault(message.tp, []).append((message.key, message.value))
            offsets[message.tp] = message.offset
        for tp, changed in changes.items():
            self.partition(tp.partition).restore(changed, offsets[tp])

    def _set(self, key: bytes, value: bytes | None) -> None:
        raise NotImplementedError("a table of blocks is written by `JoinDatabase.apply` alone")

    def _del(self, key: bytes) -> None:
        raise NotImplementedError("a table of blocks is written by `JoinDatabase.apply` alone")


STORES.aliases[SCHEME] = f"{__name__}:{BlockStore.__name__}"
