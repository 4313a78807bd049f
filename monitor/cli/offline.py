"""Commands that end by themselves: check, replay, migrate."""

import importlib.util
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.cli.progress import bar, results
from monitor.config.durations import format_duration
from monitor.config.load import load
from monitor.errors import InputError
from monitor.wording import counted

if TYPE_CHECKING:
    from rich.console import Console

    from monitor.config.schema import Config, Kafka
    from monitor.events.batch import Decoded
    from monitor.events.label_batch import DecodedLabels
    from monitor.files.read import FilePart
    from monitor.reference.opened import References
    from monitor.replay.replay import LabelJoin


def check_config(config_path: Path) -> None:
    """Validate the configuration and everything it names."""
    from monitor.reference.limits import limits
    from monitor.reference.opened import open_references

    config = load(config_path)
    references = open_references(config)
    console = results()
    _check_kafka(config.kafka, console)
    for model in config.models:
        reference = references[model.name].current
        layout = reference.layout
        console.print(
            f"{model.name}: {len(layout.numeric)} numeric and {len(layout.categorical)} categorical columns, "
            f"{reference.n:,} reference rows, {counted(len(reference.sketches), 'segment')}, "
            f"panes of {format_duration(model.pane_ms)}, reference {reference.digest[:12]}"
        )
        for sentence in limits(model, reference):
            console.print(f"  {sentence}")
    console.print(f"{config_path}: ok")


def _check_kafka(kafka: "Kafka", console: "Console") -> None:
    """Have librdkafka judge what is passed on to it, where it is installed; it takes whatever other keys may say."""
    if not kafka.client:
        return
    if importlib.util.find_spec("confluent_kafka") is None:
        console.print("kafka.client is not checked: confluent-kafka is not installed", style="dim")
        return
    from monitor.kafka.clients import check_settings

    check_settings(kafka)


def replay_file(
    config_path: Path,
    predictions: Path,
    out: Path,
    *,
    close: bool,
    labels: Path | None = None,
    features: Path | None = None,
) -> None:
    """Replay files and say what came of them."""
    import dataclasses
    import time

    from monitor import models
    from monitor.cli.performance import show_performance
    from monitor.cli.replayed import show_joined, show_replayed
    from monitor.files.labels import iter_labels
    from monitor.files.read import iter_decoded
    from monitor.reference.opened import open_references
    from monitor.replay.replay import Replay, run_replay

    config = load(config_path)
    references = open_references(config)
    watched = models.watched(config, references)
    skew = models.feature_blocks(config, references)
    join = _join(config, references, labels=labels is not None) if labels is not None or skew else None
    if labels is None:
        watched = [dataclasses.replace(model, labels_read=False) for model in watched]
    replay = Replay(watched, {name: r.current for name, r in references.items()}, join, skew)
    now_ms = int(time.time() * 1000)
    specs, limits = models.model_specs(config, references), models.limits(config.kafka)
    parts = iter_decoded(predictions, specs, now_ms, limits=limits)
    of_features: Iterable[Decoded] | None = None
    if features is not None:
        of_features = (part.decoded for part in iter_decoded(features, specs, now_ms, role="features", limits=limits))
    of_labels: Iterable[DecodedLabels] = ()
    if labels is not None:
        of_labels = iter_labels(labels, models.label_specs(config), models.label_decoder(config), now_ms)
    with bar(f"replaying {predictions.name}") as show:
        report = run_replay(_watched(parts, show), replay, out, close=close, labels=of_labels, features=of_features)
    console = results()
    show_replayed(console, config, config_path, report, out, closed=close)
    if replay.join is not None:
        replay.join.close()
        show_joined(console, replay.join.counts, report.n_labels_rejected)
    if labels is not None:
        show_performance(console, out)


def _join(config: "Config", references: "References", *, labels: bool) -> "LabelJoin":
    """What joins; without `labels`, features alone."""
    from monitor import models

    if not labels:
        return models.join_models(config), {}
    if not config.joins_labels:
        raise InputError("no model has a label_horizon", hint="say how long labels may take: label_horizon: 30d")
    return models.join_models(config), models.prediction_blocks(config, references)


def _watched(parts: "Iterable[FilePart]", show: Callable[[float], None]) -> "Iterator[Decoded]":
    for part in parts:
        yield part.decoded
        show(part.fraction)


def migrate_destinations(config_path: Path) -> None:
    """Bring the schema of every destination up to date."""
    from monitor import wiring
    from monitor.process.logs import configure_logging

    configure_logging("migrate")
    config = load(config_path)
    console = results()
    for name, applied in wiring.migrate(config).items():
        for migration in applied:
            console.print(f"{name}: applied {migration}")
        if not applied:
            console.print(f"{name}: the schema is up to date")
