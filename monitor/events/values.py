"""What single values mean: numbers and categories; times: see `monitor.events.times`. The compiled path must agree."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from detectors.columns import INVALID, NULL

INVALID_TEXT: Final = msgspec.msgpack.Ext(1, b"")
"""An invalid categorical value, in a form that no event can hold and that MessagePack can carry."""

MAX_TEXT: Final = 200
"""Characters of a text that is kept: of an unseen value, which is for people to read, and of a version, which is a key.

Without a bound a few events make a message that no broker takes.
"""

Category = str | msgspec.msgpack.Ext | None
"""Canonical text, INVALID_TEXT, or null."""

_EXACT: Final = 1e17  # beyond this, repr writes an exponent and an integral float is no exact count any more


def number(value: object) -> float:
    """A numeric column's value: NULL (also of empty text), INVALID (text, not finite, beyond a float), or the number.

    A boolean is 1 or 0: whether a file has `true` or 1 depends on who wrote it.
    """
    if value is None or value == "":
        return NULL
    if not isinstance(value, int | float):
        return INVALID
    try:
        result = float(value)
    except OverflowError:
        return INVALID
    return result if math.isfinite(result) else INVALID


def category(value: object) -> Category:
    """A categorical column's value as canonical text: 1 and 1.0 are "1", true is "true"; empty text is null.

    CSV cannot tell empty text from null, so no format does.
    """
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        try:
            return str(value)
        except ValueError:  # thousands of digits, sys.set_int_max_str_digits
            return INVALID_TEXT
    if isinstance(value, float) and math.isfinite(value):
        return str(int(value)) if value.is_integer() and abs(value) < _EXACT else repr(value)
    return INVALID_TEXT


def most_probable(probabilities: object) -> tuple[float, Category]:
    """The largest of a mapping's or list's probabilities and its class (a list's classes are its positions).

    Of equals, the class whose name comes first: tables keep no order of keys that each event had its own of. In a list,
    the first. Values that are no finite numbers are passed over; where no other is there, both are invalid.
    """
    if isinstance(probabilities, Mapping):
        pairs = sorted(
            ((category(key), number(value)) for key, value in probabilities.items()), key=lambda pair: str(pair[0])
        )
    elif isinstance(probabilities, Sequence) and not isinstance(probabilities, str):
        pairs = [(str(index), number(value)) for index, value in enumerate(probabilities)]
    else:
        return INVALID, INVALID_TEXT
    if not pairs:
        return NULL, None
    label, score = max(pairs, key=lambda pair: pair[1] if math.isfinite(pair[1]) else -math.inf)
    return (score, label) if math.isfinite(score) else (INVALID, INVALID_TEXT)


def clean(text: str) -> str:
    """Text that every encoder accepts: a lone surrogate, which JSON can spell, becomes U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
