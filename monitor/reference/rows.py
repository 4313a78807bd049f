"""Which rows of a file belong to a reference, and which values of its segment dimensions are segments of their own."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detectors.arrays import Bools
from detectors.reference import MAX_SEGMENT_VALUES, REST
from monitor.config.schema import Model
from monitor.errors import InputError
from monitor.events.mapping import SEGMENTS
from monitor.files.table import Progress, TableFile, unwatched
from monitor.files.values import as_numbers, count_texts, texts
from monitor.reference.columns import FilePlaces, Leaf
from monitor.reference.kinds import MAX_DISTINCT

MAX_VERSIONS: Final = 1_000
"""Versions that are told apart; more are data, not versions."""

_ROWS: Final = 65_536


def rows_of(
    table: TableFile, places: FilePlaces, model: Model, progress: Progress
) -> tuple[Bools | None, tuple[str, ...]]:
    """Which rows are the model's: (n_rows,), or None for all; and the versions in them, sorted.

    A row that names no model is the model's.

    Raises
    ------
    InputError
        There are none; or none has a version that is text or a number, so that live each would be rejected.
    """
    leaves = [leaf for leaf in (places.model, places.version) if leaf is not None]
    keep = np.ones(table.n_rows, dtype=np.bool_)
    versions: set[str] = set()
    others: set[str] = set()
    start = 0
    for batch in table.iter_batches([leaf.selector for leaf in leaves], _ROWS, progress) if leaves else ():
        own = keep[start : start + batch.num_rows]
        start += batch.num_rows
        if places.model is not None:
            names = texts(places.model.of(batch))
            accepted = np.array([name is None or name == model.name for name in names.values])
            own[:] = accepted[names.codes]
            if len(others) < MAX_VERSIONS:
                others.update(str(name) for name, good in zip(names.values, accepted.tolist(), strict=True) if not good)
        if places.version is not None and len(versions) < MAX_VERSIONS:
            found = texts(places.version.of(batch))
            there = [found.values[code] for code in np.unique(found.codes[own]).tolist()]
            versions.update(value or "" for value in there if value is None or isinstance(value, str))
    if not keep.any():
        known = ", ".join(sorted(others)[:5])
        raise InputError(f"{table.path} has no row of model {model.name!r}", hint=f"its rows are of: {known}")
    if places.version is not None and not versions:
        raise InputError(
            f"{table.path}: no version in {places.version.selector!r} is text or a number",
            hint="name the column that holds it under `mapping: {version: ...}`",
        )
    return None if keep.all() else keep, tuple(sorted(versions))


def segment_values(
    table: TableFile,
    dimension: str,
    leaves: Sequence[Leaf],
    keep: Bools | None,
    *,
    numeric: bool,
    progress: Progress = unwatched,
) -> tuple[tuple[str, ...], int]:
    """The 50 most frequent values of a dimension, largest first, ties by value; and how many there are. Nulls are none.

    Parameters
    ----------
    table
        The file.
    dimension
        Its name.
    leaves
        Where its value lies, first choice first.
    keep
        (n_rows,) the rows that count; None: all.
    numeric
        Whether the feature of this name is a numeric column: then its values are spelled as floats.
    progress
        Of the pass.

    Raises
    ------
    InputError
        There are too many different values to count, or only such as can be none: dates, lists.
    """
    counts = Counter[str]()
    invalid = False
    start = 0
    for batch in table.iter_batches([leaf.selector for leaf in leaves], _ROWS, progress):
        found: Any = pa.nulls(batch.num_rows, pa.string())
        for leaf in leaves:
            values = leaf.of(batch)
            invalid |= count_texts(values)[2] > 0
            named = texts(as_numbers(values) if numeric and leaf.path[0] != SEGMENTS else values)
            spelled = pa.array([value if isinstance(value, str) else None for value in named.values], pa.string())
            found = pc.coalesce(found, spelled.take(pa.array(named.codes, pa.int64())))
        if keep is not None:
            found = found.filter(pa.array(keep[start : start + batch.num_rows]))
        start += batch.num_rows
        for pair in pc.value_counts(found.drop_null()).to_pylist():
            counts[pair["values"]] += pair["counts"]
        if len(counts) > MAX_DISTINCT:
            raise InputError(
                f"{table.path}: segment {dimension!r} has more than {MAX_DISTINCT:,} different values",
                hint=f"take {dimension!r} out of `segments`: it looks like an identifier",
            )
    counts.pop(REST, None)  # the name of what is left over
    if invalid and not counts:
        raise InputError(
            f"{table.path}: no value of segment {dimension!r} is text, a number or a boolean",
            hint=f"take {dimension!r} out of `segments`, or write its values as text",
        )
    ranked = sorted(counts, key=lambda value: (-counts[value], value))
    return tuple(ranked[:MAX_SEGMENT_VALUES]), len(ranked)
