"""Files in which the score or the label of a row may lie in several places: read as if they lay in one.

By the rules of `monitor.events.arrow.places.find_prediction`: a bare `prediction`, probabilities, a column that stands
in where another is null. They become one column that no file has, a struct.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from detectors.arrays import Floats, Ints
from monitor.events.arrow.arrays import numbers, present, texts
from monitor.events.arrow.places import Place, Prediction, find_prediction, spoken_prediction
from monitor.events.arrow.probabilities import best_of, classes_in, of_classes
from monitor.events.mapping import Mapping
from monitor.events.models import Task
from monitor.events.values import MAX_TEXT, Category, clean
from monitor.files.table import ROWS, FileColumn, Progress, TableFile, unwatched
from monitor.files.values import MIXED, mixed

COLUMN: Final = "@prediction"
"""The struct's name; its fields are `score`, `label`, and a struct `probabilities` of a number a class."""

MAX_NAMED: Final = 1_000
"""Classes that are told apart while a reference is built; of more, those whose names come first."""


_Label = str | bool | None
_INVALID: Final = False
"""In the place of an invalid label, which has no hash."""


def schema_of(table: TableFile) -> Any:
    """The columns of a file as a schema."""
    return pa.schema([(column.name, column.type) for column in table.columns])


def only_values(prediction: Prediction) -> Prediction:
    """Without the columns that hold nothing."""
    scores, labels = (
        tuple(p for p in places if p.type != pa.null()) for places in (prediction.scores, prediction.labels)
    )
    probabilities = tuple(
        one for one in prediction.probabilities if any(place.type != pa.null() for place in one.places)
    )
    return Prediction(scores, labels, probabilities)


def in_one_place(table: TableFile, mapping: Mapping, task: Task, progress: Progress = unwatched) -> TableFile:
    """The table, with the column `COLUMN` where the score or the label may lie in several. Where one row's classes are
    another's, as in maps and lists, a first pass finds them."""
    found = only_values(find_prediction(schema_of(table), mapping, task))
    plain = len(found.scores) <= 1 and len(found.labels) <= 1 and not found.probabilities
    return table if plain else _Predicted(table, mapping, task, found, progress)


class _Predicted:
    """A `TableFile` over another."""

    def __init__(self, table: TableFile, mapping: Mapping, task: Task, found: Prediction, progress: Progress) -> None:
        self.path: Path = table.path
        self.n_rows = table.n_rows
        self.report = table.report
        self._table = table
        self._mapping = mapping
        self._task: Task = task
        of_classes = [place for one in found.probabilities for place in one.places]
        all_places = (*found.scores, *found.labels, *of_classes)
        self._sources = tuple(dict.fromkeys(table.columns[place.steps[0]].name for place in all_places))
        fields: dict[str, pa.DataType] = {}
        if found.scores or found.probabilities:
            fields["score"] = pa.float64()
        if found.labels or found.probabilities:
            fields["label"] = MIXED
        self._classes = self._named(found, progress) if found.probabilities else []
        if self._classes:
            fields["probabilities"] = pa.struct([(name, pa.float64()) for name in self._classes])
        self._type = pa.struct(list(fields.items()))
        self.columns = (*table.columns, FileColumn(name=COLUMN, type=self._type))

    def _named(self, found: Prediction, progress: Progress) -> list[str]:
        names = {name for one in found.probabilities for name in one.classes}
        unnamed = [one for one in found.probabilities if not one.classes]
        if all(pa.types.is_struct(one.places[0].type) for one in unnamed):
            names |= {clean(field.name) for one in unnamed for field in one.places[0].type}
        else:
            for batch in self._table.iter_batches(self._sources, ROWS, progress):
                again = only_values(find_prediction(batch.schema, self._mapping, self._task)).probabilities
                names = set(sorted(names.union(*(classes_in(one.of(batch)) for one in again)))[:MAX_NAMED])
        return sorted(name for name in names if 0 < len(name) <= MAX_TEXT)[:MAX_NAMED]

    def iter_batches(
        self, columns: Sequence[str] | None = None, rows: int = ROWS, progress: Progress = unwatched
    ) -> Iterator[pa.RecordBatch]:
        """Read the file once; see `TableFile`."""
        others = None if columns is None else [name for name in columns if name.partition(".")[0] != COLUMN]
        if columns is not None and others is not None and len(others) == len(columns):
            yield from self._table.iter_batches(columns, rows, progress)
            return
        # A field of a struct beside the whole struct would be read as that field alone.
        wanted = None
        if others is not None:
            wanted = [name for name in others if name.partition(".")[0] not in self._sources] + list(self._sources)
        for batch in self._table.iter_batches(wanted, rows, progress):
            yield batch.append_column(pa.field(COLUMN, self._type), self._prediction(batch))

    def _prediction(self, batch: pa.RecordBatch) -> Any:
        found = only_values(find_prediction(batch.schema, self._mapping, self._task))
        score = _scores(found.scores, batch)
        codes, index = _labels(found.labels, batch)
        values = np.full((len(self._classes), batch.num_rows), np.nan)
        left = np.arange(batch.num_rows)
        for probabilities in found.probabilities:
            array = probabilities.of(batch)
            there = present(array)[left]
            rows, left = left[there], left[~there]
            values[:, rows] = of_classes(array, rows, self._classes)
            no_label = codes == 0
            for row, most, label in best_of(array, rows[(np.isnan(score) | no_label)[rows]]):
                score[row] = most if np.isnan(score[row]) else score[row]
                if no_label[row]:
                    codes[row] = index.setdefault(_known(label), len(index))
        text = pa.array([value if isinstance(value, str) else None for value in index], pa.string())
        other = pa.array([True if value is _INVALID else None for value in index], pa.bool_())
        arrays: dict[str, Any] = {
            "score": pa.array(score, mask=np.isnan(score)),
            "label": mixed(batch.num_rows, text=text.take(codes), other=other.take(codes)),
        }
        if self._classes:
            by_class = [pa.array(own, mask=np.isnan(own)) for own in values]
            arrays["probabilities"] = pa.StructArray.from_arrays(by_class, names=self._classes)
        fields = list(self._type)
        silent = pa.array(~spoken_prediction(batch.schema, self._mapping, self._task).of(batch))
        return pa.StructArray.from_arrays([arrays[field.name] for field in fields], fields=fields, mask=silent)


def _scores(places: Sequence[Place], batch: pa.RecordBatch) -> Floats:
    """(n,) the first that is not null."""
    score = np.full(batch.num_rows, np.nan)
    for place in places:
        np.copyto(score, numbers(place.of(batch)), where=np.isnan(score))
    return score


def _labels(places: Sequence[Place], batch: pa.RecordBatch) -> tuple[Ints, dict[_Label, int]]:
    """(n,) the first that is not null, as codes of distinct values, of which 0 is null."""
    index: dict[_Label, int] = {None: 0}
    codes = np.zeros(batch.num_rows, dtype=np.int64)
    for place in places:
        found = texts(place.of(batch))
        own = np.array([index.setdefault(_known(value), len(index)) for value in found.values])
        np.copyto(codes, own[found.codes], where=codes == 0)
    return codes, index


def _known(label: Category) -> _Label:
    return label if label is None or isinstance(label, str) else _INVALID
