"""The composition root: from a configuration to each role, ready to run. Nothing else knows all the parts."""

import contextlib
from collections.abc import Iterable, Sequence

import faust
import stamina
import structlog

from detectors.columns import Kind
from detectors.grid import coarse_cells
from detectors.reference import Reference
from monitor import telemetry
from monitor.config.schema import Config
from monitor.errors import InputError, StoppedError, Unavailable
from monitor.evaluation.evaluator import Evaluator
from monitor.kafka.decoding import KafkaDecoder
from monitor.kafka.topics import ensure_topics
from monitor.models import message_decoder, watched
from monitor.process.health import Health
from monitor.reference.opened import References, open_references
from monitor.roles.deliver import Deliver
from monitor.roles.evaluate import build_app, changelog_topic
from monitor.roles.ingest import Ingest
from sinks.clickhouse import migrations
from sinks.clickhouse.client import connect
from sinks.clickhouse.sink import ClickHouseSink
from sinks.errors import BadRecord, SinkRejected, SinkUnavailable
from sinks.records import ReferenceColumn, Row
from sinks.sink import Sink

log = structlog.get_logger()


def prepare_topics(config: Config, sources: dict[str, int] | None = None) -> None:
    """Make what topics of our own are missing; with `sources`, those source topics as well."""
    ensure_topics(config.kafka, sources=sources, compacted=(changelog_topic(config.kafka),))


def ingest_role(config: Config, worker: str, health: Health) -> Ingest:
    """The ingest role."""
    references = open_references(config)
    return Ingest(
        config.kafka,
        KafkaDecoder(message_decoder(config, references), config.kafka.topics),
        {name: of_model.current for name, of_model in references.items()},
        {model.name: model.pane_ms for model in config.models},
        worker=worker,
        health=health,
    )


def evaluate_role(config: Config, worker: str, health: Health) -> faust.App:
    """The score role's Faust app."""
    evaluator = Evaluator(watched(config, open_references(config)))
    return build_app(config.kafka, evaluator, worker=worker, state_dir=config.state_dir, health=health)


def clickhouse_sink(config: Config) -> ClickHouseSink:
    """The ClickHouse sink, not yet connected."""
    return ClickHouseSink(config.clickhouse.dsn.reveal(), on_drop=_count_drop)


def _count_drop(row: Row, error: BadRecord) -> None:
    telemetry.SINK_ERRORS.labels("clickhouse", "bad_record").inc()
    log.error("a row breaks the output contract and is left out", table=type(row).__name__, because=str(error))


def deliver_role(config: Config, sink: Sink, worker: str, health: Health, *, first_rows: Sequence[Row] = ()) -> Deliver:
    """The deliver role for ClickHouse."""
    return Deliver(
        config.kafka,
        sink,
        name="clickhouse",
        batch_rows=config.clickhouse.batch_rows,
        batch_interval_s=config.clickhouse.batch_interval_ms / 1000,
        health=health,
        worker=worker,
        first_rows=first_rows,
    )


def reference_rows(references: References) -> list[ReferenceColumn]:
    """The rows of the `references` table: what SQL compares profiles with."""
    return [row for of_model in references.values() for row in _rows_of(of_model.current)]


def _rows_of(reference: Reference) -> Iterable[ReferenceColumn]:
    layout = reference.layout
    whole = reference.sketches[""]
    for index, column in enumerate(layout.columns):
        numeric = column.kind is Kind.NUMERIC
        cells = layout.cells(index)
        edges = layout.column_edges(layout.numeric.index(index)) if numeric else None
        decile = range(column.n_cells) if edges is None else coarse_cells(edges, whole.counts[cells], 10).tolist()
        for segment, sketch in reference.sketches.items():
            counts = sketch.counts[cells].tolist()
            yield ReferenceColumn(
                reference=reference.digest,
                model=reference.model,
                version=reference.version,
                segment=segment,
                column=column.name,
                kind=column.kind.value,
                n=sum(counts),
                nulls=int(sketch.nulls[index]),
                edges=list(column.edges),
                categories=list(column.categories),
                counts=counts,
                decile=list(decile),
            )


def migrate(config: Config) -> list[str]:
    """Bring the ClickHouse schema up to date; returns the names of what was applied.

    Raises `Unavailable` when ClickHouse is out of reach for a minute, `StoppedError` when it refuses.
    """
    for attempt in stamina.retry_context(on=Unavailable, attempts=None, timeout=60.0, wait_max=5.0):
        with attempt:
            return _migrate_once(config)
    raise AssertionError("retry_context returns or raises")


def expect_no_results(config: Config) -> None:
    """Raise `InputError` when the database holds results of another run.

    For a run that counts from nothing: its offsets and revisions begin again, and rows of the two would pass for each
    other's.
    """
    try:
        with contextlib.closing(connect(config.clickhouse.dsn.reveal())) as client:
            if not migrations.holds_results(client):
                return
    except (SinkUnavailable, SinkRejected) as error:
        raise StoppedError(str(error), hint="mend clickhouse.dsn") from error
    raise InputError(
        "the database of clickhouse.dsn holds the results of an earlier session, and this one would mix with them",
        hint="move that folder away, name another one, or leave clickhouse.dsn out",
    )


def _migrate_once(config: Config) -> list[str]:
    try:
        client = connect(config.clickhouse.dsn.reveal(), create_database=True)
        try:
            applied = migrations.migrate(client, retention_days=config.clickhouse.retention_days)
        finally:
            client.close()
    except SinkUnavailable as error:
        raise Unavailable(str(error)) from error
    except SinkRejected as error:
        raise StoppedError(str(error), hint="mend clickhouse.dsn, or the rights of its user") from error
    return [f"{migration.number:04d}_{migration.name}" for migration in applied]
