"""The bytes of a text file as UTF-8, whatever its name says: compression and encoding are known by the first bytes."""

import codecs
import io
from pathlib import Path
from typing import IO, Any, Final, Literal, NamedTuple

import pyarrow as pa

from monitor.errors import InputError
from monitor.events.arrow.streams import CONTINUATION, FILE_MAGIC
from monitor.events.json.envelopes import undecodable

Compression = Literal["gzip", "zstd", "bz2"]

_COMPRESSIONS: Final[tuple[tuple[bytes, Compression], ...]] = (
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"BZh", "bz2"),
)
_OTHERS: Final = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook", "save the sheet as CSV, or unpack the archive"),
    (b"\xfd7zXZ\x00", "compressed with xz", "unpack it, or compress it with gzip or zstd"),
    (b"SQLite format 3", "an SQLite database", "export the table as CSV"),
    (b"\x89HDF", "an HDF5 file", "save the table as Parquet"),
)
_HEAD: Final = 256
_COLUMNAR: Final[tuple[tuple[bytes, Literal["parquet", "arrow"]], ...]] = (
    (b"PAR1", "parquet"),
    (FILE_MAGIC, "arrow"),
    (CONTINUATION, "arrow"),
)
_FEATHER_1: Final = b"FEA1"


class Source(NamedTuple):
    """What the first bytes of a file say."""

    compression: Compression | None
    encoding: str

    @property
    def is_plain(self) -> bool:
        """Whether the bytes are meant to be UTF-8."""
        return not self.encoding


def magic_of(path: Path) -> bytes:
    """The first bytes of a file."""
    with path.open("rb") as file:
        return file.read(_HEAD)


def columnar_format(path: Path) -> Literal["parquet", "arrow"] | None:
    """The format of columns that a file's first bytes are of; None: they are of none.

    Raises
    ------
    InputError
        It is the first version of Feather, which is not read.
    """
    head = magic_of(path)
    if head.startswith(_FEATHER_1):
        hint = "write it anew: `pyarrow.feather.write_feather(pyarrow.feather.read_table(old), new)`, or as Parquet"
        raise InputError(f"{path} is a Feather file of version 1, which is not read", hint=hint)
    return next((name for magic, name in _COLUMNAR if head.startswith(magic)), None)


def compression_of(path: Path) -> Compression | None:
    """How the whole file is compressed, by its first bytes; None: it is not."""
    head = magic_of(path)
    return next((name for magic, name in _COMPRESSIONS if head.startswith(magic)), None)


def sniff(path: Path) -> Source:
    """How a text file is written.

    Raises
    ------
    InputError
        It is no text: an archive, a workbook, another format; or text whose encoding nobody can know.
    """
    head = magic_of(path)
    for magic, what, hint in _OTHERS:
        if head.startswith(magic):
            raise InputError(f"{path} is {what}", hint=hint)
    compression = compression_of(path)
    if compression:
        with pa.OSFile(str(path), "r") as raw, pa.CompressedInputStream(raw, compression) as stream:
            head = stream.read(_HEAD)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and not head.startswith(codecs.BOM_UTF32_LE):
        return Source(compression, "utf-16")
    if head.startswith(b"\0\0") and (framed := undecodable(head)):
        raise InputError(f"{path}: {framed}", hint="write the events themselves as JSON lines")
    for encoding, nulls, letters in (("utf-16-le", head[1::2], head[::2]), ("utf-16-be", head[::2], head[1::2])):
        # Of a mark, and of most letters of a header, one of the two bytes is 0.
        if 0 not in letters and 2 * nulls.count(0) > len(nulls):
            return Source(compression, encoding)
    if b"\0" in head:
        hint = "save it as UTF-8 (in Excel: CSV UTF-8)"
        raise InputError(f"{path} is no UTF-8 text: it has null characters", hint=hint)
    return Source(compression, "")


def open_binary(path: Path) -> tuple[Any, Any]:
    """A stream of UTF-8 with `read(n)`, and the file below it, whose `tell` says how much has been read.

    Raises
    ------
    InputError
        As `sniff`.
    """
    source = sniff(path)
    raw = pa.OSFile(str(path), "r")
    stream: Any = pa.CompressedInputStream(raw, source.compression) if source.compression else raw
    return (stream if source.is_plain else Recoded(stream, source.encoding)), raw


def open_lines(path: Path) -> tuple[IO[bytes], Any]:
    """The same with `readline`."""
    stream, raw = open_binary(path)
    return io.BufferedReader(stream if isinstance(stream, io.RawIOBase) else _Raw(stream), 1 << 20), raw


class Recoded:
    """A stream in another encoding as UTF-8; what cannot be decoded is U+FFFD.

    Parameters
    ----------
    stream
        Has `read(n)`.
    encoding
        Python's name of it.
    """

    closed = False

    def __init__(self, stream: Any, encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        self._ready = b""

    def read(self, n: int) -> bytes:
        """At most `n` bytes; none at the end."""
        while not self._ready:
            found: bytes = self._stream.read(n)
            self._ready = self._decoder.decode(found, final=not found).encode()
            if not found:
                break
        given, self._ready = self._ready[:n], self._ready[n:]
        return given

    def close(self) -> None:
        """Close the other stream."""
        self.closed = True
        self._stream.close()


class _Raw(io.RawIOBase):
    """What `io.BufferedReader` reads from."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        found = self._stream.read(len(buffer))
        buffer[: len(found)] = found
        return len(found)
