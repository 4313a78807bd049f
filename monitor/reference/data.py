"""The data of a reference as a table whose columns can be read one by one, whatever its format."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from detectors.layout import Layout
from monitor.config.schema import Model
from monitor.events.arrow.places import class_columns
from monitor.events.mapping import MODEL, TARGET
from monitor.events.mapping import Mapping as FieldMapping
from monitor.events.models import ModelSpec
from monitor.files.parquet import ParquetTable
from monitor.files.read import holds_events, open_table
from monitor.files.report import FileReport
from monitor.files.staging import staged
from monitor.files.table import TableFile
from monitor.files.unpacked import unpacked_table
from monitor.reference.prediction import in_one_place

BuildProgress = Callable[[str, float], None]
"""Takes what is being done, and the fraction of it that is done, 0 to 1."""


def open_data(
    model: Model, path: Path, folder: Path, progress: BuildProgress, *, with_ids: bool
) -> tuple[TableFile, FieldMapping, FileReport]:
    """The file as columns that can be read one by one, where things lie in it, and what else is to be said of it.

    Parameters
    ----------
    folder
        For a copy of a file that can only be read row by row.
    with_ids
        Whether the ids of predictions are wanted, which labels are joined by.
    """
    mapping = model.mapping.of_events
    spec = ModelSpec(
        name=model.name,
        layout=Layout([]),
        task=model.task,
        mapping=mapping,
        envelope=model.mapping if model.mapping.is_serving else None,
        positive=model.positive,
        with_ids=with_ids,
    )
    numeric = {name for name, column_kind in model.columns.items() if column_kind == "numeric"}
    numeric |= set(mapping.score_columns)
    if model.task == "regression" and mapping.target is not None:
        numeric.add(mapping.target)

    def numbers(names: Sequence[str]) -> set[str]:
        by_class = class_columns(names, mapping, model.task)
        return numeric | {name for columns in by_class for name in columns.values()}

    named = {*model.columns, *model.segments, *mapping.places.values(), *mapping.segments.values(), MODEL}
    opened = open_table(path, spec, numeric=numbers, of_folders=named, progress=partial(progress, "reading"))
    as_events = holds_events(opened)
    table = unpacked_table(opened, mapping, partial(progress, "names of features"))
    if isinstance(table, ParquetTable) and not as_events:
        return in_one_place(table, mapping, model.task, partial(progress, "names of classes")), mapping, opened.report
    copy: TableFile = staged(table, folder / "columns.parquet", partial(progress, "sorting into columns"))
    copy.path = path  # what is wrong with it is wrong with the user's file
    if as_events:  # each event's prediction has been found already
        return copy, FieldMapping(min_time_ms=mapping.min_time_ms, target=TARGET), opened.report
    return in_one_place(copy, mapping, model.task, partial(progress, "names of classes")), mapping, opened.report
