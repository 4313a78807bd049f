"""From the evaluator's record batches to the closed windows of one model. Pure.

Of the windows those of the tiling count, of the comparisons the first that is configured: another one over the same
rows would count the same evidence twice. Features that are computed again are compared with what was served, whatever
else is.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor.decisions.cause import cause_of, rests_on_labels
from monitor.decisions.moved import ClosedWindow, Family, MovedCell, PerformanceWindow, number
from monitor.decisions.tiling import Tiling
from monitor.evaluation.feature_skew_rows import RECOMPUTED
from sinks.records import record_of

MOST_MOVED: Final = 500
"""Cells of a window that are kept, the strongest: enough to say which, and a bound on the state."""

_KEY: Final = ("version", "reference", "window_start_ms", "window_end_ms")
Key = tuple[str, str, int, int, Family]
MOST_EFFECT: Final = 1e9
"""Of an effect beside a reference that has none of it, which is infinite and has no form in JSON."""


def closed_windows(
    batches: Iterable[pa.RecordBatch],
    *,
    model: str,
    tiling: Tiling,
    compare: str = "pinned",
    alpha: float = 0.05,
    hysteresis: float = 0.8,
) -> list[ClosedWindow]:
    """The windows in the batches, in the order of their ends.

    Parameters
    ----------
    batches: of any records and models, in any order; all rows of a window that is in them.
    compare: which comparison's verdicts count.
    alpha: the largest q-value that is significant.
    hysteresis: cells whose effect is below this share of the threshold did not move.
    """
    verdicts = list(of_record(batches, "drift_verdict"))
    windows = list(of_record(batches, "window"))
    counts: dict[Key, list[int]] = defaultdict(lambda: [0, 0])
    moved: dict[Key, list[MovedCell]] = defaultdict(list)
    for batch in verdicts:
        _take_verdicts(_of_model(batch, model, compare), tiling, alpha, hysteresis, counts, moved)
        skew = _of_model(batch, model, RECOMPUTED)
        _take_verdicts(skew, tiling, alpha, hysteresis, counts, moved, family="skew")
    n_events: dict[Key, int] = {}
    for batch in windows:
        for row in _of_whole(_of_model(batch, model)).select([*_KEY, "events"]).to_pylist():
            if tiling.holds(row["window_start_ms"], row["window_end_ms"]):
                n_events[_key_of(row)] = row["events"]
    found = [
        ClosedWindow(
            version=key[0],
            reference=key[1],
            start_ms=key[2],
            end_ms=key[3],
            family=key[4],
            n_whole=counts[key][0],
            n_segments=counts[key][1],
            moved=_strongest(moved[key]),
            n_events=n_events.get(key),
        )
        for key in {*counts, *n_events}
    ]
    return sorted(found, key=lambda one: (one.end_ms, one.start_ms, one.version, one.reference, one.family))


def performance_windows(batches: Iterable[pa.RecordBatch], *, model: str, tiling: Tiling) -> list[PerformanceWindow]:
    """How many labels have come, from rows of the record `performance`, where this release has it."""
    found: dict[tuple[str, int, int], PerformanceWindow] = {}
    for batch in of_record(batches, "performance"):
        own = _of_model(batch, model)
        names = ("version", "window_start_ms", "window_end_ms", "n_labelled", "maturity", "provisional", "estimated")
        for row in _of_whole(own).select(list(names)).to_pylist():
            key = (row["version"], row["window_start_ms"], row["window_end_ms"])
            if row["estimated"] or not tiling.holds(*key[1:]):
                continue
            found[key] = PerformanceWindow(
                version=key[0], start_ms=key[1], end_ms=key[2], n_labelled=row["n_labelled"],
                maturity=number(row["maturity"]) or 0.0, provisional=row["provisional"],
            )  # fmt: skip
    return [found[key] for key in sorted(found, key=lambda key: (key[2], key[0]))]


def of_record(batches: Iterable[pa.RecordBatch], name: str) -> Iterable[pa.RecordBatch]:
    """The batches of one record."""
    return (batch for batch in batches if batch.num_rows and record_of(batch).name == name)


def models_in(batches: Iterable[pa.RecordBatch]) -> set[str]:
    """Which models the batches speak of."""
    names: set[str] = set()
    for batch in batches:
        if batch.schema.get_field_index("model") >= 0:
            found: list[Any] = batch.column("model").unique().to_pylist()
            names.update(found)
    return names


def _of_model(batch: pa.RecordBatch, model: str, compare: str | None = None) -> pa.RecordBatch:
    own = batch.filter(_is(batch["model"], model))
    return own if compare is None else own.filter(_is(own["compare"], compare))


def _of_whole(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch.filter(_is(batch["segment"], ""))


def _is(column: Any, text: str) -> Any:
    return pc.equal(column, pa.scalar(text))


def _take_verdicts(
    batch: pa.RecordBatch,
    tiling: Tiling,
    alpha: float,
    hysteresis: float,
    counts: dict[Key, list[int]],
    moved: dict[Key, list[MovedCell]],
    family: Family | None = None,
) -> None:
    starts, ends = (np.asarray(batch[name]) for name in _KEY[2:])
    pairs, of_row = np.unique(np.stack([starts, ends], axis=1).reshape(-1, 2), axis=0, return_inverse=True)
    inside = np.array([tiling.holds(int(start), int(end)) for start, end in pairs.tolist()], dtype=np.bool_)
    batch = batch.filter(pa.array(inside[of_row.reshape(-1)])) if batch.num_rows else batch
    if not batch.num_rows:
        return
    whole = _is(batch["segment"], "")
    cells = pa.Table.from_batches([batch.select([*_KEY, "column"])]).append_column("whole", whole)
    for row in cells.group_by([*_KEY, "column", "whole"]).aggregate([([], "count_all")]).to_pylist():
        counts[_key_of(row, family)][0 if row["whole"] else 1] += row["count_all"]
    effect, threshold = (np.asarray(batch[name]) for name in ("effect", "threshold"))
    strong = (effect >= hysteresis * threshold) & (effect > 0.0)
    for row in _rows(batch.filter(pa.array(strong))):
        holds = bool(row["q_value"] <= alpha)
        moved[_key_of(row, family)].append(
            MovedCell(
                cause=cause_of(
                    column=row["column"],
                    segment=row["segment"],
                    method=row["method"],
                    direction=row["direction"],
                    after=row["after"],
                ),
                holds=holds,
                drifted=bool(row["drifted"]) and holds,
                p_value=row["p_value"] if row["p_value"] == row["p_value"] else 1.0,
                before=number(row["before"]),
                after=number(row["after"]),
                n=row["n_current"],
                effect=number(min(row["effect"], MOST_EFFECT)) or 0.0,
                **{name: row[name] for name in _PLAIN},
            )
        )


def _rows(batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    """As `to_pylist`, which makes a scalar of each value."""
    columns: dict[str, list[Any]] = {}
    for name in batch.schema.names:
        column: Any = batch[name]
        if isinstance(column, pa.DictionaryArray):
            texts: Any = column.dictionary.to_pylist()
            columns[name] = [texts[code] for code in np.asarray(column.indices).tolist()]
        elif pa.types.is_primitive(column.type) and not column.null_count:
            columns[name] = np.asarray(column).tolist()
        else:
            columns[name] = column.to_pylist()
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(columns, values, strict=True))


_PLAIN: Final = ("segment", "column", "method", "threshold", "direction", "quantity")


def _strongest(cells: Sequence[MovedCell]) -> tuple[MovedCell, ...]:
    kept = sorted(cells, key=lambda cell: (not cell.drifted, -cell.strength, cell.segment, cell.column))[:MOST_MOVED]
    return tuple(sorted(kept, key=lambda cell: cell.place))


_EARLY: Final[Mapping[str, Family]] = {"@delay": "delays", "@labels_missing": "due"}
"""Verdicts from labels that do not wait until most have come; each comes from an age of the window on."""


def _key_of(row: dict[str, Any], family: Family | None = None) -> Key:
    if family is None:
        column = row.get("column", "")
        family = _EARLY.get(column, "labels") if rests_on_labels(column) else "inputs"
    return row["version"], row["reference"], row["window_start_ms"], row["window_end_ms"], family
