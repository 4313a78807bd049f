"""JSON text walked byte by byte, compiled: strings, numbers, whole values.

Every function takes the bytes and where to begin, and says where it ended: 0 where the text is not plain JSON, so that
the forgiving path looks at it. A zero byte, which no JSON holds, must follow the text: it ends every loop. The buffer
ends with `words.PADDING`.

Source of the grammar: RFC 8259.
"""

from typing import Any, Final

import numpy as np

from detectors.compiled import compiled, inlined
from monitor.events.json.decimals import MAX_DIGITS, TENS
from monitor.events.words import word_at, zeros_below

NEGATIVE: Final = 1
FRACTION: Final = 2
"""The number has a fraction or an exponent: it is no integer as it is written."""
CUT: Final = 4
"""It has more digits than were kept."""

_MAX_DEPTH: Final = 60
_NONE: Final = np.uint64(0)
# Offsets are unsigned: for a signed index the compiler must allow for Python's counting from the end, at every byte.
_1, _2, _3, _4, _5, _6 = (np.uint64(i) for i in range(1, 7))
_8, _TEN, _48 = np.uint64(8), np.uint64(10), np.uint64(0x30)
_QUOTES, _BACKSLASHES, _SPACES, _ONES, _HIGH_BITS, _ZEROS, _BEYOND_NINE = (
    np.uint64(byte * 0x0101_0101_0101_0101) for byte in (0x22, 0x5C, 0x20, 0x01, 0x80, 0x30, 0x76)
)
_TOP: Final = np.uint64(1 << 63)


@compiled
def space(data: Any, at: Any) -> Any:
    """The first byte that is no white space."""
    while data[at] == 0x20 or data[at] == 0x0A or data[at] == 0x0D or data[at] == 0x09:
        at += _1
    return at


@compiled
def _is_hexadecimal(byte: Any) -> Any:
    return 0x30 <= byte <= 0x39 or 0x41 <= byte <= 0x46 or 0x61 <= byte <= 0x66


@compiled
def string(data: Any, at: Any) -> Any:
    """The closing quote of the string whose first character is at `at`, and whether anything in it is escaped."""
    escaped = False
    while True:
        # Eight bytes at once: the high bit of each that is a quote, a backslash, or below a space. What lies above the
        # lowest of them may be marked by mistake, and is not looked at.
        word = word_at(data, at)
        quote, backslash = word ^ _QUOTES, word ^ _BACKSLASHES
        marks = (
            ((quote - _ONES) & ~quote) | ((backslash - _ONES) & ~backslash) | ((word - _SPACES) & ~word)
        ) & _HIGH_BITS  # fmt: skip
        if marks == 0:
            at += _8
            continue
        at += zeros_below(marks) >> _3
        byte = data[at]
        if byte == 0x22:
            return at, escaped
        if byte < 0x20:
            return _NONE, True
        escaped = True
        code = data[at + _1]
        if code == 0x75:
            for i in (_2, _3, _4, _5):
                if not _is_hexadecimal(data[at + i]):
                    return _NONE, True
            at += _6
        elif (
            code == 0x22 or code == 0x5C or code == 0x2F or code == 0x62
            or code == 0x66 or code == 0x6E or code == 0x72 or code == 0x74
        ):  # fmt: skip
            at += _2
        else:
            return _NONE, True


@inlined
def _non_digits(word: Any) -> Any:
    """The high bit of each of a word's bytes that is no digit; above the lowest of them others may be marked too."""
    off = word ^ _ZEROS
    return ((off + _BEYOND_NINE) | off) & _HIGH_BITS


@inlined
def _number_of(word: Any) -> Any:
    """The number in eight digits, the first in the lowest byte; zero bytes count as zeros (Lemire 2021, section 3)."""
    pairs = ((word & np.uint64(0x0F0F_0F0F_0F0F_0F0F)) * np.uint64(2561)) >> _8
    fours = ((pairs & np.uint64(0x00FF_00FF_00FF_00FF)) * np.uint64(6553601)) >> np.uint64(16)
    return ((fours & np.uint64(0x0000_FFFF_0000_FFFF)) * np.uint64(42949672960001)) >> np.uint64(32)


@inlined
def short_number(data: Any, at: Any) -> Any:
    """(end, float64) of a number of less than eight digits with no exponent; end 0 where it is another, or none."""
    negative = data[at] == 0x2D
    at += np.uint64(negative)
    plain = word_at(data, at)
    marks = _non_digits(plain)
    whole = zeros_below(marks | _TOP) >> _3  # digits before the point
    low = (_1 << (_8 * whole)) - _1
    point = np.uint64((plain >> (_8 * whole)) & np.uint64(0xFF) == np.uint64(0x2E))
    digits = (plain & low) | (word_at(data, at + point) & ~low)  # the point left out
    marks_too = _non_digits(digits)
    n = zeros_below(marks_too | _TOP) >> _3
    end = at + n + point
    value = _number_of(digits << ((_8 - n) * _8 & np.uint64(63)))
    if (
        marks == _NONE or marks_too == _NONE or whole == _NONE or (point == _1 and n == whole)
        or (whole > _1 and plain & np.uint64(0xFF) == _48) or (negative and value == _NONE) or data[end] | 0x20 == 0x65
    ):  # fmt: skip
        return _NONE, 0.0
    found = np.float64(np.int64(value)) / TENS[n - whole]
    return end, -found if negative else found


@compiled
def _digit(data: Any, at: Any) -> Any:
    """The digit at `at` as a uint64; 10 and more for what is none."""
    return np.uint64(data[at]) - _48


@compiled
def number(data: Any, at: Any) -> Any:
    """(end, digits, exponent, flags) of the number at `at`: it is `digits` * 10^`exponent`, `digits` a uint64."""
    digits = np.uint64(0)
    n, exponent, flags = 0, 0, 0
    if data[at] == 0x2D:
        flags = NEGATIVE
        at += _1
    digit = _digit(data, at)
    if digit >= _TEN:
        return _NONE, digits, 0, 0
    if digit == 0:
        at += _1
        digit = _digit(data, at)
        if digit < _TEN:
            return _NONE, digits, 0, 0
    while digit < _TEN:
        if n < MAX_DIGITS:
            digits = digits * _TEN + digit
            n += 1
        else:
            exponent += 1
            flags |= CUT
        at += _1
        digit = _digit(data, at)
    if data[at] == 0x2E:
        flags |= FRACTION
        at += _1
        digit = _digit(data, at)
        if digit >= _TEN:
            return _NONE, digits, 0, 0
        while digit < _TEN:
            if n < MAX_DIGITS:
                digits = digits * _TEN + digit
                exponent -= 1
                if digits != 0:
                    n += 1
            elif digit != 0:
                flags |= CUT
            at += _1
            digit = _digit(data, at)
    if data[at] == 0x65 or data[at] == 0x45:
        flags |= FRACTION
        at += _1
        sign = 1
        if data[at] == 0x2B or data[at] == 0x2D:
            sign = -1 if data[at] == 0x2D else 1
            at += _1
        digit = _digit(data, at)
        if digit >= _TEN:
            return _NONE, digits, 0, 0
        power: Any = 0
        while digit < _TEN:
            if power < 100_000:
                power = power * 10 + np.int64(digit)
            at += _1
            digit = _digit(data, at)
        exponent += sign * power
    return at, digits, exponent, flags


@compiled
def word(data: Any, at: Any) -> Any:
    """The end of the `true`, `false` or `null` at `at`."""
    if data[at] == 0x74 and data[at + _1] == 0x72 and data[at + _2] == 0x75 and data[at + _3] == 0x65:
        return at + _4
    if data[at] == 0x6E and data[at + _1] == 0x75 and data[at + _2] == 0x6C and data[at + _3] == 0x6C:
        return at + _4
    if (
        data[at] == 0x66 and data[at + _1] == 0x61 and data[at + _2] == 0x6C
        and data[at + _3] == 0x73 and data[at + _4] == 0x65
    ):  # fmt: skip
        return at + _5
    return _NONE


@compiled
def value(data: Any, at: Any) -> Any:
    """The end of the value at `at`, whatever it is; every byte of it is looked at."""
    depth, objects, keyed = 0, np.uint64(0), False
    while True:
        if keyed:
            if data[at] != 0x22:
                return _NONE
            at, _ = string(data, at + _1)
            if at == _NONE:
                return _NONE
            at = space(data, at + _1)
            if data[at] != 0x3A:
                return _NONE
            at = space(data, at + _1)
        first = data[at]
        if first == 0x7B or first == 0x5B:
            at = space(data, at + _1)
            if data[at] != first + 2:  # the closing bracket stands two places after the opening one
                if depth == _MAX_DEPTH:
                    return _NONE
                depth += 1
                keyed = first == 0x7B
                objects = (objects << _1) | np.uint64(keyed)
                continue
            at += _1
        elif first == 0x22:
            at, _ = string(data, at + _1)
            if at == _NONE:
                return _NONE
            at += _1
        else:
            at = number(data, at)[0] if first == 0x2D or 0x30 <= first <= 0x39 else word(data, at)
            if at == _NONE:
                return _NONE
        while True:  # a value is over
            if depth == 0:
                return at
            at = space(data, at)
            keyed = (objects & _1) == _1
            if data[at] == 0x2C:
                at = space(data, at + _1)
                break
            if data[at] != (0x7D if keyed else 0x5D):
                return _NONE
            at += _1
            depth -= 1
            objects >>= _1
