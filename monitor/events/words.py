"""Bytes eight at a time, compiled: what NumPy arrays cannot say, because their words are aligned.

Whoever asks for words at the end of a text is given up to sixteen bytes beyond it: every buffer ends with `PADDING`.
"""

from typing import Any, Final

import numpy as np
from numba import types
from numba.extending import intrinsic

PADDING: Final = b"\0" * 16
MASKS: Final = np.array([[(1 << 8 * min(n, 8)) - 1, (1 << 8 * max(n - 8, 0)) - 1] for n in range(17)], dtype=np.uint64)
"""What two words keep of a text of 0 to 16 bytes."""


def _word_at(_context: Any, data: Any, at: Any) -> Any:
    """The eight bytes of a (n,) uint8 array from offset `at` on as a uint64, the first byte the lowest."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        place = builder.gep(array.data, [arguments[1]])
        word = builder.load(builder.bitcast(place, context.get_value_type(types.uint64).as_pointer()))
        word.align = 1
        return word

    return types.uint64(data, at), build


def _zeros_below(_context: Any, value: Any) -> Any:
    """The number of zero bits below the lowest one of a uint64 that is not 0."""

    def build(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], context.get_constant(types.boolean, True))

    return types.uint64(value), build


word_at: Any = intrinsic(_word_at)
zeros_below: Any = intrinsic(_zeros_below)


def words_of(text: bytes) -> list[int]:
    """A text as words, zeros after its end; at least two."""
    padded = text.ljust(16, b"\0")
    padded += bytes(-len(padded) % 8)
    words: list[int] = np.frombuffer(padded, dtype="<u8").tolist()
    return words
