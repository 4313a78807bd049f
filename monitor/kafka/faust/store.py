"""The store of a table whose changes travel in transactions: RocksDB, written only after the changelog has them.

Faust's own store writes first and lets the changelog follow. Here the caller commits a transaction and then calls
`apply`, which writes the values and the changelog offset they reach in one batch: a crash leaves on the disk what the
changelog has too, and how far that was; the rest is read from there.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from faust.stores import STORES
from faust.stores.rocksdb import Store
from faust.types import TP, EventT
from rocksdict import WriteBatch

SCHEME = "transactional"
URL = f"{SCHEME}://local"
"""What a table names as its `store`. Faust takes a URL without a host for none at all, and keeps state in memory."""


class PartitionView:
    """Read access to one partition of a store."""

    def __init__(self, store: "TransactionalStore", partition: int) -> None:
        self._store = store
        self._partition = partition

    def get(self, key: bytes) -> bytes | None:
        """The stored value, or None."""
        value: bytes | None = self._store.database(self._partition).get(key)
        return value


class TransactionalStore(Store):
    """A RocksDB database a partition, in the place where Faust's own store has it."""

    @property
    def basename(self) -> Path:
        """What the names of the databases begin with."""
        return Path(self.table_name)

    def database(self, partition: int) -> Any:
        """The open database of a partition."""
        return self._db_for_partition(partition)

    def view(self, partition: int) -> PartitionView:
        """Read access to a partition, whatever event Faust takes for the current one."""
        return PartitionView(self, partition)

    def apply(self, partition: int, writes: Mapping[bytes, bytes | None], changelog_offset: int) -> None:
        """Write values that the changelog has, up to and with `changelog_offset`; None removes a key."""
        batch = WriteBatch(raw_mode=True)
        for key, value in writes.items():
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        batch.put(self.offset_key, str(changelog_offset).encode())
        self.database(partition).write(batch)

    def apply_changelog_batch(
        self,
        batch: Iterable[EventT[bytes]],
        to_key: Callable[[Any], Any],  # noqa: ARG002 - keys and values are bytes already
        to_value: Callable[[Any], Any],  # noqa: ARG002
    ) -> None:
        """Write what was read from the changelog."""
        writes: dict[TP, dict[bytes, bytes | None]] = {}
        offsets: dict[TP, int] = {}
        for event in batch:
            message = event.message
            assert message.key is not None
            writes.setdefault(message.tp, {})[message.key] = message.value
            offsets[message.tp] = message.offset
        for tp, changed in writes.items():
            self.apply(tp.partition, changed, offsets[tp])

    def _set(self, key: bytes, value: bytes | None) -> None:
        raise NotImplementedError("a transactional table is written by `apply` alone")

    def _del(self, key: bytes) -> None:
        raise NotImplementedError("a transactional table is written by `apply` alone")


STORES.aliases[SCHEME] = f"{__name__}:{TransactionalStore.__name__}"
