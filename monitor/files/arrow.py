"""Arrow IPC in a file: the file format, which Feather V2 is, and streams as they lie.

The file is mapped, not read: what is not compressed stays on the disk until its values are looked at. What is
compressed is unpacked a record batch at a time, and only the columns that are asked for; how much that may be is known
from the frames before anything is unpacked.
"""

import mmap
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from monitor.errors import InputError
from monitor.events.arrow.plain import plain, plain_type, with_plain_dictionaries
from monitor.events.arrow.streams import REFUSALS, streams
from monitor.files.report import FileReport
from monitor.files.table import ROWS, FileColumn, Progress, require_unique_fields, unwatched

_ROOM_BYTES: Final = 256 * 1024 * 1024
_RATIO: Final = 1_000
"""What a record batch may need: so many bytes, and so many times its file's own. See `detectors.reference_file`."""


class ArrowTable:
    """An Arrow IPC file as a `TableFile`: one stream or several of one schema.

    Types that only some readers know are read as their plain ones: views as text, lists and bytes, runs as values.

    Raises
    ------
    InputError
        It is none, is cut off, or claims to hold more than its size makes likely or than there is memory.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.report = FileReport()
        self._raw = _mapped(path)
        self._streams: list[tuple[int, int]] = []
        self.n_rows = 0
        schema: Any = None
        most = min(_ROOM_BYTES + _RATIO * len(self._raw), os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 4)
        try:
            for start, found in streams(self._raw):
                if found.n_unpacked > most:
                    self._refuse_size(found.n_unpacked)
                self._streams.append((start, found.stop))
                self.n_rows += found.n_rows
                with pa.ipc.open_stream(self._slice(start, found.stop)) as reader:
                    own = reader.schema
                if schema is not None and not own.equals(schema):
                    raise InputError(f"{path} holds streams of different columns", hint="write each to its own file")
                schema = own
        except REFUSALS as error:
            raise self._corrupt(error) from error
        if schema is None:
            raise InputError(f"{path} holds no stream of Arrow")
        require_unique_fields(path, schema)
        self._fields = [field.with_type(plain_type(field.type)) for field in schema]
        self._metadata = schema.metadata
        self.columns = tuple(FileColumn(name=field.name, type=field.type) for field in self._fields)

    def iter_batches(
        self, columns: Sequence[str] | None = None, rows: int = ROWS, progress: Progress = unwatched
    ) -> Iterator[pa.RecordBatch]:
        """Read the file once; see `TableFile`. Columns are names, no paths."""
        places = [place for place, one in enumerate(self.columns) if columns is None or one.name in columns]
        schema = pa.schema([self._fields[place] for place in places], metadata=self._metadata)
        done = 0
        try:
            for batch in _filled(self._batches(places), schema, rows):
                done += batch.num_rows
                progress(done / self.n_rows)
                yield batch
        except REFUSALS as error:
            raise self._corrupt(error) from error

    def _batches(self, places: Sequence[int]) -> Iterator[Any]:
        options = pa.ipc.IpcReadOptions(included_fields=list(places), use_threads=False)
        for start, stop in self._streams:
            with pa.ipc.open_stream(self._slice(start, stop), options=options) as reader:
                for batch in reader:
                    batch.validate(full=True)  # or a wrong offset would be read from anywhere
                    yield with_plain_dictionaries(batch)

    def _slice(self, start: int, stop: int) -> Any:
        return pa.py_buffer(self._raw).slice(start, stop - start)

    def _refuse_size(self, n_bytes: int) -> None:
        raise InputError(
            f"{self.path} of {len(self._raw):,} bytes claims that a part of it holds {n_bytes:,}",
            hint="write it in smaller record batches (chunksize of feather, max_chunksize of a table), or as Parquet",
        )

    def _corrupt(self, error: BaseException) -> InputError:
        detail = " ".join(str(error).split())[:300]
        return InputError(f"{self.path} is corrupt, or not what its name says: {detail or type(error).__name__}")


def _filled(batches: Iterator[Any], schema: Any, rows: int) -> Iterator[Any]:
    """Batches of `rows`, but for the last: whoever logs may write a batch a row."""
    waiting: list[Any] = []
    n = 0
    for batch in batches:
        start = 0
        while start < batch.num_rows:
            part = batch.slice(start, rows - n)
            arrays = [plain(array, field.type) for array, field in zip(part.columns, schema, strict=True)]
            waiting.append(pa.RecordBatch.from_arrays(arrays, schema=schema))
            start, n = start + part.num_rows, n + part.num_rows
            if n == rows:
                yield _joined(waiting)
                waiting, n = [], 0
    if waiting:
        yield _joined(waiting)


def _joined(batches: Sequence[Any]) -> Any:
    return batches[0] if len(batches) == 1 else pa.concat_batches(batches)  # type: ignore[attr-defined]  # the stubs lack it


def _mapped(path: Path) -> mmap.mmap:
    try:
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError:
        raise InputError(f"no such file: {path}", hint="check the path") from None
    except ValueError:  # a map has at least one byte
        raise InputError(f"{path} is empty", hint="name a file with rows") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
