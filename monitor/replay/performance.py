"""How good each model was, by window or by month: lines for people, from the records `performance` and
`performance_part`."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detectors.arrays import Ints
from detectors.performance.direction import direction
from monitor.wording import counted, figure

MOST_LINES: Final = 15
"""Periods of one model and version: with more windows than this they are months, and the last are shown."""
MOST_VERSIONS: Final = 5

READ: Final = (
    "model", "version", "segment", "metric", "estimated", "window_start_ms", "window_end_ms", "value", "ci_low",
    "ci_high", "reference_value", "n_labelled", "n_total", "provisional",
)  # fmt: skip
READ_PARTS: Final = ("model", "version", "segment", "part", "rank", "window_start_ms", "window_end_ms", "contribution")

_SHOWN: Final = ("roc_auc", "log_loss", "mae", "rmse", "accuracy", "macro_f1", "f1")
_SHOW: Final = 2
_LOSSES: Final = ("log_loss", "mae", "accuracy")
"""By which metric segments are ranked, the first that is there."""
_DELAY: Final = "label_delay_ms:0.5"
_DAY_MS: Final = 86_400_000


@dataclass(slots=True)
class Period:
    """What is told of one window or month of one model and version. Means are over its windows, by their predictions.

    Attributes
    ----------
    measured, estimated: by metric.
    inputs, relation: what each explains of the change in loss; NaN without a labelled reference.
    segment, was: the segment that is worse by most, beyond its interval, than its own reference, and its reference's
        value; "" where none is. `now`: its value.
    delay_ms: the median.
    """

    start_ms: int
    n_labelled: int = 0
    n_total: int = 0
    provisional: bool = False
    measured: dict[str, float] = field(default_factory=dict)
    estimated: dict[str, float] = field(default_factory=dict)
    inputs: float = math.nan
    relation: float = math.nan
    segment: str = ""
    now: float = math.nan
    was: float = math.nan
    delay_ms: float = math.nan


def performance_lines(performance: pa.Table, parts: pa.Table) -> list[str]:
    """A table each model and version; nothing without rows.

    Parameters
    ----------
    performance, parts: rows of the two records, in any order, of the last revisions; the fields `READ` and
        `READ_PARTS`.
    """
    lines: list[str] = []
    versions = _distinct(performance, "model", "version")
    for model, version in versions[:MOST_VERSIONS]:
        own, own_parts = (_where(table, model=model, version=version) for table in (performance, parts))
        months, found = periods(own, own_parts)
        if found:
            lines += ["", *_table(f"{model}{f', version {version}' if version else ''}", found, months=months)]
            lines += _unknown(own)
    if len(versions) > MOST_VERSIONS:
        lines.append(f"and {counted(len(versions) - MOST_VERSIONS, 'more version')}")
    return lines[1:]


def _unknown(table: pa.Table) -> list[str]:
    """What is said of labels that name no class of the reference; the table is that of one model and version."""
    own = _where(table, metric="labels_unknown")
    share = float(own["value"].to_numpy().sum()) / max(int(_ints(own, "n_labelled").sum()), 1)
    if not share > 0.0:
        return []
    told = (
        f"  {figure('share', share)} of these labels name a class that the reference does not know (a new class, or "
        "another spelling): they count in no metric, or, of several classes, as wrong"
    )
    return [told]


def periods(table: pa.Table, parts: pa.Table) -> tuple[bool, list[Period]]:
    """Whether periods are months, and the last of them: windows of the shortest usual length of which there are few.

    Of many, those of the longest, each in the month that it ends in. The tables are those of one model and version.
    """
    whole = _where(table, segment="")
    spans = np.unique(np.stack([_ints(whole, "window_start_ms"), _ints(whole, "window_end_ms")]), axis=1)
    if not spans.shape[1]:
        return False, []
    days = np.rint((spans[1] - spans[0]) / _DAY_MS * 24)
    # Months, and days in which clocks change, differ in length and are windows of one size.
    size = np.where(days >= 28 * 24, 28 * 24, np.where(days >= 23, np.rint(days / 24) * 24, days))
    sizes, counts = np.unique(size, return_counts=True)
    few = sizes[counts <= MOST_LINES]
    chosen = few[0] if few.size else sizes[-1]
    months = not few.size
    starts = spans[0][size == chosen]
    ends = spans[1][size == chosen]
    period_of = {
        (int(start), int(end)): _month(int(end) - 1) if months else int(start)
        for start, end in zip(starts, ends, strict=True)
    }
    found = {start: Period(start_ms=start) for start in sorted({*period_of.values()})[-MOST_LINES:]}
    table, parts = (_in_periods(own, period_of, found) for own in (table, parts))
    _measured(_where(table, segment=""), found)
    _worst(table, found)
    for name in ("inputs", "relation"):
        own = _where(parts, segment="", part=name)
        for start, value in _means(own, "contribution", np.ones(own.num_rows)).items():
            setattr(found[start[0]], name, value)
    return months, list(found.values())


def _measured(whole: pa.Table, found: Mapping[int, Period]) -> None:
    for estimated, weight in ((False, "n_labelled"), (True, "n_total")):
        own = whole.filter(pc.equal(whole["estimated"], pa.scalar(estimated)))
        for (start, metric), value in _means(own, "value", _ints(own, weight), "metric").items():
            (found[start].estimated if estimated else found[start].measured)[metric] = value
    counts: Any = whole.group_by(["period", "window_start_ms", "window_end_ms"]).aggregate(
        [("n_labelled", "max"), ("n_total", "max"), ("provisional", "max")]
    )
    for row in counts.to_pylist():
        period = found[row["period"]]
        period.n_labelled += row["n_labelled_max"]
        period.n_total += row["n_total_max"]
        period.provisional = period.provisional or row["provisional_max"]
    for period in found.values():
        period.delay_ms = period.measured.pop(_DELAY, math.nan)


def _worst(table: pa.Table, found: Mapping[int, Period]) -> None:
    """The segment whose loss is above its reference's by most, its interval left out."""
    measured = table.filter(pc.invert(table["estimated"]))
    for metric in _LOSSES:
        sign = 1.0 if direction(metric) == "less" else -1.0
        own = _where(measured, metric=metric)
        own = own.filter(pc.not_equal(own["segment"], pa.scalar("")))
        if not own.num_rows:
            continue
        weight = _ints(own, "n_labelled")
        end = "ci_low" if sign > 0.0 else "ci_high"
        means = {name: _means(own, name, weight, "segment") for name in ("value", "reference_value", end)}
        for (start, segment), known in sorted(means["reference_value"].items(), key=lambda one: str(one[0])):
            period = found[start]
            now, edge = (means[name].get((start, segment), math.nan) for name in ("value", end))
            before = sign * (period.now - period.was) if period.segment else 0.0
            if sign * (edge - known) > 0.0 and sign * (now - known) > before:
                period.segment, period.now, period.was = segment, now, known
        return


def _table(title: str, periods: Sequence[Period], *, months: bool) -> list[str]:
    """Cells in columns, under their names."""
    names = [name for name in _SHOWN if any(name in one.measured or name in one.estimated for one in periods)][:_SHOW]
    head = [
        "month" if months else "window from", "labelled", *names, "loss by inputs", "by relation", "worst segment",
        "median delay",
    ]  # fmt: skip
    rows = [[_cell(text) for text in _cells(one, names, months=months)] for one in periods]
    kept = [place for place in range(len(head)) if place < 2 or any(row[place] for row in rows)]
    widths = [max(len(row[place]) for row in [head, *rows]) for place in kept]
    lines = [
        "  " + "  ".join(row[place].ljust(width) for place, width in zip(kept, widths, strict=True)).rstrip()
        for row in [head, *rows]
    ]
    told = "Measured on labels, in brackets what was estimated without them"
    return [f"{title}. {told}:", *lines]


def _cells(one: Period, names: Sequence[str], *, months: bool) -> list[str]:
    day = datetime.fromtimestamp(one.start_ms / 1000, UTC)
    when = f"{day:%Y-%m}" if months else f"{day:%Y-%m-%d %H:%M}".removesuffix(" 00:00")
    share = f"{100.0 * one.n_labelled / one.n_total:.0f} %" if one.n_total else "none"
    worst = f"{one.segment} {one.was:.3g} -> {one.now:.3g}" if one.segment else ""
    return [
        when,
        share + (", provisional" if one.provisional else ""),
        *(_beside(one.measured.get(name), one.estimated.get(name)) for name in names),
        _signed(one.inputs),
        _signed(one.relation),
        worst,
        _delay(one.delay_ms),
    ]


def _cell(text: str) -> str:
    """One line whatever a segment is called."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in text)


def _beside(measured: float | None, estimated: float | None) -> str:
    told = "" if measured is None else f"{measured:.3f}"
    return f"{told} ({estimated:.3f})".strip() if estimated is not None else told


def _signed(value: float) -> str:
    return "" if math.isnan(value) else f"{value:+.3f}"


def _delay(delay_ms: float) -> str:
    if not math.isfinite(delay_ms):
        return ""
    units = (("d", _DAY_MS), ("h", 3_600_000), ("min", 60_000), ("s", 1_000))
    unit, size_ms = next((one for one in units if delay_ms >= one[1]), ("ms", 1))
    return f"{delay_ms / size_ms:.3g} {unit}"


def _means(table: pa.Table, name: str, weight: Any, *by: str) -> dict[tuple[Any, ...], float]:
    """Weighted means of what is no NaN, by period and further columns."""
    values = table[name].to_numpy()
    weight = np.where(np.isnan(values), 0.0, np.maximum(np.asarray(weight, dtype=np.float64), 1.0))
    keys = ["period", *by]
    columns = {key: table[key].cast(pa.string()) if key in by else table[key] for key in keys}
    sums: Any = pa.table({**columns, "sum": np.nan_to_num(values) * weight, "weight": weight})
    grouped = sums.group_by(keys).aggregate([("sum", "sum"), ("weight", "sum")])
    return {
        tuple(row[key] for key in keys): row["sum_sum"] / row["weight_sum"]
        for row in grouped.to_pylist()
        if row["weight_sum"] > 0.0
    }


def _in_periods(table: pa.Table, period_of: Mapping[tuple[int, int], int], kept: Mapping[int, Period]) -> pa.Table:
    """The rows of these windows, with the period that each is of."""
    spans = zip(_ints(table, "window_start_ms").tolist(), _ints(table, "window_end_ms").tolist(), strict=True)
    # 1 is the start of no period: months begin at midnight.
    periods = np.array([period_of.get(span, 1) for span in spans], dtype=np.int64)
    inside = np.isin(periods, np.array([*kept], dtype=np.int64))
    return table.append_column("period", pa.array(periods)).filter(pa.array(inside))


def _month(time_ms: int) -> int:
    day = datetime.fromtimestamp(time_ms / 1000, UTC)
    return int(datetime(day.year, day.month, 1, tzinfo=UTC).timestamp()) * 1000


def _where(table: pa.Table, **equal: str) -> pa.Table:
    for name, value in equal.items():
        table = table.filter(pc.equal(table[name].cast(pa.string()), pa.scalar(value)))
    return table


def _distinct(table: pa.Table, *names: str) -> list[tuple[str, ...]]:
    texts = pa.table({name: table[name].cast(pa.string()) for name in names})
    rows: Any = texts.group_by(list(names)).aggregate([])
    return sorted(tuple(row[name] for name in names) for row in rows.to_pylist())


def _ints(table: pa.Table, name: str) -> Ints:
    values: Ints = table[name].to_numpy().astype(np.int64)
    return values
