"""`driftline reference build`."""

from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from monitor.cli.account import rejects_object, show_rejects, time_range
from monitor.cli.progress import bar, results
from monitor.config.load import load
from monitor.config.nearest import nearest
from monitor.config.schema import Config, Model
from monitor.errors import InputError
from monitor.reference.build import BuiltReference, build_reference
from monitor.reference.importance import read_importance
from monitor.reference.limits import limits
from monitor.reference.performance import labels_told
from monitor.reference.store import write_reference
from monitor.wording import counted


def build(
    config_path: Path,
    data: Path,
    version: str,
    model_name: str,
    labels: Path | None = None,
    importance: Path | None = None,
    *,
    as_json: bool = False,
) -> None:
    """Build one model's reference, write it where the configuration says, and show what was inferred.

    It keeps the importance of features: as a file says, else as `alerts: {importance: ...}` does.
    """
    model = chosen_model(load(config_path), model_name)
    with bar("building the reference") as show:
        built = build_reference(
            model, data, version=version, labels=labels, progress=lambda _what, fraction: show(fraction)
        )
    matters = model.alerts.importance if importance is None else read_importance(importance, built.reference)
    if matters:
        built = msgspec.structs.replace(built, reference=built.reference.with_importance(matters))
    digest = write_reference(model.reference, built.reference)
    if as_json:
        results().print(built_object(model, built, digest))
        return
    if labels is not None and model.mapping.target is not None:
        target = model.mapping.target
        results().print(f"labels are those of {labels}; the column {target!r} (mapping.target) is not read for them")
    show_built(results(), model, built, digest)


def chosen_model(config: Config, name: str) -> Model:
    """The model of this name, or the only one. Raises `InputError` where that is not one."""
    models = {model.name: model for model in config.models}
    if not name and len(models) == 1:
        return next(iter(models.values()))
    if name not in models:
        meant = nearest(name, models)
        raise InputError(
            f"no model {name!r} in the configuration" if name else "the configuration has several models",
            hint=f"did you mean --model {meant}?" if meant else f"choose one with --model: {', '.join(models)}",
        )
    return models[name]


def show_built(console: Console, model: Model, built: BuiltReference, digest: str) -> None:
    """Print what was inferred of each column, and how many rows and values its segments have."""
    table = Table(title=f"{model.name}: {built.reference.n:,} rows", title_justify="left")
    for heading in ("column", "kind", "why", "nulls", "note"):
        # Folded, never cut: in a pipe there are eighty characters, and a name that is cut is no name.
        table.add_column(heading, justify="right" if heading == "nulls" else "left", overflow="fold")
    for column in built.inferred:
        table.add_row(column.name, column.kind, column.why, f"{column.nulls:,}", column.note)
    console.print(table, soft_wrap=False)
    for name, values in built.reference.dimensions.items():
        console.print(f"segment {name}: {_of_values(len(values), built.n_values[name])}")
    if built.reference.derived is not None:
        console.print(f"multivariate: {built.reference.derived.features.size} numeric features that vary, together")
    if built.reference.importance:
        console.print(f"the importance of {counted(len(built.reference.importance), 'feature')} is kept")
    if built.times_ms is not None:
        console.print(f"rows are of {time_range(*built.times_ms)}")
    if built.bad_time or 0 < built.n_without_time < built.reference.n + built.n_untimed:
        why = f": {built.bad_time}" if built.bad_time else ""
        if built.n_untimed:
            rows = counted(built.n_without_time, "row")
            console.print(f"left out: {rows} without a time that can be read{why}")
        else:
            console.print(f"{built.n_without_time:,} rows have no time that can be read, and lie in no pane{why}")
    show_rejects(console, built.report.rejects, built.report.examples)
    for note in built.report.notes:
        console.print(note)
    if built.n_other_models:
        console.print(f"{counted(built.n_other_models, 'row')} of other models left out")
    if built.labels is not None:
        for sentence in labels_told(built.labels, built.reference):
            console.print(sentence)
    for sentence in limits(model, built.reference):
        console.print(sentence)
    console.print(f"{counted(len(built.reference.sketches), 'segment')}; written: {model.reference} ({digest[:12]})")


def built_object(model: Model, built: BuiltReference, digest: str) -> str:
    """What `show_built` says, as one JSON object for machines. Times are milliseconds since 1970 UTC."""
    reference = built.reference
    first_ms, last_ms = built.times_ms or (None, None)
    said = {
        "model": model.name,
        "version": reference.version,
        "path": str(model.reference),
        "digest": digest,
        "rows": reference.n,
        "rejects": rejects_object(built.report.rejects, built.report.examples),
        "notes": built.report.notes,
        "rows_without_time": built.n_without_time,
        "rows_of_other_models": built.n_other_models,
        "first_ms": first_ms,
        "last_ms": last_ms,
        "columns": built.inferred,
        "segments": {
            name: {"values": len(values), "values_in_data": built.n_values[name]}
            for name, values in reference.dimensions.items()
        },
        "labels": [] if built.labels is None else labels_told(built.labels, reference),
        "limits": limits(model, reference),
    }
    return msgspec.json.encode(said).decode()


def _of_values(n: int, n_all: int) -> str:
    if not n:
        return "no values; every event will be in its rest"
    if n == n_all:
        return "1 value" if n == 1 else f"{n} values"
    return f"the {n} most frequent of {n_all:,} values; the others share its rest"
