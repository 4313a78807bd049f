"""`driftline reference build`: from a file of the reference period's predictions to a reference.

A file of any size needs the memory of one column (eight bytes a row, and what sorting takes), of the categories, and
of a batch of rows; with labels some 600 bytes a row more. CSV and JSON lines are copied into a temporary Parquet file
first; it is removed whatever happens.

Timestamps are not needed. Where most rows have them, those that have none are left out, as they are live; the
reference's own panes show how much unchanged windows differ (`detectors.panes`). Where rows have none, they are taken
as independent. Rows of all versions count together; rows that name another model are left out. The same rows in any
order and from any of the formats make the same reference (the same digest).
"""

import re
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from detectors.arrays import Bools, Floats, Ints
from detectors.columns import Column
from detectors.derived import is_derived
from detectors.layout import Layout
from detectors.reference import WHOLE, Reference
from detectors.sketch import Sketch
from monitor.config.schema import ColumnKind, Model
from monitor.errors import InputError
from monitor.events.mapping import Mapping as FieldMapping
from monitor.events.models import CLASS_SCORE, LABEL, SCORE
from monitor.eventtime.seasons import season_name, seasons_of
from monitor.files.report import FileReport, nothing_usable
from monitor.files.table import TableFile
from monitor.files.unread import no_object_of_features
from monitor.files.values import is_mixed
from monitor.reference.classes import most_frequent
from monitor.reference.columns import FilePlaces, chunks, find_places, no_target
from monitor.reference.data import BuildProgress, open_data
from monitor.reference.derived import DerivedColumns, derive_columns
from monitor.reference.joined import join_labels
from monitor.reference.kinds import CONFIGURED, MAX_DISTINCT, Examined, InferredColumn, TooMany, examine, left_out
from monitor.reference.labelled import LabelReport, with_labels
from monitor.reference.panes import pane_plans
from monitor.reference.rare import RareRows, other_rows
from monitor.reference.rows import rows_of, segment_values
from monitor.reference.sketches import batches_of, row_times, sketch_rows
from monitor.reference.studies import pane_studies, studied_methods, wanted_seasons

MAX_CLASSES: Final = 50
"""Classes whose probabilities are columns; of more, those that are the largest most often."""

_PREDICTION: Final[dict[str, ColumnKind]] = {SCORE: "numeric", LABEL: "categorical"}
_INDEX: Final = re.compile(r"__index_level_[0-9]+__|Unnamed: [0-9]+")  # as pandas writes it, and as it reads it back
_UNFIT: Final = {"": "it has no name", **dict.fromkeys(_PREDICTION, "the name is the prediction's own")}


def _unfit(name: str, model: Model) -> str:
    """Why a column is no feature whatever it holds; "" for one that may be."""
    if _INDEX.fullmatch(name) and name not in model.columns:
        return "pandas index"
    if name.startswith(CLASS_SCORE):
        return "the name is the prediction's own"
    return _UNFIT.get(name, "the name is that of a derived column" if is_derived(name) else "")


def _unwatched(what: str, fraction: float) -> None:
    """Nobody watches."""


class BuiltReference(msgspec.Struct, frozen=True, kw_only=True):
    """A reference, and what a person should know about how it came about.

    Attributes
    ----------
    reference
        Ready to be written.
    inferred
        Every column of the file that no key of the mapping names, in the file's order, then `@score` and `@label`.
    n_other_models
        Rows that name another model, left out.
    versions
        The versions in the data, sorted; "" stands for none.
    n_values
        By segment dimension: how many values it has, also those that are no segment of their own.
    n_without_time
        Rows that have no time, or none that can be read.
    n_untimed
        Those of them that are left out, as live events without a time are: where at least half of the rows have one.
        Where fewer have, they count, and lie in no pane.
    labels
        What came of the labels; None: the reference has none.
    times_ms
        The earliest and the latest time; None where no row has one.
    bad_time
        Why a row has no time although the file has a column of times; "" for nothing.
    report
        What of the file is no row, and what else is to be said of it.
    """

    reference: Reference
    inferred: tuple[InferredColumn, ...]
    n_other_models: int
    versions: tuple[str, ...]
    n_values: Mapping[str, int]
    n_without_time: int = 0
    n_untimed: int = 0
    labels: LabelReport | None = None
    times_ms: tuple[int, int] | None = None
    bad_time: str = ""
    report: FileReport = msgspec.field(default_factory=FileReport)


def build_reference(
    model: Model,
    path: Path,
    *,
    version: str = "",
    labels: Path | None = None,
    progress: BuildProgress = _unwatched,
) -> BuiltReference:
    """Build the reference of a model from a Parquet, Arrow, CSV or JSON lines file.

    Parameters
    ----------
    model
        As configured: its mapping, kinds of columns, and segments are used.
    path
        Its name says the format: see `monitor.files.read.FORMATS`.
    version
        A label; "" takes the data's own version, if there is just one.
    labels
        A file of what was true of these predictions, joined by their ids; None: the column `mapping.target`, if that is
        configured, else the reference has no labels.
    progress
        Called often.

    Raises
    ------
    InputError
        A file cannot be read, has no rows, lacks a column that the configuration names, or labels nothing.
    NothingScored
        None of its rows can be used.
    """
    labelled = labels is not None or model.mapping.target is not None
    if labelled and model.task == "none":
        raise InputError(
            f"model {model.name!r} predicts nothing that labels could be compared with",
            hint="say what it predicts: task: binary, multiclass or regression",
        )
    with tempfile.TemporaryDirectory(prefix="driftline-") as folder:
        table, mapping, said = open_data(model, path, Path(folder), progress, with_ids=labels is not None)
        if not table.n_rows and said.rejects:
            raise nothing_usable(path, said)
        if not table.n_rows:
            raise InputError(f"{path} has no rows", hint="name a file with the reference period's predictions")
        places = find_places(table, model, mapping)
        if labelled and labels is None and places.target is None:
            raise no_target(table, model, places)
        keep, versions = rows_of(table, places, model, partial(progress, "versions"))
        n_rows = table.n_rows if keep is None else int(keep.sum())
        n_other_models = table.n_rows - n_rows
        times_ms = row_times(table, places.timestamp, mapping.times, keep, n_rows, partial(progress, "times"))
        bad_time = said.bad_time or _first_bad_time(table, places, mapping, keep, times_ms)
        n_without_time = int((times_ms < 0).sum())
        n_untimed = n_without_time if n_without_time * 2 <= n_rows else 0
        if n_untimed:  # where rows have times, live events must have one
            keep = _timed(keep, times_ms)
            times_ms = times_ms[times_ms >= 0]
            n_rows -= n_untimed
        examined = _examine_all(table, places, model, keep, n_rows, progress)
        if (odd := no_object_of_features(table.columns, mapping)) is not None:
            examined.insert(0, left_out(odd, "it is called as the object of features, and is none"))
        watched = _watched(path, examined)
        extra = None
        if model.multivariate:
            extra = _derive(table, places, watched, keep, n_rows, Path(folder), progress)
        layout, cell_means = _layout(watched, extra)
        numeric = {layout.columns[index].name for index in layout.numeric}
        found = {
            name: segment_values(
                table, name, leaves, keep, numeric=name in numeric, progress=partial(progress, f"segment {name}")
            )
            for name, leaves in places.dimensions.items()
        }
        dimensions = {name: values for name, (values, _) in found.items()}
        derived = extra.derived if extra is not None else None
        plans = pane_plans(times_ms[times_ms >= 0], (window.shape.usual_ms for window in model.windows))
        panes_of_rows = [plan.pane_of(times_ms) for plan in plans]
        seasons = wanted_seasons(model)
        seasons_of_rows = [
            np.where(times_ms >= 0, seasons_of(times_ms, kind, timezone), -1) for kind, timezone in seasons
        ]
        sketches, groups, segments = sketch_rows(
            table,
            places,
            layout,
            dimensions,
            keep,
            derived,
            partial(progress, "counting"),
            (*panes_of_rows, *seasons_of_rows),
        )
        others = [
            other_rows(index, column, partial(chunks, table, leaf, keep))
            for index, column in enumerate(layout.columns)
            if column.others and (leaf := places.leaf_of(column.name)) is not None
        ]
        _check_unchanged(path, sketches[WHOLE], watched, extra, n_rows)
        rare = RareRows(layout, dimensions, sketches[WHOLE], segments, others)
        bare = Reference(
            model=model.name,
            version=version or (versions[0] if len(versions) == 1 else ""),
            layout=layout,
            dimensions=dimensions,
            sketches=sketches,
            cell_means=cell_means,
            rare=rare.of_reference(sketches),
            seasons={season_name(*season): found for season, found in zip(seasons, groups[len(plans) :], strict=True)},
            derived=derived,
        )
        report = None
        if labelled:
            joined = join_labels(table, places, bare, keep, times_ms, model, labels, partial(progress, "labels"))
            said.notes += joined.notes
            named = str(labels) if labels is not None else f"{path}, column {model.mapping.target!r}"
            bare, report = with_labels(bare, joined, model, times_ms[times_ms >= 0], named=named)
    nulls = dict(zip((column.name for column in layout.columns), sketches[WHOLE].nulls.tolist(), strict=True))
    reference = bare.with_studies(
        pane_studies(bare, studied_methods(model), plans, groups[: len(plans)], rare, panes_of_rows, seasons)
    )
    return BuiltReference(
        reference=reference,
        inferred=tuple(
            msgspec.structs.replace(one.inferred, nulls=nulls.get(one.inferred.name, one.inferred.nulls))
            for one in examined
        ),
        n_other_models=n_other_models,
        versions=versions,
        n_values={name: n for name, (_, n) in found.items()},
        n_without_time=n_without_time,
        n_untimed=n_untimed,
        labels=report,
        times_ms=(int(known.min()), int(known.max())) if (known := times_ms[times_ms >= 0]).size else None,
        bad_time=bad_time,
        report=said,
    )


def _timed(keep: Bools | None, times_ms: Ints) -> Bools:
    """(n_rows,) the rows to keep, without those that have no time; `times_ms` is of those to keep before."""
    if keep is None:
        return times_ms >= 0
    timed = keep.copy()
    timed[np.flatnonzero(keep)[times_ms < 0]] = False
    return timed


def _first_bad_time(
    table: TableFile, places: FilePlaces, mapping: FieldMapping, keep: Bools | None, times_ms: Ints
) -> str:
    """Why the first row that has no time has none; "" if all have one, or the file has no such column."""
    rows = np.flatnonzero(times_ms < 0)
    if places.timestamp is None or not rows.size:
        return ""
    row = int(rows[0])
    for values in chunks(table, places.timestamp, keep):
        if row < len(values):
            value = values[row].as_py() if not is_mixed(values.type) else None
            return mapping.times.refusal(value, mapping.timestamp)
        row -= len(values)
    return ""


def _examine_all(
    table: TableFile, places: FilePlaces, model: Model, keep: Bools | None, n_rows: int, progress: BuildProgress
) -> list[Examined]:
    examined = [left_out(name, "another feature has its name") for name in places.hidden]
    examined += [left_out(name, why) for name in places.features if (why := _unfit(name, model))]
    leaves = [(name, leaf) for name, leaf in places.features.items() if not _unfit(name, model)]
    classes, n_more = most_frequent(table, places.classes, keep, MAX_CLASSES, partial(progress, "classes"))
    predicted = [(SCORE, places.score), *((CLASS_SCORE + name, places.classes[name]) for name in classes)]
    leaves += [(name, leaf) for name, leaf in (*predicted, (LABEL, places.label)) if leaf is not None]
    for done, (name, leaf) in enumerate(leaves):

        def report(share: float, done: int = done, name: str = name) -> None:
            progress(f"column {name}", (done + share) / len(leaves))

        is_class = name.startswith(CLASS_SCORE)
        configured = "numeric" if is_class else _PREDICTION.get(name) or model.columns.get(name)
        why = "the prediction's" if is_class or name in _PREDICTION else CONFIGURED
        try:
            one = examine(name, leaf.type, configured, partial(chunks, table, leaf, keep, report), n_rows, why)
        except TooMany as error:
            raise InputError(
                f"{table.path}: column {name!r} has more than {MAX_DISTINCT:,} different values",
                hint=f"take {name!r} out of `columns`, or out of the file",
            ) from error
        if name in _PREDICTION and not (one.inferred.n or one.inferred.invalid):
            one = left_out(name, "no values")
        if not is_class or one.inferred.n or one.inferred.invalid:
            examined.append(one)
    if n_more:
        why = f"{n_more:,} more classes: columns are those that are the largest most often"
        examined.append(left_out(f"{CLASS_SCORE}...", why))
    return examined


def _watched(path: Path, examined: Sequence[Examined]) -> list[tuple[Column, Examined]]:
    """The columns that are not left out."""
    watched = [(one.column, one) for one in examined if one.column is not None]
    if not watched:
        raise InputError(f"{path} has no column that can be watched", hint="what `mapping` names is no feature")
    return watched


def _derive(
    table: TableFile,
    places: FilePlaces,
    watched: Sequence[tuple[Column, Examined]],
    keep: Bools | None,
    n_rows: int,
    folder: Path,
    progress: BuildProgress,
) -> DerivedColumns:
    layout = Layout(column for column, _ in watched)
    spreads = {
        position: spread
        for position, index in enumerate(layout.numeric)
        if index in layout.features and (spread := watched[index][1].spread) is not None
    }
    return derive_columns(
        table.path,
        lambda what: batches_of(table, places, layout, {}, keep, partial(progress, what)),
        spreads,
        n_rows,
        folder,
    )


def _layout(watched: Sequence[tuple[Column, Examined]], extra: DerivedColumns | None) -> tuple[Layout, Floats]:
    columns = [column for column, _ in watched]
    means = [one.means for _, one in watched]
    if extra is not None:
        columns += extra.columns
        means += extra.means
    layout = Layout(columns)
    cell_means = np.full(layout.n_cells, np.nan)
    for index, own in enumerate(means):
        if own is not None:
            cell_means[layout.cells(index)] = own
    return layout, cell_means


def _check_unchanged(
    path: Path,
    sketch: Sketch,
    watched: Sequence[tuple[Column, Examined]],
    extra: DerivedColumns | None,
    n_rows: int,
) -> None:
    """The columns were read one by one and then all together: both must have seen the same rows.

    What was read one by one does not tell an absent value from a null.
    """
    expected = [(one.inferred.n, one.inferred.nulls) for _, one in watched]
    if extra is not None:
        expected += [(extra.n, n_rows - extra.n)] * len(extra.columns)
    empty = sketch.n - sketch.valid - sketch.invalid
    if sketch.n != n_rows or expected != list(zip(sketch.valid.tolist(), empty.tolist(), strict=True)):
        raise InputError(f"{path} changed while it was read", hint="build the reference again")
