"""Where a window's change in loss comes from, as rows of the record `performance_part`."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from detectors.performance.multiclass import most_confused
from detectors.performance.sketch import LOSS, UNIT, N, PerformanceSketch
from detectors.performance.space import Task
from detectors.performance.split import Change, LabelPrior, Split, label_prior, split_columns, split_segments
from detectors.performance.subgroups import Subgroup, Subgroups
from detectors.reference import REST, WHOLE, Reference, segment_name
from monitor.evaluation.performance_window import PerformanceWindow
from monitor.wording import figure

MOST_PARTS: Final = 20
"""Of a kind, in one window: those that matter most. `subgroups_looked_at` says how many there were."""

Row = Mapping[str, Any]


def split_rows(segment: str, found: Split, common: Row) -> list[Row]:
    """What moved inputs and a changed relation explain of one segment's change, over the score's cells."""
    return [
        _of_split(common, segment, part, 1, found, change)
        for part, change in (("inputs", found.inputs), ("relation", found.relation))
    ]


def whole_rows(window: PerformanceWindow, old: PerformanceSketch, found: Subgroups | None, common: Row) -> list[Row]:
    """What each column and segment dimension explains of the whole's change, what the labels' shares do, its worst
    parts, and the classes that are taken for another most often."""
    now = window.matched[WHOLE]
    splits = [*split_columns(old, now), *_dimensions(window)]
    sign = 1.0 if not splits or splits[0].change.value >= 0.0 else -1.0
    rows: list[Row] = []
    for part in ("inputs", "relation"):
        changes = [(own, getattr(own, part)) for own in splits]
        changes.sort(key=lambda one: (-sign * one[1].value, one[0].column))
        rows += [
            _of_split(common, WHOLE, f"{part} by column", rank, own, change)
            for rank, (own, change) in enumerate(changes[:MOST_PARTS], 1)
        ]
    prior = label_prior(old, now)
    if prior is not None:
        rows.append(_of_prior(common, prior, old, now))
    if found is not None:
        ranked = sorted(found.parts, key=lambda part: (not part.failing, -part.contribution, part.column, part.cell))
        n_cells = sum(len(part.cells) for part in old.space.parts)
        told = [_of_subgroup(common, rank, part) for rank, part in enumerate(ranked[:MOST_PARTS], 1)]
        rows += _padded(told, "subgroup", min(MOST_PARTS, n_cells), common)
    return rows


def confusion_rows(now: PerformanceSketch, common: Row) -> list[Row]:
    """The pairs of classes that are taken for another most often, of a model of several classes."""
    if now.space.task is not Task.MULTICLASS or not now.settled:
        return []
    n = max(int(now.confusion[:, :-1].sum()), 1)
    told = [
        _row(
            common, WHOLE, "confusion", rank, column=pair.true, cell=pair.said, contribution=pair.n / n,
            share=pair.share, n_now=pair.n,
        )
        for rank, pair in enumerate(most_confused(now, MOST_PARTS), 1)
    ]  # fmt: skip
    k = len(now.space.classes)
    return _padded(told, "confusion", min(MOST_PARTS, k * (k + 1)), common)


def segments_in(reference: Reference, dimension: str) -> tuple[str, ...]:
    """The segments of one dimension."""
    return tuple(segment_name(dimension, value) for value in (*reference.dimensions[dimension], REST))


def _padded(rows: list[Row], part: str, n: int, common: Row) -> list[Row]:
    """With empty ranks up to `n`: a correction that takes a part away overwrites it."""
    ranks = range(len(rows) + 1, n + 1)
    return [
        *rows,
        *(_row(common, WHOLE, part, rank, column="", contribution=0.0, share=0.0, n_now=0) for rank in ranks),
    ]


def _dimensions(window: PerformanceWindow) -> Iterable[Split]:
    for dimension in window.reference.dimensions:
        names = segments_in(window.reference, dimension)
        sides = [
            {name: own[name] for name in names if name in own and own[name].space == window.space}
            for own in (window.reference.segment_performance, window.matched)
        ]
        found = split_segments(*sides)
        if found is not None:
            yield _named(found, f"@segments {dimension}")


def _named(found: Split, column: str) -> Split:
    from msgspec.structs import replace

    return replace(found, column=column)


def _of_split(common: Row, segment: str, part: str, rank: int, found: Split, change: Change) -> Row:
    return _row(
        common, segment, part, rank, column=found.column, contribution=change.value, ci_low=change.ci_low,
        ci_high=change.ci_high, p_value=change.p_value, loss_before=found.loss_before, loss_now=found.loss_now,
        n_before=found.n_before, n_now=found.n_now,
    )  # fmt: skip


def _of_prior(common: Row, prior: LabelPrior, old: PerformanceSketch, now: PerformanceSketch) -> Row:
    """Whether the labels themselves moved. Of a regression no share of the loss follows from that."""
    found = prior.split
    row = (
        _row(
            common, WHOLE, "label prior", 1, column="@truth", contribution=math.nan, loss_before=_mean_loss(old),
            loss_now=_mean_loss(now), n_before=old.n, n_now=now.n,
        )
        if found is None
        else _of_split(common, WHOLE, "label prior", 1, found, found.inputs)
    )  # fmt: skip
    return {**row, "cell": _moved_labels(prior, now), "p_value": prior.p_value, "q_value": prior.p_value}


def _moved_labels(prior: LabelPrior, now: PerformanceSketch) -> str:
    """What became of the labels: of two classes the positive one's share, of more that which moved most."""
    if now.space.task is Task.REGRESSION:
        return f"mean {figure('', prior.before[0])} -> {figure('', prior.now[0])}"
    moves = [abs(after - before) for before, after in zip(prior.before, prior.now, strict=True)]
    most = 1 if now.space.task is Task.BINARY else moves.index(max(moves))
    name = [*now.space.classes, "(other)"][most]
    return f"{name}: {figure('share', prior.before[most])} -> {figure('share', prior.now[most])}"


def _mean_loss(sketch: PerformanceSketch) -> float:
    n, loss = int(sketch.losses[N]), int(sketch.losses[LOSS])
    return loss * UNIT / n if n > 0 else math.nan


def _of_subgroup(common: Row, rank: int, part: Subgroup) -> Row:
    return _row(
        common, WHOLE, "subgroup", rank, column=part.column, cell=part.name, contribution=part.contribution,
        p_value=part.p_value, q_value=part.q_value, failing=part.failing, loss_before=part.loss_before,
        loss_now=part.loss_now, share=part.share, n_before=part.n_before, n_now=part.n_now,
    )  # fmt: skip


def _row(common: Row, segment: str, part: str, rank: int, **own: Any) -> Row:
    plain = dict.fromkeys(("ci_low", "ci_high", "p_value", "q_value", "loss_before", "loss_now"), math.nan)
    rest = {"cell": "", "failing": False, "share": 1.0, "n_before": 0}
    row = {**common, **plain, **rest, "segment": segment, "part": part, "rank": rank, **own}
    if part != "subgroup":
        row["q_value"] = row["p_value"]
    return row
