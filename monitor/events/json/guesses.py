"""What comes between two values of an event, guessed from the last event: compiled.

Events of one producer have their keys in one order, and one way to write brackets and white space. So the text from the
end of a value to the beginning of the next, as `},"features":{"f00":` has it, is compared with what stood there last,
eight bytes at a time. Where it is the same it means the same; where it is not, it is read key by key, and remembered.
"""

from typing import Any, Final

import numpy as np

from detectors.compiled import compiled, inlined
from monitor.events.words import MASKS, word_at

ENTRY: Final = 0
FRESH: Final = 1
WIDTH: Final = 2
_MASK, _OTHER_MASK, _WORDS = 3, 4, 5
_COLUMNS: Final = 12
"""Of a guess: the entry whose key the text ends with, whether its object had just begun, bytes, masks, words."""

_1, _8, _16 = np.uint64(1), np.uint64(8), np.uint64(16)
_LONGEST: Final = np.uint64(8 * (_COLUMNS - _WORDS))
_NO_WIDTH: Final = np.uint64(0)


def no_guesses(n: int) -> Any:
    """(n, 12) uint64: nothing is known of what follows any of n places."""
    return np.zeros((n, _COLUMNS), dtype=np.uint64)


@inlined
def matches(data: Any, at: Any, fresh: Any, guesses: Any, place: Any) -> Any:
    """Whether the text at `at` is what followed `place` last. Never a text of no bytes."""
    width = guesses[place, WIDTH]
    first = (word_at(data, at) & guesses[place, _MASK]) ^ guesses[place, _WORDS]
    second = (word_at(data, at + _8) & guesses[place, _OTHER_MASK]) ^ guesses[place, _WORDS + 1]
    if (first | second) != _NO_WIDTH or width == _NO_WIDTH or (guesses[place, FRESH] == _1) != fresh:
        return False
    same, at, k = True, at + _16, _WORDS + 2
    while width > _16 and same:
        part = min(width - _16, _8)
        same = word_at(data, at) & MASKS[part, 0] == guesses[place, k]
        at, k, width = at + _8, k + 1, width - part
    return same


@compiled
def learn(data: Any, begin: Any, end: Any, fresh: Any, entry: Any, guesses: Any, place: Any) -> None:
    """Remember that the text in [begin, end) follows `place` and leads to the value of `entry`."""
    width = end - begin
    if width > _LONGEST:
        return
    guesses[place, ENTRY] = np.uint64(entry)
    guesses[place, FRESH] = np.uint64(fresh)
    guesses[place, WIDTH] = width
    short = min(width, _16)
    guesses[place, _MASK], guesses[place, _OTHER_MASK] = MASKS[short, 0], MASKS[short, 1]
    for k in range(_COLUMNS - _WORDS):
        at = begin + _8 * np.uint64(k)
        left = end - at if end > at else _NO_WIDTH
        guesses[place, _WORDS + k] = word_at(data, at) & MASKS[min(left, _8), 0] if left else _NO_WIDTH
