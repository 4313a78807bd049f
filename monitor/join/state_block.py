"""What one message changes in the rows of one stretch of time: one message of the changelog, one write of the disk."""

from typing import Any

import msgspec
import numpy as np
import zstandard

from monitor.join.records import ID_BYTES


class StateBlock(msgspec.Struct, frozen=True, kw_only=True):
    """Rows with their new values.

    Attributes
    ----------
    key: `monitor.join.state.block_key`.
    ids: one after the other; the first `n_new` have come to this stretch with this block.
    values: the rows.
    """

    key: bytes
    ids: bytes
    n_new: int
    values: list[bytes]

    @property
    def keys(self) -> list[bytes]:
        """Of the rows."""
        return split_ids(self.ids)

    @property
    def listed(self) -> bytes:
        """The block's list: the ids that expire with it."""
        return self.ids[: self.n_new * ID_BYTES]


class _Wire(msgspec.Struct, array_like=True):
    ids: bytes
    n_new: int
    lengths: bytes
    columns: bytes


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Wire)


def encode(block: StateBlock) -> bytes:
    """The value of the changelog's message; its key is the block's. Rows of one length go column by column."""
    lengths = np.fromiter(map(len, block.values), dtype=np.uint16, count=len(block.values))
    order = np.argsort(lengths, kind="stable")
    columns = []
    for length in np.unique(lengths).tolist():
        rows = b"".join([block.values[place] for place in order[lengths[order] == length].tolist()])
        columns.append(np.ascontiguousarray(np.frombuffer(rows, dtype=np.uint8).reshape(-1, length).T).tobytes())
    wire = _Wire(block.ids, block.n_new, lengths.tobytes(), b"".join(columns))
    return zstandard.ZstdCompressor(level=1).compress(_encoder.encode(wire))


def decode(key: bytes, data: bytes) -> StateBlock:
    """The block of a changelog's message."""
    wire = _decoder.decode(zstandard.ZstdDecompressor().decompress(data))
    lengths = np.frombuffer(wire.lengths, dtype=np.uint16)
    values: list[bytes] = [b""] * lengths.size
    order = np.argsort(lengths, kind="stable")
    at = 0
    for length in np.unique(lengths).tolist():
        places = order[lengths[order] == length].tolist()
        end = at + length * len(places)
        matrix: Any = np.frombuffer(wire.columns[at:end], dtype=np.uint8).reshape(length, len(places))
        rows = np.ascontiguousarray(matrix.T).tobytes()
        if len(places) == lengths.size:
            values = split(rows, length)
        else:
            for place, row in zip(places, split(rows, length), strict=True):
                values[place] = row
        at = end
    return StateBlock(key=key, ids=wire.ids, n_new=wire.n_new, values=values)


def split(data: bytes, width: int) -> list[bytes]:
    """Slices of equal width."""
    return [data[at : at + width] for at in range(0, len(data), width)]


def split_ids(ids: bytes) -> list[bytes]:
    """The ids one by one."""
    return split(ids, ID_BYTES)
