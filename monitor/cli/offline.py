"""Commands that end by themselves: check, replay, migrate."""

import importlib.util
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from monitor.cli.progress import bar, results
from monitor.config.durations import format_duration
from monitor.config.load import load
from monitor.errors import DriftFound, InputError, NothingScored
from monitor.process.garbage import gc_seldom
from monitor.wording import counted, listed

if TYPE_CHECKING:
    from rich.console import Console

    from monitor.config.schema import Config, Kafka
    from monitor.events.batch import Decoded
    from monitor.events.label_batch import DecodedLabels
    from monitor.files.read import FilePart
    from monitor.reference.opened import References
    from monitor.replay.account import Account
    from monitor.replay.replay import LabelJoin, ReplayReport


def check_config(config_path: Path, data: Path | None = None, *, as_json: bool = False) -> None:
    """Validate the configuration and everything it names; with data, also what becomes of their rows.

    As text, or as one JSON object: models, and what became of the rows.

    Raises
    ------
    NothingScored
        No row of the data could be counted.
    """
    from monitor.reference.limits import limits
    from monitor.reference.opened import open_references

    config = load(config_path)
    references = open_references(config)
    console = results()
    if as_json:
        console.quiet = True
    _check_kafka(config.kafka, console)
    models: list[object] = []
    for model in config.models:
        reference = references[model.name].current
        layout = reference.layout
        console.print(
            f"{model.name}: {len(layout.numeric)} numeric and {len(layout.categorical)} categorical columns, "
            f"{reference.n:,} reference rows, {counted(len(reference.sketches), 'segment')}, "
            f"panes of {format_duration(model.pane_ms)}, reference {reference.digest[:12]}"
        )
        sentences = limits(model, reference)
        for sentence in sentences:
            console.print(f"  {sentence}")
        models.append(
            {
                "model": model.name,
                "digest": reference.digest,
                "rows": reference.n,
                "numeric": len(layout.numeric),
                "categorical": len(layout.categorical),
                "segments": len(reference.sketches),
                "pane_ms": model.pane_ms,
                "limits": sentences,
            }
        )
    account = None if data is None else _check_data(console, config, references, data)
    console.print(f"{config_path}: ok")
    if as_json:
        results().print(msgspec.json.encode({"ok": True, "models": models, "data": account}).decode())


def _check_data(console: "Console", config: "Config", references: "References", data: Path) -> object:
    """Read data as a replay would, and say what would become of them; returns the same for machines."""
    import time

    from monitor import models
    from monitor.cli.account import account_object, show_account
    from monitor.files.read import iter_decoded
    from monitor.replay.account import Account

    specs = models.model_specs(config, references)
    account, unread = Account({spec.name: spec.layout for spec in specs}, specs), dict[str, None]()
    with bar(f"reading {data.name}") as show:
        parts = iter_decoded(data, specs, int(time.time() * 1000), limits=models.limits(config.kafka))
        for decoded in _watched(parts, show, unread, account):
            account.take(decoded)
    show_account(console, account, tuple(unread), "`driftline replay` writes them")
    if not account.n_counted:
        raise NothingScored(f"none of the {counted(account.n_events, 'event')} in {data} could be counted")
    absent = account.absent_segments()
    if absent:
        raise InputError(
            f"no row of {data} is in a segment of {listed(absent)}",
            hint="the data lack the field, or spell its values otherwise; see `segments` and the reference",
        )
    return account_object(account, tuple(unread))


def _check_kafka(kafka: "Kafka", console: "Console") -> None:
    """Have librdkafka judge what is passed on to it, where it is installed; it takes whatever other keys may say."""
    if not kafka.client:
        return
    if importlib.util.find_spec("confluent_kafka") is None:
        console.print("kafka.client is not checked: confluent-kafka is not installed", style="dim")
        return
    from monitor.kafka.clients import check_settings

    check_settings(kafka)


@gc_seldom()
def replay_file(
    config_path: Path,
    predictions: Path,
    out: Path,
    *,
    close: bool,
    labels: Path | None = None,
    features: Path | None = None,
    controls: Path | None = None,
    html: Path | None = None,
    fail_on: str = "",
    force: bool = False,
    as_json: bool = False,
) -> None:
    """Replay files and say what came of them, as text or one JSON object; `html`: where a report of it is written to.

    `controls` are what people and pipelines said meanwhile.

    Raises
    ------
    InputError
        A file cannot be read; `out` cannot be written, or is not empty and `force` is not given.
    NothingScored
        No row could be counted, or no window scored.
    DriftFound
        Something drifted, and `fail_on` is "drift".
    """
    import dataclasses
    import itertools
    import tempfile
    import time

    from monitor import models
    from monitor.cli.account import show_account
    from monitor.cli.performance import show_performance
    from monitor.cli.replayed import as_object, findings, show_joined, show_replayed
    from monitor.decisions.stage import DecisionStage
    from monitor.files.labels import iter_labels
    from monitor.files.read import iter_decoded
    from monitor.reference.opened import open_references
    from monitor.replay.account import Account
    from monitor.replay.account import watched as counted_in
    from monitor.replay.controls import read_control_lines
    from monitor.replay.order import OutOfOrder, by_time, in_order
    from monitor.replay.replay import Replay, run_replay

    if fail_on not in ("", "drift"):
        raise InputError(f"--fail-on {fail_on}: there is only drift to fail on", hint="--fail-on drift")
    config = load(config_path)
    if not force and out.is_dir() and any(out.iterdir()):
        raise InputError(f"{out} is not empty", hint="name another folder with --out, or write over it with --force")
    references = open_references(config)
    said = [] if controls is None else read_control_lines(controls, [model.name for model in config.models])
    now_ms = int(time.time() * 1000)
    specs, limits = models.model_specs(config, references), models.limits(config.kafka)

    def attempt(folder: Path | None) -> "tuple[ReplayReport, Replay, Account, dict[str, None]]":
        """Replay the file as it is, or, by way of a folder, in the order of time."""
        watched, skew = models.watched(config, references), models.feature_blocks(config, references)
        join = None if labels is None and not skew else _join(config, references, labels=labels is not None)
        if labels is None:
            watched = [dataclasses.replace(model, labels_read=False) for model in watched]
        replay = Replay(watched, {name: r.current for name, r in references.items()}, join, skew)
        account, unread = Account({spec.name: spec.layout for spec in specs}), dict[str, None]()
        of_labels: Iterable[DecodedLabels] | None = None
        notes = list[str]()
        if labels is not None:
            of_labels = iter_labels(labels, models.label_specs(config), models.label_decoder(config), now_ms, notes)
        with bar(f"replaying {predictions.name}") as show:
            read = iter_decoded(predictions, specs, now_ms, limits=limits)
            if features is not None:
                read = itertools.chain(read, iter_decoded(features, specs, now_ms, role="features", limits=limits))
            parts = counted_in(_watched(read, show, unread, account), account)
            lateness_ms = {model.name: model.lateness_ms for model in config.models}
            ordered = in_order(parts, lateness_ms) if folder is None else by_time(parts, folder)
            stage = DecisionStage(models.policies(config, references))
            report = run_replay(ordered, replay, out, close=close, labels=of_labels, decisions=stage, controls=said)
            account.notes.update(dict.fromkeys(notes))
            return report, replay, account, unread

    try:
        report, replay, account, unread = attempt(None)
    except OutOfOrder:
        with tempfile.TemporaryDirectory(prefix="driftline-") as name:
            report, replay, account, unread = attempt(Path(name))
    console = results()
    found = findings(config, out)
    counts = {} if replay.join is None else dict(replay.join.counts + replay.join.waiting)
    if as_json:
        console.print(as_object(account, tuple(unread), report, found, counts, out))
    else:
        show_account(console, account, tuple(unread), str(out / "rejects.jsonl"))
        show_replayed(console, config_path, report, found, out, closed=close)
        if replay.join is not None:
            show_joined(console, counts, report, str(out / "rejects.jsonl"))
        if labels is not None:
            show_performance(console, out)
    if not account.n_counted:
        raise NothingScored(f"none of the {counted(account.n_events, 'event')} in {predictions} could be counted")
    if not report.n_verdicts:
        hint = "" if close or report.windows else "--close scores windows that are not over at the end of the file"
        raise NothingScored("no column of any window could be scored", hint=hint)
    if html is not None:
        from monitor.api.reporting import write_report

        write_report(config_path, output=html, folder=out)
    if fail_on and report.n_drifted:
        raise DriftFound(f"{counted(report.n_drifted, 'verdict')} drifted")


def _join(config: "Config", references: "References", *, labels: bool) -> "LabelJoin":
    """What joins; without `labels`, features alone."""
    from monitor import models

    if not labels:
        return models.join_models(config), {}
    if not config.joins_labels:
        raise InputError("no model has a label_horizon", hint="say how long labels may take: label_horizon: 30d")
    return models.join_models(config), models.prediction_blocks(config, references)


def _watched(
    parts: "Iterable[FilePart]", show: Callable[[float], None], unread: dict[str, None], account: "Account"
) -> "Iterator[Decoded]":
    for part in parts:
        account.notes.update(dict.fromkeys(part.notes))
        unread.update(dict.fromkeys(part.unread))
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
