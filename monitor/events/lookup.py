"""Hash tables from the MessagePack bytes of a value to its code, laid out in flat arrays for the compiled loop."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
import numpy as np

from detectors.columns import CODE_INVALID, CODE_NULL, Column
from monitor.events.values import INVALID_TEXT, spellings

ASK: Final = -9
"""The code of a value that is in no table: Python must look at it."""
MISSING: Final = -1
"""The code of a segment value that is null or not there."""

_ENCODER: Final = msgspec.msgpack.Encoder()
_PRIME: Final = 1_099_511_628_211
_BASIS: Final = 14_695_981_039_346_656_037


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """One table: `codes` by MessagePack bytes, and the codes of null and of everything else."""

    codes: dict[bytes, int]
    null: int
    other: int


def column_table(column: Column) -> Table:
    """The table of a categorical column. Values it does not hold are for Python to spell and to name."""
    codes = _spelled(column.codes())
    codes[_ENCODER.encode(INVALID_TEXT)] = CODE_INVALID
    return Table(codes=codes, null=CODE_NULL, other=ASK)


def dimension_table(values: Iterable[str]) -> Table:
    """The table of a segment dimension: a value's index, their number for every other value."""
    index = {value: code for code, value in enumerate(values)}
    return Table(codes=_spelled(index), null=MISSING, other=len(index))


def _spelled(texts: Mapping[str, int]) -> dict[bytes, int]:
    codes = {}
    for text, code in texts.items():
        try:
            text.encode()
        except UnicodeEncodeError:
            continue  # a lone surrogate: no decoded value can hold it
        for value in spellings(text):
            codes[_ENCODER.encode(value)] = code
    return codes


class PackedTables:
    """All tables of a model as the flat arrays that the compiled loop reads.

    Attributes
    ----------
    info
        (n_tables, 5) int64: first slot, slots - 1 (a power of two less one), longest key in bytes, code of null,
        code of a value not in the table.
    slots
        (n_slots,) int64: entry index or -1; linear probing, at most half full.
    entries
        (n_entries, 3) int64: start in `blob`, length, code.
    blob
        (n_bytes,) uint8: the keys.
    """

    def __init__(self, tables: Iterable[Table]) -> None:
        info: list[tuple[int, int, int, int, int]] = []
        slots: list[int] = []
        entries: list[tuple[int, int, int]] = []
        blob = bytearray()
        for table in tables:
            size = 1 << max(2 * len(table.codes), 1).bit_length()
            own = [-1] * size
            for key, code in table.codes.items():
                place = _hash(key) & (size - 1)
                while own[place] >= 0:
                    place = (place + 1) & (size - 1)
                own[place] = len(entries)
                entries.append((len(blob), len(key), code))
                blob += key
            info.append((len(slots), size - 1, max(map(len, table.codes), default=0), table.null, table.other))
            slots += own
        self.info: Any = np.array(info, dtype=np.int64).reshape(-1, 5)
        self.slots: Any = np.array(slots, dtype=np.int64)
        self.entries: Any = np.array(entries, dtype=np.int64).reshape(-1, 3)
        self.blob: Any = np.frombuffer(bytes(blob), dtype=np.uint8)


def _hash(key: bytes) -> int:
    """FNV-1a, 64 bits, folded; the loop in `unpack` computes the same."""
    value = _BASIS
    for byte in key:
        value = ((value ^ byte) * _PRIME) & 0xFFFF_FFFF_FFFF_FFFF
    return value ^ (value >> 32)
