"""`driftline demo`: real flights through a real broker and a real ClickHouse engine, and what was found in them.

January is the reference. February to December stream as prediction events through the embedded broker; ingest, evaluate
and deliver run as they would in production, each in a process of its own. What is shown at the end is read back out of
ClickHouse.
"""

import contextlib
import heapq
import shutil
import tempfile
import time
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import numpy as np
import pyarrow as pa
from confluent_kafka import Producer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from monitor import wiring
from monitor.cli.roles import noted_session, page_command, role_commands
from monitor.config.load import load
from monitor.config.schema import Config
from monitor.demo import flights, model
from monitor.demo.findings import Findings, read_findings
from monitor.demo.show import show_findings
from monitor.embedded.broker import EmbeddedBroker
from monitor.embedded.profile import EmbeddedProfile, embedded_profile
from monitor.errors import StoppedError
from monitor.kafka import topics
from monitor.kafka.clients import producer_settings
from monitor.kafka.progress import GroupProgress
from monitor.process.children import Ending, terminable
from monitor.process.supervisor import Supervisor
from monitor.reference.build import build_reference
from monitor.reference.store import write_reference
from sinks.clickhouse.settings import Settings as ClickHouse

SOURCE_PARTITIONS = 3
# Well beyond what the slowest machine seen needed; then something is stuck, and saying so beats waiting.
GIVE_UP_S = 900.0


def run_demo(*, months: int, console: Console, keep: Path | None, metrics_listen: str = "off") -> None:
    """Run the demo over `months` months from February on, and show what was found. Leaves nothing behind but `keep`.

    Roles serve their metrics from `metrics_listen` on, each on the next port.
    """
    with terminable() as ending, _folder(keep) as folder:
        with ending.at_once():
            rows = _prepare(folder, months, console)
        with EmbeddedBroker() as broker:
            ending.check()
            profile = embedded_profile(
                folder / "demo.yaml",
                broker.bootstrap_servers,
                folder,
                folder,
                kafka={
                    "sketch_partitions": 2,
                    "idle_timeout": "1m",  # it streams a year, and a busy machine may pause a partition for a while
                    "topics": {"predictions": ["predictions"], "features": [], "labels": ["labels"]},
                },
                metrics={"listen": metrics_listen},
            )
            with contextlib.ExitStack() as servers:
                for server in profile.servers.values():
                    servers.enter_context(server)
                    ending.check()
                with noted_session(load(folder / "demo.yaml").state_dir, profile):
                    findings, elapsed_s = _run(profile, rows, months, broker, console, ending)
    n_open = int(np.count_nonzero(np.asarray(rows["timestamp_ms"]) >= findings.over_ms))
    accounted = findings.n_events + findings.n_rejects + findings.n_late + n_open
    if accounted != rows.num_rows:
        raise StoppedError(f"{rows.num_rows:,} events were sent and {accounted:,} came out: please report this")
    show_findings(console, findings, n_open, elapsed_s, keep)


def _run(
    profile: EmbeddedProfile, rows: pa.Table, months: int, broker: EmbeddedBroker, console: Console, ending: Ending
) -> tuple[Findings, float]:
    """Stream the events through all roles; returns what was found, and how long they took, in seconds."""
    config = load(profile.path)
    sources = (*config.kafka.topics.predictions, *config.kafka.topics.labels)
    wiring.prepare_topics(config, dict.fromkeys(sources, SOURCE_PARTITIONS))
    ending.check()
    wiring.migrate(config)
    ending.check()
    started_s = time.monotonic()
    page = page_command(profile.path, config)
    if page is not None:
        console.print(f"Meanwhile, see it: http://{page[1]}/")
    commands = [*role_commands(profile.path, config.destinations, join_workers=1), *([page[0]] if page else [])]
    with Supervisor(commands, environment={**profile.environment, "DRIFTLINE_LOG_LEVEL": "warning"}) as supervisor:
        _stream(config, rows, supervisor, broker, console, ending)
    elapsed_s = time.monotonic() - started_s
    database = config.destinations["clickhouse"]
    assert isinstance(database, ClickHouse)
    return read_findings(database.dsn.reveal(), months), elapsed_s


def _prepare(folder: Path, months: int, console: Console) -> pa.Table:
    """Train the model, build the reference from January; returns the rows to stream."""
    with console.status("reading 336,776 flights and training a model on January"):
        predictions = model.add_predictions(flights.load_flights())
        flights.write_flat(flights.reference_rows(predictions), folder / "january.parquet")
        flights.write_labels(flights.reference_rows(predictions), folder / "january-labels.parquet")
        (folder / "demo.yaml").write_text((resources.files("monitor.demo") / "demo.yaml").read_text())
    with console.status("building the reference from January"):
        config = load(folder / "demo.yaml")
        built = build_reference(config.models[0], folder / "january.parquet", labels=folder / "january-labels.parquet")
        write_reference(config.models[0].reference, built.reference)
    live = flights.live_rows(predictions)
    before = np.datetime64(f"2013-{2 + months:02d}" if months < 11 else "2014-01")
    return live.filter(pa.array(np.asarray(live["date"]) < before))


def _stream(
    config: Config, rows: pa.Table, supervisor: Supervisor, broker: EmbeddedBroker, console: Console, ending: Ending
) -> None:
    """Send the events as fast as they are taken, then wait until everything has come out at the other end."""
    kafka = config.kafka
    source, labels = kafka.topics.predictions[0], kafka.topics.labels[0]
    stages = [
        ("sketched", GroupProgress(kafka, f"{kafka.consumer_group}-ingest", source)),
        ("labels read", GroupProgress(kafka, f"{kafka.consumer_group}-ingest", labels)),
        ("joined", GroupProgress(kafka, topics.join_application_id(kafka), kafka.own_topic(topics.JOINS))),
        ("scored", GroupProgress(kafka, topics.application_id(kafka), kafka.own_topic(topics.SKETCHES))),
        (
            "delivered",
            GroupProgress(kafka, f"{kafka.consumer_group}-deliver-clickhouse", kafka.own_topic(topics.RESULTS)),
        ),
    ]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        n_messages = rows.num_rows + rows.num_rows - rows["late"].null_count
        sent = progress.add_task("predictions and labels sent", total=n_messages)
        producer = Producer(producer_settings(kafka))
        for number, (timestamp_ms, topic, key, value) in enumerate(_messages(rows, source, labels)):
            while True:
                try:
                    # Round robin, so that each partition is in the order of time, as one producer's log would be.
                    producer.produce(
                        topic, value, key=key, partition=number % SOURCE_PARTITIONS, timestamp=timestamp_ms
                    )
                    break
                except BufferError:
                    producer.poll(0.1)
            if number % 10_000 == 0:
                ending.check()
                producer.poll(0)
                progress.update(sent, completed=number)
        producer.flush(60)
        progress.update(sent, completed=n_messages)
        give_up_s = time.monotonic() + GIVE_UP_S
        for name, stage in stages:
            task = progress.add_task(name, total=None)
            with contextlib.closing(stage):
                supervisor.run(lambda stage=stage: not _settled(stage, give_up_s, broker, ending))  # type: ignore[misc]
            progress.update(task, total=1, completed=1)


def _messages(rows: pa.Table, source: str, labels: str) -> Iterator[tuple[int, str, str, bytes]]:
    """Predictions and labels in the order of time, as they would come: time, topic, key and value."""
    predicted = ((time_ms, source, key, value) for time_ms, key, value in flights.prediction_events(rows))
    landed = ((time_ms, labels, key, value) for time_ms, key, value in flights.label_events(rows))
    return heapq.merge(predicted, landed, key=lambda message: message[0])


def _settled(stage: GroupProgress, give_up_s: float, broker: EmbeddedBroker, ending: Ending) -> bool:
    ending.check()
    broker.check()
    if time.monotonic() > give_up_s:
        raise StoppedError("the demo did not finish in time; the log above says where it stands")
    return stage.caught_up()


@contextlib.contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        for leftover in ("clickhouse", "state"):
            shutil.rmtree(keep / leftover, ignore_errors=True)  # a second run starts clean
        yield keep.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="driftline-demo-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)
