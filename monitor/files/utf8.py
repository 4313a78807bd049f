"""A stream of bytes that is UTF-8 throughout, whatever the file holds."""

import codecs
from typing import Any


class Utf8:
    """What another stream reads, with U+FFFD for what is no UTF-8. Nearly all files pass as they are.

    Parameters
    ----------
    stream
        Has `read(n)`.
    """

    closed = False

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._cut = False
        self._ready = b""

    def read(self, n: int) -> bytes:
        """At most `n` bytes; none at the end."""
        while not self._ready:
            found: bytes = self._stream.read(n)
            if not self._cut and found.isascii():
                return found
            # A character may be cut in two here; the first half waits for the other.
            self._ready = self._decoder.decode(found, final=not found).encode()
            self._cut = bool(self._decoder.getstate()[0])
            if not found:
                break
        given, self._ready = self._ready[:n], self._ready[n:]
        return given

    def close(self) -> None:
        """Close the other stream."""
        self.closed = True
        self._stream.close()
