"""The files of a replay as something that answers SQL: loaded into an embedded engine that is gone afterwards.

So the report of a replay is made by the very statements that the page asks.
"""

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from monitor.decisions.rows import alerts_batch, requests_batch
from monitor.decisions.wire import BadEvent, decode_alert, decode_retraining
from monitor.errors import InputError, StoppedError
from monitor.replay.replay import ALERTS, REJECTS, RETRAINING
from sinks.clickhouse.sink import ClickHouseSink
from sinks.destination import Queryable
from sinks.errors import SinkRejected, SinkUnavailable
from sinks.records import RECORDS
from sinks.records.record import FIRST_MS
from sinks.records.reject_messages import Reject, rejects_batch

_MOST_LINES: Final = 10_000


class _Line(msgspec.Struct):
    reason: str
    detail: str
    model: str
    raw: str


_rejects: Final = msgspec.json.Decoder(_Line)


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
                for batch in told(folder):
                    sink.write([batch])
            except (SinkRejected, SinkUnavailable) as error:
                raise StoppedError(str(error), hint="the report of a folder needs driftline[embedded]") from error
            except (pa.ArrowException, KeyError, BadEvent, msgspec.DecodeError) as error:
                raise InputError(f"{folder}: not files of this release: {error}") from error
            yield sink


def told(folder: Path) -> Iterator[pa.RecordBatch]:
    """Rows of what a replay writes as lines: alerts, requests to retrain, rejects.

    A reject's place is its line. Raises `BadEvent` or `msgspec.DecodeError` where a line is none of this release.
    """
    for lines in _lines(folder / ALERTS):
        yield alerts_batch([decode_alert(line).data for _, line in lines])
    for lines in _lines(folder / RETRAINING):
        yield requests_batch([decode_retraining(line).data for _, line in lines])
    for lines in _lines(folder / REJECTS):
        yield rejects_batch([_reject(number, _rejects.decode(line)) for number, line in lines])


def _lines(path: Path) -> Iterator[list[tuple[int, bytes]]]:
    if not path.exists():
        return
    with path.open("rb") as file:
        numbered = enumerate(file, start=1)
        while lines := list(islice(numbered, _MOST_LINES)):
            yield lines


def _reject(number: int, line: _Line) -> Reject:
    return Reject(
        source_topic=REJECTS, source_partition=0, source_offset=number, event_index=0, model=line.model,
        reason=line.reason, detail=line.detail, time_ms=FIRST_MS, raw=line.raw.encode("utf-8", "replace"),
    )  # fmt: skip
