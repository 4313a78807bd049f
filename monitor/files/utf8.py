"""A stream of bytes that is UTF-8 throughout, whatever the file holds."""

import codecs
from collections.abc import Callable
from typing import Any, Final

_MARK: Final = "\ufffd".encode()


class Utf8:
    """What another stream reads, with U+FFFD for what is no UTF-8. Nearly all files pass as they are.

    Parameters
    ----------
    stream
        Has `read(n)`.
    note
        Is given at the end how many times U+FFFD stands for something else, if it does.
    """

    closed = False

    def __init__(self, stream: Any, note: Callable[[int], None] = lambda _n: None) -> None:
        self._note = note
        self._n_replaced = 0
        self._tail = b""
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._cut = False
        self._ready = b""

    def read(self, n: int) -> bytes:
        """At most `n` bytes; none at the end."""
        while not self._ready:
            found: bytes = self._stream.read(n)
            if found and not self._cut and found.isascii():
                self._tail = b""
                return found
            # A character may be cut in two here; the first half waits for the other.
            self._ready = self._decoded(found)
            self._cut = bool(self._decoder.getstate()[0])
            if not found:
                break
        given, self._ready = self._ready[:n], self._ready[n:]
        return given

    def _decoded(self, found: bytes) -> bytes:
        text = self._decoder.decode(found, final=not found)
        own = self._tail + found  # which may have U+FFFD itself, cut in two
        self._n_replaced += text.count("\ufffd") - own.count(_MARK)
        self._tail = own[-2:]
        if not found and self._n_replaced:
            self._note(self._n_replaced)
        return text.encode()

    def close(self) -> None:
        """Close the other stream."""
        self.closed = True
        self._stream.close()
