"""What drifted in a replay, a line a column: from its verdicts to what a person is told. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from detectors.arrays import Bools, Floats, Ints

_PLACE: Final = ("model", "version", "compare", "column", "segment")
_READ: Final = (*_PLACE, "window_start_ms", "window_end_ms", "drifted", "effect", "threshold")
READ: Final = (*_READ, "q_value", "direction", "quantity", "before", "after", "method")
"""The fields of the record `drift_verdict` that are looked at."""
FAR_MORE: Final = 1.5
WindowSizes = Mapping[str, Sequence[tuple[int, str]]]
"""By model, its windows: how long they usually are (milliseconds), and what the configuration calls that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftedColumn:
    """One column that drifted, where it did so most: in all rows, or else in the segment with the largest effect.

    Attributes
    ----------
    n_other_segments: further segments in which it drifted.
    most_in: that of them in which it drifted most, if its effect over threshold is `FAR_MORE` times that told; else "".
    size: of the windows, as configured.
    first_ms, end_ms: from the first window of the last unbroken run of drifted windows to the end of its last one.
    n_windows: of the run.
    lasts: whether the last window that was scored is one of the run.
    direction, quantity, before, after, method, effect, threshold, q_value: a verdict of the run: that with the largest
        effect over threshold, of those whose quantity tells of most windows. `q_value` is the share of false ones among
        verdicts as sure as that.
    """

    model: str
    version: str
    compare: str
    column: str
    segment: str
    n_other_segments: int
    most_in: str
    size: str
    first_ms: int
    end_ms: int
    n_windows: int
    lasts: bool
    direction: str
    quantity: str
    before: float
    after: float
    method: str
    effect: float
    threshold: float
    q_value: float


def drifted_columns(verdicts: pa.Table, sizes: WindowSizes) -> list[DriftedColumn]:
    """A line each model, version, baseline and column that drifted, those with the largest effect over threshold first.

    Parameters
    ----------
    verdicts: rows of the record `drift_verdict` in any order, of the last revisions; the fields `READ`.
    sizes: the models' windows. Windows of one size are followed in time; of several sizes the one with the largest
        effect is told.
    """
    if not verdicts.num_rows:
        return []
    table = verdicts.unify_dictionaries().combine_chunks()
    codes = {name: _codes(table, name) for name in _PLACE}
    numbers = {name: table[name].to_numpy() for name in _READ[len(_PLACE) :]}
    start, drifted = numbers["window_start_ms"], numbers["drifted"]
    size = _size_of(table, numbers["window_end_ms"] - start, sizes)
    threshold = numbers["threshold"]  # 0: any effect matters
    strength = np.divide(numbers["effect"], threshold, out=np.ones(threshold.size), where=threshold > 0.0)
    order = np.lexsort((start, size, *reversed(codes.values())))
    key = _changes([*(codes[name][order] for name in _PLACE), size[order]])
    runs = _last_runs(key, drifted[order], strength[order], _codes(table, "quantity")[order])
    lines: dict[tuple[int, ...], list[_Run]] = {}
    whole = _code_of(table, "segment", "")
    for run in runs:
        row = int(order[run.strongest])
        line = tuple(int(codes[name][row]) for name in _PLACE[:-1])
        lines.setdefault(line, []).append(run)
    found = []
    for own in lines.values():
        segments = codes["segment"][order]
        best = max(own, key=lambda run: (segments[run.strongest] == whole, strength[order[run.strongest]]))
        places = {int(segments[run.strongest]) for run in own}
        most = max(own, key=lambda run: strength[order[run.strongest]])
        far_more = strength[order[most.strongest]] >= FAR_MORE * strength[order[best.strongest]]
        row = int(order[best.told])
        verdict = table.slice(row, 1).select(list(READ)).to_pylist()[0]
        found.append(
            (
                -float(strength[order[best.strongest]]),
                DriftedColumn(
                    **{name: verdict[name] for name in (*_PLACE, "effect", "threshold", *READ[len(_READ) :])},
                    n_other_segments=len(places) - 1,
                    most_in=table["segment"][int(order[most.strongest])].as_py() if far_more else "",
                    size=_name_of(sizes, verdict["model"], int(size[row])),
                    first_ms=int(start[order[best.first]]),
                    end_ms=int(numbers["window_end_ms"][order[best.last]]),
                    n_windows=best.last - best.first + 1,
                    lasts=best.lasts,
                ),
            )
        )
    return [line for _, line in sorted(found, key=lambda one: (one[0], one[1].column, one[1].version))]


@dataclass(frozen=True, slots=True)
class _Run:
    """Positions in the sorted rows; `last` is inside. `told`: see `DriftedColumn`."""

    first: int
    last: int
    strongest: int
    told: int
    lasts: bool


def _last_runs(key: Ints, drifted: Bools, strength: Floats, quantity: Ints) -> list[_Run]:
    """Of each key that has one, the last run of drifted rows."""
    run_of_row = _changes([key, drifted])
    firsts = np.flatnonzero(np.diff(run_of_row, prepend=-1))
    lasts = np.append(firsts[1:], key.size) - 1
    own = np.flatnonzero(drifted[firsts])
    _, from_the_end = np.unique(key[firsts[own]][::-1], return_index=True)  # the first of each, in reverse order
    runs = []
    for run in own[::-1][from_the_end].tolist():
        first, last = int(firsts[run]), int(lasts[run])
        strongest = first + int(np.argmax(strength[first : last + 1]))
        told = max(
            np.unique(quantity[first : last + 1]).tolist(),
            key=lambda code: _weight(quantity[first : last + 1] == code, strength[first : last + 1]),
        )
        inside = np.where(quantity[first : last + 1] == told, strength[first : last + 1], -1.0)
        ended = last + 1 < key.size and key[last + 1] == key[last]
        runs.append(_Run(first, last, strongest, first + int(np.argmax(inside)), not ended))
    return runs


def _weight(own: Bools, strength: Floats) -> tuple[int, float]:
    """In how many windows, then how strong at most."""
    return int(own.sum()), float(strength[own].max())


def _changes(arrays: Sequence[Any]) -> Ints:
    """(rows,) numbers that step wherever one of the arrays does."""
    step = np.zeros(len(arrays[0]), dtype=np.bool_)
    for values in arrays:
        step[1:] |= values[1:] != values[:-1]
    numbers: Ints = np.cumsum(step).astype(np.int64)
    return numbers


def _encoded(table: pa.Table, name: str) -> Any:
    """The column as one dictionary array."""
    column: Any = table[name].combine_chunks()
    return column.chunk(0) if isinstance(column, pa.ChunkedArray) else column


def _codes(table: pa.Table, name: str) -> Ints:
    """(rows,) of one dictionary."""
    codes: Ints = _encoded(table, name).indices.to_numpy().astype(np.int64)
    return codes


def _code_of(table: pa.Table, name: str, value: str) -> int:
    """Its code; -1 of a value that no row has."""
    values = _encoded(table, name).dictionary.to_pylist()
    return values.index(value) if value in values else -1


def _size_of(table: pa.Table, lengths_ms: Ints, sizes: WindowSizes) -> Ints:
    """(rows,) which of its model's windows each is: local days and months of the calendar differ in length."""
    models = _encoded(table, "model")
    size = np.zeros(lengths_ms.size, dtype=np.int64)
    for code, model in enumerate(models.dictionary.to_pylist()):
        usual = np.log(np.array([length_ms for length_ms, _ in sizes.get(model, ())] or [1], dtype=np.float64))
        rows = np.flatnonzero(models.indices.to_numpy() == code)
        size[rows] = np.argmin(np.abs(np.log(lengths_ms[rows])[:, None] - usual[None, :]), axis=1)
    return size


def _name_of(sizes: WindowSizes, model: str, number: int) -> str:
    own = sizes.get(model, ())
    return own[number][1] if number < len(own) else ""
