"""A stream of bytes that is UTF-8 throughout, whatever the file holds.

A byte that is no part of UTF-8 is one of Windows-1252, which holds Latin-1's letters: text of Western Europe from
before UTF-8 is read as it was meant, for its letters hardly ever stand so that they make a character of UTF-8.
"""

import codecs
import re
from collections.abc import Callable
from typing import Any, Final

_BAD: Final = re.compile("[\udc80-\udcff]")


def utf8_or_1252(raw: bytes) -> tuple[str, int]:
    """The text of some bytes, and how many of them are no UTF-8."""
    return _mended(raw.decode("utf-8", "surrogateescape"))


def _mended(text: str) -> tuple[str, int]:
    """A text whose escaped bytes are characters of Windows-1252; of the five that it does not have, U+FFFD."""
    return _BAD.subn(lambda found: bytes([ord(found[0]) - 0xDC00]).decode("windows-1252", "replace"), text)


class Utf8:
    """What another stream reads, with characters of Windows-1252 for what is no UTF-8. Nearly all files pass unchanged.

    Parameters
    ----------
    stream
        Has `read(n)`.
    note
        Is given at the end how many bytes were no UTF-8, if any.
    """

    closed = False

    def __init__(self, stream: Any, note: Callable[[int], None] = lambda _n: None) -> None:
        self._note = note
        self._n_bad = 0
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._cut = False
        self._ready = b""

    def read(self, n: int) -> bytes:
        """At most `n` bytes; none at the end."""
        while not self._ready:
            found: bytes = self._stream.read(n)
            if found and not self._cut and found.isascii():
                return found
            # A character may be cut in two here; the first half waits for the other.
            self._ready = self._decoded(found)
            self._cut = bool(self._decoder.getstate()[0])
            if not found:
                break
        given, self._ready = self._ready[:n], self._ready[n:]
        return given

    def _decoded(self, found: bytes) -> bytes:
        text, n_bad = _mended(self._decoder.decode(found, final=not found))
        self._n_bad += n_bad
        if not found and self._n_bad:
            self._note(self._n_bad)
        return text.encode()

    def close(self) -> None:
        """Close the other stream."""
        self.closed = True
        self._stream.close()
