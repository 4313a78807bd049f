"""Hash tables from the bytes of a text to its code, laid out in flat arrays for the compiled scan."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
import numpy as np

from detectors.columns import CODE_INVALID, CODE_NULL, Column
from detectors.compiled import inlined
from monitor.events.words import MASKS, word_at, words_of

ASK: Final = -9
"""The code of a value that is in no table: Python must look at it."""
MISSING: Final = -1
"""The code of a segment value that is null or not there."""

BOOLEANS: Final = (("false", "true"), ("0", "1"))
"""How booleans are spelled: as JSON and Arrow have them, and as data frames and CSV files often do."""

NULL, INVALID, OTHER = 3, 4, 5
"""Columns of `PackedTables.info`: the codes of null, of an invalid value, and of a value not in the table."""

_PRIME: Final = np.uint64(0x9E37_79B9_7F4A_7C15)  # odd, and without pattern: 2^64 over the golden ratio
_BASIS: Final = np.uint64(0xC2B2_AE3D_27D4_EB4F)  # a prime of xxHash
_64_BITS: Final = 0xFFFF_FFFF_FFFF_FFFF
_0, _1, _8, _16, _32 = (np.uint64(i) for i in (0, 1, 8, 16, 32))


class CodeTable(msgspec.Struct, frozen=True, kw_only=True):
    """One table: `codes` by text, and the codes of null, of what is no category, and of every other text."""

    codes: Mapping[str, int]
    null: int
    invalid: int
    other: int


def column_table(column: Column) -> CodeTable:
    """The table of a categorical column. Texts it does not hold are for Python to name."""
    return CodeTable(codes={**known_codes(column), "": CODE_NULL}, null=CODE_NULL, invalid=CODE_INVALID, other=ASK)


def dimension_table(values: Iterable[str]) -> CodeTable:
    """The table of a segment dimension: a value's index, their number for every other value."""
    values = tuple(values)
    codes = {**dimension_codes(values), "": MISSING}
    return CodeTable(codes=codes, null=MISSING, invalid=len(values), other=len(values))


def known_codes(column: Column) -> dict[str, int]:
    """The code of every text that stands for a category of a column."""
    return _with_booleans(column.codes())


def dimension_codes(values: Iterable[str]) -> dict[str, int]:
    """The code of every text that stands for a value of a segment dimension."""
    return _with_booleans({value: code for code, value in enumerate(values)})


def _with_booleans(codes: dict[str, int]) -> dict[str, int]:
    """With 1 and 0 for true and false, or the other way round, where there is nothing else."""
    for known, other in (BOOLEANS, BOOLEANS[::-1]):
        if codes and codes.keys() <= set(known):
            return codes | {alias: codes[value] for value, alias in zip(known, other, strict=True) if value in codes}
    return codes


class PackedTables:
    """Some tables as the flat arrays that the compiled scan reads.

    Attributes
    ----------
    info
        (n_tables, 6) int64: first slot, slots - 1 (a power of two less one), longest text in bytes, and the codes at
        `NULL`, `INVALID` and `OTHER`.
    slots
        (n_slots,) int64: entry index or -1; linear probing, at most a quarter full.
    entries
        (n_entries, 3) int64: first of `words`, length in bytes, code.
    words
        (n_words,) uint64: the texts in UTF-8, each padded with zeros to whole words, at least two.
    """

    def __init__(self, tables: Iterable[CodeTable]) -> None:
        info: list[tuple[int, int, int, int, int, int]] = []
        slots: list[int] = []
        entries: list[tuple[int, int, int]] = []
        words: list[int] = []
        for table in tables:
            keys = {text.encode(): code for text, code in table.codes.items() if is_unicode(text)}
            size = 1 << max(4 * len(keys) - 1, 1).bit_length()
            own = [-1] * size
            for key, code in keys.items():
                place = _hash(key) & (size - 1)
                while own[place] >= 0:
                    place = (place + 1) & (size - 1)
                own[place] = len(entries)
                entries.append((len(words), len(key), code))
                words += words_of(key)
            longest = max(map(len, keys), default=0)
            info.append((len(slots), size - 1, longest, table.null, table.invalid, table.other))
            slots += own
        self.info: Any = np.array(info, dtype=np.int64).reshape(-1, 6)
        self.slots: Any = np.array(slots, dtype=np.int64)
        self.entries: Any = np.array(entries, dtype=np.int64).reshape(-1, 3)
        self.words: Any = np.array(words, dtype=np.uint64)


@inlined
def same(data: Any, at: Any, words: Any, start: Any, width: Any) -> Any:
    """Whether `width` bytes at `at` are those of the text that begins with word `start`."""
    short = min(width, _16)
    first, second = word_at(data, at) & MASKS[short, 0], word_at(data, at + _8) & MASKS[short, 1]
    if (first ^ words[start]) | (second ^ words[start + 1]):
        return False
    if width <= _16:  # nearly all are: two words, and no loop that ends at another place each time
        return True
    at, start, width = at + _16, start + 2, width - _16
    while width >= _8:
        if word_at(data, at) != words[start]:
            return False
        at, start, width = at + _8, start + 1, width - _8
    return word_at(data, at) & MASKS[width, 0] == words[start] if width else True


@inlined
def find(data: Any, at: Any, end: Any, table: Any, info: Any, slots: Any, entries: Any, words: Any) -> Any:
    """The code of the text in [at, end)."""
    width = end - at
    if width > np.uint64(info[table, 2]):
        return info[table, OTHER]
    short = min(width, _16)
    first, second = word_at(data, at) & MASKS[short, 0], word_at(data, at + _8) & MASKS[short, 1]
    value = ((first ^ width) * _PRIME) ^ (second * _BASIS)
    if width > _16:
        place, left = at + _16, width - _16
        while left > _0:
            part = min(left, _8)
            value = (value ^ (word_at(data, place) & MASKS[part, 0])) * _PRIME
            place, left = place + part, left - part
    value ^= value >> _32
    begin, mask = np.uint64(info[table, 0]), np.uint64(info[table, 1])
    slot = value & mask
    while True:
        entry = slots[begin + slot]
        if entry < 0:
            return info[table, OTHER]
        if np.uint64(entries[entry, 1]) == width and same(data, at, words, entries[entry, 0], width):
            return entries[entry, 2]
        slot = (slot + _1) & mask


def is_unicode(text: str) -> bool:
    """A lone surrogate has no UTF-8 form, and no decoded value can hold one."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _hash(text: bytes) -> int:
    """A multiplicative hash of the words and the length; `find` computes the same."""
    first, second, *rest = words_of(text)
    value = ((first ^ len(text)) * int(_PRIME)) ^ (second * int(_BASIS))
    for word in rest:
        value = ((value ^ word) & _64_BITS) * int(_PRIME)
    value &= _64_BITS
    return value ^ (value >> 32)
