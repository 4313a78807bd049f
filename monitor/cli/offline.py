"""Commands that end by themselves: check, replay, migrate."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.cli.progress import bar, results
from monitor.config.durations import format_duration
from monitor.config.load import load

if TYPE_CHECKING:
    from monitor.events.batch import Decoded
    from monitor.files.read import Part


def check_config(config_path: Path) -> None:
    """Validate the configuration and everything it names."""
    from monitor.reference.opened import open_references

    config = load(config_path)
    references = open_references(config)
    if config.kafka.client:  # librdkafka takes whatever the other keys may say
        from monitor.kafka.clients import check_settings

        check_settings(config.kafka)
    console = results()
    for model in config.models:
        reference = references[model.name].current
        layout = reference.layout
        console.print(
            f"{model.name}: {len(layout.numeric)} numeric and {len(layout.categorical)} categorical columns, "
            f"{reference.n:,} reference rows, {len(reference.sketches)} segments, "
            f"panes of {format_duration(model.pane_ms)}, reference {reference.digest[:12]}"
        )
    console.print(f"{config_path}: ok")


def replay_file(config_path: Path, predictions: Path, out: Path, *, close: bool) -> None:
    """Replay a file and say what came of it."""
    import time

    from monitor import models
    from monitor.files.read import iter_decoded
    from monitor.reference.opened import open_references
    from monitor.replay.replay import Replay, run_replay

    config = load(config_path)
    references = open_references(config)
    replay = Replay(models.watched(config, references), {name: r.current for name, r in references.items()})
    parts = iter_decoded(
        predictions, models.model_specs(config, references), int(time.time() * 1000), limits=models.limits(config.kafka)
    )
    with bar(f"replaying {predictions.name}") as show:
        report = run_replay(_watched(parts, show), replay, out, close=close)
    console = results()
    console.print(
        f"{report.n_events:,} events, {report.n_rejected:,} rejected, {report.n_late_dropped:,} too late; "
        f"{report.windows:,} windows scored, {report.n_drifted:,} of {report.n_scores:,} scores drifted"
    )
    if not close:
        console.print(
            "windows that are not over at the end of the file are left open; --close scores them", style="dim"
        )
    console.print(f"written: {out}/drift.parquet, quality.parquet, rejects.jsonl")


def _watched(parts: "Iterable[Part]", show: Callable[[float], None]) -> "Iterator[Decoded]":
    for part in parts:
        yield part.decoded
        show(part.fraction)


def migrate_clickhouse(config_path: Path) -> None:
    """Bring the schema up to date."""
    from monitor import wiring
    from monitor.process.logs import configure_logging

    configure_logging("migrate")
    config = load(config_path)
    applied = wiring.migrate(config)
    console = results()
    for migration in applied:
        console.print(f"applied {migration}")
    if not applied:
        console.print("the schema is up to date")
