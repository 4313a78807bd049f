"""The hash that stands for a prediction's id: BLAKE2b of 16 bytes, its person that of the model's name. Compiled.

`hash_of` is the specification. Here thousands are made at a time, from where their texts lie in one buffer: an object
and a call each cost more than the hash.

References
----------
Saarinen & Aumasson (2015), RFC 7693: the BLAKE2 cryptographic hash.
"""

import hashlib
from typing import Any, Final

import numpy as np

from detectors.compiled import compiled, inlined
from monitor.events.words import MASKS, word_at

_IV: Final = np.array(
    [
        0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1,
        0x510E527FADE682D1, 0x9B05688C2B3E6C1F, 0x1F83D9ABFB41BD6B, 0x5BE0CD19137E2179,
    ],
    dtype=np.uint64,
)  # fmt: skip
_SIGMA: Final = np.array(
    [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
        [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
        [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
        [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
        [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
        [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
        [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
        [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
        [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
        [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
        [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
    ],
    dtype=np.uint8,
)
_PARAMETERS: Final = np.uint64(0x0101_0010)  # 16 bytes, no key, one leaf
_BLOCK: Final = np.uint64(128)
_0, _8, _16 = np.uint64(0), np.uint64(8), np.uint64(16)
_24, _32, _40, _48, _63, _1 = (np.uint64(n) for n in (24, 32, 40, 48, 63, 1))

_AHEAD: Final = 64

NO_ID: Final = (0, 0)
"""Of an event without one."""


def person_of(model: str) -> bytes:
    """(16 bytes) what makes the same id of two models two ids."""
    return hashlib.blake2b(model.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def hash_of(model: str, identity: str) -> tuple[int, int]:
    """The hash of a model's id, as two words, the first bytes in the first, lowest first."""
    text = identity.encode("utf-8", "surrogatepass")
    digest = hashlib.blake2b(text, digest_size=16, person=person_of(model)).digest()
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")


def hash_texts(data: Any, places: Any, model: str) -> Any:
    """(n, 2) uint64: the hashes of the texts in `data` at `places` (n, 2) uint64; (0, 0) where a place is (0, 0).

    `data` ends with `words.PADDING`.
    """
    found = np.empty((len(places), 2), dtype=np.uint64)
    _hash(data, places, np.frombuffer(person_of(model), dtype=np.uint64), found)
    return found


@inlined
def _g(a: Any, b: Any, c: Any, d: Any, x: Any, y: Any) -> Any:
    a = a + b + x
    d ^= a
    d = (d >> _32) | (d << _32)
    c = c + d
    b ^= c
    b = (b >> _24) | (b << _40)
    a = a + b + y
    d ^= a
    d = (d >> _16) | (d << _48)
    c = c + d
    b ^= c
    b = (b >> _63) | (b << _1)
    return a, b, c, d


@compiled
def _compress(h: Any, m: Any, n_bytes: Any, last: Any) -> None:
    """One block: `h` (8,) in place, `m` (16,), the bytes until its end, and whether it is the last."""
    v0, v1, v2, v3, v4, v5, v6, v7 = h[0], h[1], h[2], h[3], h[4], h[5], h[6], h[7]
    v8, v9, v10, v11 = _IV[0], _IV[1], _IV[2], _IV[3]
    v12, v13, v14, v15 = _IV[4] ^ n_bytes, _IV[5], _IV[6], _IV[7]
    if last:
        v14 = ~v14
    for r in range(12):
        s = _SIGMA[r]
        v0, v4, v8, v12 = _g(v0, v4, v8, v12, m[s[0]], m[s[1]])
        v1, v5, v9, v13 = _g(v1, v5, v9, v13, m[s[2]], m[s[3]])
        v2, v6, v10, v14 = _g(v2, v6, v10, v14, m[s[4]], m[s[5]])
        v3, v7, v11, v15 = _g(v3, v7, v11, v15, m[s[6]], m[s[7]])
        v0, v5, v10, v15 = _g(v0, v5, v10, v15, m[s[8]], m[s[9]])
        v1, v6, v11, v12 = _g(v1, v6, v11, v12, m[s[10]], m[s[11]])
        v2, v7, v8, v13 = _g(v2, v7, v8, v13, m[s[12]], m[s[13]])
        v3, v4, v9, v14 = _g(v3, v4, v9, v14, m[s[14]], m[s[15]])
    h[0] ^= v0 ^ v8
    h[1] ^= v1 ^ v9
    h[2] ^= v2 ^ v10
    h[3] ^= v3 ^ v11
    h[4] ^= v4 ^ v12
    h[5] ^= v5 ^ v13
    h[6] ^= v6 ^ v14
    h[7] ^= v7 ^ v15


@compiled
def _hash(data: Any, places: Any, person: Any, found: Any) -> None:
    h, m = np.empty(8, dtype=np.uint64), np.empty(16, dtype=np.uint64)
    for i in range(places.shape[0]):
        if i % _AHEAD == 0:  # texts lie far apart, in no cache: fetched together they are waited for once
            for j in range(i, min(i + _AHEAD, places.shape[0])):
                found[j, 0] = word_at(data, places[j, 0])
        begin, end = places[i, 0], places[i, 1]
        if end == _0:
            found[i, 0] = found[i, 1] = _0
            continue
        for word in range(8):
            h[word] = _IV[word]
        h[0] ^= _PARAMETERS
        h[6] ^= person[0]
        h[7] ^= person[1]
        at = begin
        while True:
            for word in range(16):
                if at + _8 <= end:
                    m[word] = word_at(data, at)
                elif at < end:
                    m[word] = word_at(data, at) & MASKS[end - at, 0]
                else:
                    m[word] = _0
                at += _8
            if at >= end:
                _compress(h, m, end - begin, True)
                break
            _compress(h, m, at - begin, False)
        found[i, 0], found[i, 1] = h[0], h[1]
