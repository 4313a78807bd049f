"""The state from its changelog: blocks, tombstones of blocks that ended, and the seal. Pure.

A changelog that is compacted late still holds blocks whose tombstones come after them: what these name is removed then,
but for rows that a later stretch has now.
"""

from collections.abc import Iterable

from monitor.join.rows import stretch_in
from monitor.join.state import BLOCK_KEY_BYTES, RowStore, stretch_of
from monitor.join.state_block import decode, split_ids


def restored(state: RowStore, changes: Iterable[tuple[bytes, bytes | None]]) -> dict[bytes, bytes]:
    """What to write, empty bytes where a key is to be removed, after changes in the order of the changelog."""
    writes: dict[bytes, bytes] = {}
    for key, value in changes:
        if len(key) != BLOCK_KEY_BYTES:
            writes[key] = value or b""
        elif value is not None:
            block = decode(key, value)
            writes.update(zip(block.keys, block.values, strict=True))
            writes[key] = block.listed
        else:
            for gone in _ended(state, writes, key):
                writes[gone] = b""
    return writes


def _ended(state: RowStore, writes: dict[bytes, bytes], key: bytes) -> list[bytes]:
    """The keys that end with a block."""
    (listed,) = _look(state, writes, [key])
    if not listed:
        return []
    ids, stretch = split_ids(listed), stretch_of(key)
    rows = zip(ids, _look(state, writes, ids), strict=True)
    return [key, *(one for one, row in rows if row and stretch_in(row) <= stretch)]


def _look(state: RowStore, writes: dict[bytes, bytes], keys: list[bytes]) -> list[bytes]:
    stored = state.get_many(keys)
    return [writes.get(key, below) for key, below in zip(keys, stored, strict=True)]
