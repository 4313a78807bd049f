"""Decimal digits to the nearest float64, compiled: what `float()` gives, to the bit, or the word to ask it.

- Up to 2^53 and a power of ten up to 22 both are exact, so one multiplication or division rounds once (Clinger).
- Beyond that a product of 128 bits with a truncated power of five decides nearly always (Eisel and Lemire); where it
  cannot, for subnormal numbers, and for digits that were cut off, the caller asks Python.

References
----------
Clinger (1990), How to read floating point numbers accurately, PLDI '90, 92-101.
Lemire (2021), Number parsing at a gigabyte per second, Software: Practice and Experience 51(8), 1700-1727: the
algorithm, its table, and the proof for 19 digits; Mushtak & Lemire (2023), Fast number parsing without fallback,
ibid. 53(6), 1467-1471.
"""

from typing import Any, Final

import numpy as np

from detectors.compiled import compiled

MAX_DIGITS: Final = 19
"""Digits that 64 bits hold whatever they are."""

_SMALLEST: Final = -342  # 10^-343 times 19 digits rounds to 0
_LARGEST: Final = 308


def _powers_of_five() -> np.ndarray[Any, np.dtype[np.uint64]]:
    """(651, 2): the 128 leading bits of 5^q, q from -342 to 308, high and low half; rounded up where q is negative."""
    rows = []
    for q in range(_SMALLEST, _LARGEST + 1):
        if q < 0:
            power = 5**-q
            bits = (power - 1).bit_length()
            value = 2 ** (bits + 127 if q >= -27 else 2 * bits + 128) // power + 1
        else:
            value = 5**q << 128
        value >>= max(value.bit_length() - 128, 0)
        value <<= 128 - value.bit_length()
        rows.append((value >> 64, value & 0xFFFF_FFFF_FFFF_FFFF))
    return np.array(rows, dtype=np.uint64)


_FIVES: Final = _powers_of_five()
TENS: Final = np.array([float(10**i) for i in range(23)])
"""The powers of ten that are exact."""
_EXACT: Final = np.uint64(1 << 53)
_ONE: Final = np.uint64(1)
_LOW: Final = np.uint64(0xFFFF_FFFF)
_ALL: Final = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
_32: Final = np.uint64(32)


@compiled
def _product(a: Any, b: Any) -> Any:
    """The high and the low 64 bits of a product."""
    a_low, a_high, b_low, b_high = a & _LOW, a >> _32, b & _LOW, b >> _32
    low, middle, other = a_low * b_low, a_high * b_low, a_low * b_high
    carry = (low >> _32) + (middle & _LOW) + (other & _LOW)
    return a_high * b_high + (middle >> _32) + (other >> _32) + (carry >> _32), a * b


@compiled
def nearest(digits: Any, exponent: Any, floats: Any) -> Any:
    """The float64 nearest to `digits` * 10^`exponent`, and True; or False where the caller must ask Python.

    `digits` is a uint64; `floats` is (1,) float64 to work in. Beyond the largest float it is +inf.
    """
    if digits <= _EXACT and -23 < exponent < 23:
        if exponent < 0:
            return np.float64(digits) / TENS[-exponent], True
        return np.float64(digits) * TENS[exponent], True
    if digits == 0 or exponent < _SMALLEST:
        return 0.0, True
    if exponent > _LARGEST:
        return np.inf, True
    shift = np.uint64(0)
    left = digits
    for step in (32, 16, 8, 4, 2, 1):
        if left >> np.uint64(64 - step) == 0:
            left <<= np.uint64(step)
            shift += np.uint64(step)
    high, low = _product(left, _FIVES[exponent - _SMALLEST, 0])
    if high & np.uint64(0x1FF) == np.uint64(0x1FF):
        more, _ = _product(left, _FIVES[exponent - _SMALLEST, 1])
        low += more
        if low < more:
            high += _ONE
    if low == _ALL and not -27 <= exponent <= 55:
        return 0.0, False
    upper = high >> np.uint64(63)
    mantissa = high >> (upper + np.uint64(9))
    power = ((217706 * exponent) >> 16) + 63 + np.int64(upper) - np.int64(shift) + 1023
    if power <= 0:
        return 0.0, False
    half_way = low <= _ONE and -4 <= exponent <= 23 and mantissa & np.uint64(3) == _ONE
    if half_way and mantissa << (upper + np.uint64(9)) == high:
        mantissa &= ~_ONE
    mantissa = (mantissa + (mantissa & _ONE)) >> _ONE
    if mantissa >= _EXACT:
        mantissa = _EXACT >> _ONE
        power += 1
    if power >= 0x7FF:
        return np.inf, True
    bits = floats.view(np.uint64)
    bits[0] = (mantissa & ~(_EXACT >> _ONE)) | (np.uint64(power) << np.uint64(52))
    return floats[0], True
