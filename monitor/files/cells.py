"""What the text of a CSV cell means, when the reference says what its column holds.

CSV has no types, and a type inferred from one file's cells would change with the next file, or with one bad cell. So
each cell is read by itself: a category that the reference knows as it is spelled is that category; else, if it is
spelled as a number or a boolean that the reference knows in its canonical spelling (`1.0` is `1`, `True` is `true`), it
is that one.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from monitor.events.models import LABEL, ModelSpec
from monitor.events.values import MAX_TIMESTAMP_MS, category, timestamp
from monitor.files.csv import FALSE, TRUE, cell_casts

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_DIGITS: Final = len(str(MAX_TIMESTAMP_MS))
_CODE: Final = re.compile(r"-?0\d")  # a leading zero: a code, no number


class CellMeanings:
    """Gives the text columns of a CSV batch the meaning that the models' columns have.

    Parameters
    ----------
    models
        Every configured model.
    """

    def __init__(self, models: Sequence[ModelSpec]) -> None:
        self._known: dict[str, set[str]] = {}
        self._times = {model.mapping.timestamp for model in models}
        for model in models:
            for index in model.layout.categorical:
                column = model.layout.columns[index]
                name = model.mapping.label_column if column.name == LABEL else column.name
                self._add(name, (*column.categories, *column.others))
            for name, values in model.dimensions.items():
                self._add(name, values)

    def _add(self, name: str, texts: Iterable[str]) -> None:
        self._known.setdefault(name, set()).update(texts)

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch, its categories spelled as the reference spells them, its times as integers or RFC 3339."""
        arrays = []
        for name, cells in zip(batch.schema.names, batch.columns, strict=True):
            if cells.type != pa.string():
                arrays.append(cells)
            elif name in self._times:
                arrays.append(_times(cells))
            elif name in self._known:
                arrays.append(_spelled(cells, self._known[name]))
            else:
                arrays.append(cells)
        return pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)


def _times(cells: Any) -> Any:
    for type_ in (pa.int64(), pa.float64()):
        if cell_casts(cells, type_):
            return pc.cast(cells, type_)
    # Some are integers, some are not: integers become text like the others.
    return pa.array([_time(cell) for cell in cells.to_pylist()], pa.string())


def _time(cell: str | None) -> str | None:
    if cell is None or not cell.isascii() or not cell.isdigit():
        return cell
    time_ms = timestamp(int(cell)) if len(cell) <= _MOST_DIGITS else None
    return cell if time_ms is None else (_EPOCH + timedelta(milliseconds=time_ms)).isoformat()


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
