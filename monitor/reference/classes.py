"""Of a model with very many classes: those whose probabilities are worth a column each."""

from collections.abc import Mapping

import numpy as np

from detectors.arrays import Bools
from monitor.events.arrow.arrays import numbers
from monitor.files.table import Progress, TableFile
from monitor.files.values import as_numbers, is_mixed
from monitor.reference.columns import Leaf

_CELLS = 4_000_000  # of a matrix of rows by classes, float64


def most_frequent(
    table: TableFile, classes: Mapping[str, Leaf], keep: Bools | None, most: int, progress: Progress
) -> tuple[list[str], int]:
    """The classes that are columns, by name, and how many are not.

    Parameters
    ----------
    classes
        All, by name.
    keep
        (n_rows,) the rows that count; None: all.
    most
        So many at most: those that are the largest of their row in most rows; of equals, those that more rows have,
        then by name. Counts, so that the order of the rows does not matter.
    """
    names = sorted(classes)
    if len(names) <= most:
        return names, 0
    largest, there = np.zeros((2, len(names)), dtype=np.int64)
    start = 0
    selectors = [classes[name].selector for name in names]
    for batch in table.iter_batches(selectors, max(_CELLS // len(names), 1), progress):
        columns = [classes[name].of(batch) for name in names]
        values = np.stack([numbers(as_numbers(own) if is_mixed(own.type) else own) for own in columns])
        if keep is not None:
            values = values[:, keep[start : start + batch.num_rows]]
        start += batch.num_rows
        finite = np.isfinite(values)
        there += finite.sum(axis=1)
        some = finite.any(axis=0)
        first = np.where(finite, values, -np.inf)[:, some].argmax(axis=0)
        largest += np.bincount(first, minlength=len(names))
    ranked = sorted(range(len(names)), key=lambda place: (-largest[place], -there[place], names[place]))
    kept = [place for place in ranked[:most] if there[place]]
    n_more = int(np.count_nonzero(there)) - len(kept)
    return sorted(names[place] for place in kept), n_more
