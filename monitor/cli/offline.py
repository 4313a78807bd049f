"""Commands that end by themselves: check, replay, migrate."""

from pathlib import Path

from rich.console import Console

from monitor.cli.progress import progress
from monitor.config.durations import format_duration
from monitor.config.load import load


def check_config(config_path: Path) -> None:
    """Validate the configuration and everything it names."""
    from monitor import wiring

    config = load(config_path)
    references = wiring.open_references(config)
    console = Console(highlight=False)
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

    from monitor import wiring
    from monitor.files import iter_decoded
    from monitor.replay import Replay, run_replay

    config = load(config_path)
    references = wiring.open_references(config)
    replay = Replay(wiring.watched(config, references), {name: r.current for name, r in references.items()})
    parts = iter_decoded(predictions, wiring.message_decoder(config, references), int(time.time() * 1000))
    with progress(f"replaying {predictions.name}") as advance:
        report = run_replay((advance(part) for part in parts), replay, out, close=close)
    console = Console(highlight=False)
    console.print(
        f"{report.n_events:,} events, {report.n_rejected:,} rejected, {report.n_late_dropped:,} too late; "
        f"{report.windows:,} windows scored, {report.n_drifted:,} of {report.n_scores:,} scores drifted"
    )
    if not close:
        console.print(
            "windows that are not over at the end of the file are left open; --close scores them", style="dim"
        )
    console.print(f"written: {out}/drift.parquet, quality.parquet, rejects.jsonl")


def migrate_clickhouse(config_path: Path) -> None:
    """Bring the schema up to date."""
    from monitor import wiring

    config = load(config_path)
    applied = wiring.migrate(config)
    console = Console(highlight=False)
    for migration in applied:
        console.print(f"applied {migration}")
    if not applied:
        console.print("the schema is up to date")
