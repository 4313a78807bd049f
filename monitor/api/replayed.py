"""The files of a replay as something that answers SQL: loaded into an embedded engine that is gone afterwards.

So the report of a replay is made by the very statements that the page asks.
"""

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from monitor.errors import InputError, StoppedError
from sinks.clickhouse.sink import ClickHouseSink
from sinks.destination import Queryable
from sinks.errors import SinkRejected, SinkUnavailable
from sinks.records import RECORDS


@contextlib.contextmanager
def replayed(folder: Path, references: Sequence[pa.RecordBatch]) -> Iterator[Queryable]:
    """What `driftline replay --out FOLDER` wrote, with the references it compared with.

    Raises `InputError` where the folder holds no results, `StoppedError` where the engine is not installed.
    """
    files = {record: folder / record.file for record in RECORDS.values() if record.file}
    found = {record: path for record, path in files.items() if path.exists()}
    if not found:
        raise InputError(
            f"{folder} holds no results of a replay", hint="driftline replay CONFIG --out FOLDER makes some"
        )
    with tempfile.TemporaryDirectory(prefix="driftline-report-", ignore_cleanup_errors=True) as place:
        sink = ClickHouseSink(f"chdb://{place}")
        with contextlib.closing(sink):
            try:
                sink.migrate()
                sink.setup()
                sink.write(references)
                for record, path in found.items():
                    table = pq.read_table(path).select(record.schema.names).cast(record.schema)
                    sink.write(table.to_batches())
            except (SinkRejected, SinkUnavailable) as error:
                raise StoppedError(str(error), hint="the report of a folder needs driftline[embedded]") from error
            except (pa.ArrowException, KeyError) as error:
                raise InputError(f"{folder}: not files of this release: {error}") from error
            yield sink
