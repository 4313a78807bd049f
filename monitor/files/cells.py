"""What the text of a CSV cell means, when the reference says what its column holds.

CSV has no types, and a type inferred from one file's cells would change with the next file, or with one bad cell. So
each cell is read by itself:

- In a numeric column a cell that is no number is infinity, which is counted as invalid.
- A category that the reference knows as it is spelled is that category; else, if it is spelled as a number or a boolean
  that the reference knows in its canonical spelling (`1.0` is `1`, `True` is `true`), it is that one.
- A time is a number or a text, by the rule of `monitor.events.times`.
- A version that is a whole number with a fraction of zeros is that number: data frames make `1.0` of 1 beside a null.
- In the place of a prediction's object a number is the score, any other text the label.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor.events.arrow.places import class_columns
from monitor.events.lookup import BOOLEANS
from monitor.events.mapping import MODEL
from monitor.events.models import CLASSES, LABEL, SCORE, ModelSpec
from monitor.events.values import category
from monitor.files.csv import FALSE, TRUE, cell_casts, cell_numbers, without_missing

_CODE: Final = re.compile(r"-?0\d")  # a leading zero: a code, no number
_INTEGER: Final = r"^\s*[+-]?\d+\s*$"
_WHOLE: Final = r"^([1-9]\d*|0)\.0+$"


class CellMeanings:
    """Gives the text columns of a CSV batch the meaning that the models' columns have.

    Parameters
    ----------
    models
        Every configured model.
    """

    def __init__(self, models: Sequence[ModelSpec]) -> None:
        own = [_Meaning([model]) for model in models]
        # One column may be numeric for one model and categories for another: then each model's rows are read by
        # themselves, which takes longer.
        apart = any(one.numeric & other.known.keys() for one in own for other in own)
        self._groups = own if apart else [_Meaning(models)]
        self._places = tuple(dict.fromkeys(".".join(model.mapping.model_path) or MODEL for model in models))

    def __call__(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """The batch, in one piece or one for each model; rows of no model are in the first."""
        places = [place for name in self._places for place in batch.schema.get_all_field_indices(name)]
        if len(self._groups) == 1 or not places:
            yield self._groups[0](batch)
            return
        names = batch.column(places[-1]).to_pylist()
        owner = {name: place for place, group in enumerate(self._groups) for name in group.models}
        owners = np.array([owner.get(str(name), 0) for name in names])
        for place in np.unique(owners).tolist():
            yield self._groups[place](batch.take(np.flatnonzero(owners == place)))


class _Meaning:
    """Of the columns of models that agree on what each column is."""

    def __init__(self, models: Sequence[ModelSpec]) -> None:
        self.models = [model.name for model in models]
        self.numeric: set[str] = set()
        self.known: dict[str, set[str]] = {}
        self._times = {model.mapping.timestamp for model in models}
        self._versions = {model.mapping.version for model in models}
        self._bare: dict[str, _Bare] = {}
        self._models = [(model.mapping, model.task) for model in models]
        self._classes: dict[tuple[str, ...], set[str]] = {}
        for model in models:
            layout, mapping = model.layout, model.mapping
            names = {column.name for column in layout.columns}
            for index in layout.numeric:
                name = layout.columns[index].name
                self.numeric.update(mapping.score_columns if name == SCORE else (name,))
            for index in layout.categorical:
                column = layout.columns[index]
                for name in mapping.label_columns if column.name == LABEL else (column.name,):
                    self._add(name, column.categories, column.others)
            labels = self.known.get(mapping.label, set())
            above_score, _, score = mapping.score.rpartition(".")
            above_label, _, label = mapping.label.rpartition(".")
            for name in {above_score, above_label} - {""}:
                fields = score if name == above_score else "", label if name == above_label else ""
                self._bare[name] = _Bare(
                    *fields, labels, mapping.flat_score or "", model.task in CLASSES and LABEL in names
                )
            for name, values in model.dimensions.items():
                if name not in self.numeric:
                    self._add(name, values)

    def _add(self, name: str, *texts: Iterable[str]) -> None:
        known = self.known.setdefault(name, set())
        known.update(*texts)
        for spelled, other in (BOOLEANS, BOOLEANS[::-1]):
            if known and known <= set(spelled):
                known.update(other)

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch, its categories spelled as the reference spells them, its times as numbers or text."""
        names = batch.schema.names
        columns = dict(zip(names, batch.columns, strict=True))
        by_class = self._class_columns(tuple(names))
        columns |= {name: cell_numbers(columns[name]) for name in by_class}
        arrays = [columns[name] if name in by_class else self._read(name, columns) for name in names]
        return pa.RecordBatch.from_arrays(arrays, names=names)

    def _class_columns(self, names: tuple[str, ...]) -> set[str]:
        """The columns of a class's probabilities each, which are no categories of any model."""
        if names not in self._classes:
            found = (class_columns(names, mapping, task) for mapping, task in self._models)
            own = {name for one in found for columns in one for name in columns.values()}
            self._classes = {names: own - self.known.keys()}
        return self._classes[names]

    def _read(self, name: str, columns: Mapping[str, Any]) -> Any:
        cells = columns[name]
        if name in self._times:
            return time_cells(cells)
        if name in self._versions:
            return pc.replace_substring_regex(cells, _WHOLE, r"\1")
        if name in self._bare:
            explicit = columns.get(self._bare[name].flat_score)
            return self._bare[name].of(cells, None if explicit is None else cell_numbers(explicit))
        if name in self.numeric:
            return cell_numbers(cells)
        return _spelled(cells, self.known[name]) if name in self.known else cells


class _Bare(NamedTuple):
    """The column in the place of a prediction's object: the fields that the object would have, "" for none."""

    score: str
    label: str
    labels: Collection[str]
    flat_score: str
    classes: bool

    def of(self, cells: Any, explicit: Any) -> Any:
        """The object: numbers and other texts apart; where a score is `explicit`, none. An empty cell is no object."""
        cells = without_missing(cells)
        numbers = cell_numbers(cells, booleans=False)
        is_text: Any = pc.is_inf(numbers)
        if self.classes and self.label:
            is_text = pc.or_(is_text, pc.fill_null(pc.match_substring_regex(cells, _INTEGER), False))
        fields: dict[str, Any] = {}
        if self.score:
            silent = is_text if explicit is None else pc.or_(is_text, pc.is_valid(explicit))
            fields[self.score] = pc.if_else(silent, pa.scalar(None, pa.float64()), numbers)
        if self.label:
            fields[self.label] = _spelled(pc.if_else(is_text, cells, pa.scalar(None, pa.string())), self.labels)
        return pa.StructArray.from_arrays(list(fields.values()), names=list(fields), mask=pc.is_null(cells))


def time_cells(cells: Any) -> Any:
    """(n,) times as numbers, where all of them are some, else as text."""
    trimmed: Any = pc.utf8_trim_whitespace(cells)
    if cell_casts(trimmed, pa.float64()):  # all are numbers: the cast to integers takes 0x1F, this one does not
        return pc.cast(trimmed, pa.int64() if cell_casts(trimmed, pa.int64()) else pa.float64())
    return trimmed  # a text of digits is that number


def _spelled(cells: Any, known: Collection[str]) -> Any:
    encoded: Any = pc.dictionary_encode(cells)
    spelled = [text if text in known else _canonical(text, known) for text in encoded.dictionary.to_pylist()]
    return pa.DictionaryArray.from_arrays(encoded.indices, pa.array(spelled, pa.string()))


def _canonical(text: str, known: Collection[str]) -> str:
    value: object
    if text in TRUE or text in FALSE:
        value = text in TRUE
    elif _CODE.match(text):
        return text
    else:
        try:
            value = float(text)
        except ValueError:
            return text
    spelled = category(value)
    return spelled if isinstance(spelled, str) and spelled in known else text
