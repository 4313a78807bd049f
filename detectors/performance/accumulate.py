"""From matches to performance sketches, one a slot (a window and segment)."""

from typing import Final

import numpy as np

from detectors.arrays import Bools, Floats, Ints
from detectors.grid import locate
from detectors.performance.exact import ExactMoments, exact_moments
from detectors.performance.matches import Matches
from detectors.performance.sketch import N_OUTCOMES, UNIT, PerformanceSketch, shapes_of
from detectors.performance.space import PerformanceSpace, Task

EPSILON: Final = 2.0**-52
"""Scores are kept this far from 0 and 1 in a log loss: scikit-learn's rule for float64."""
MOST_SCALES: Final = 64.0
"""A regression's loss in a cell is cut at so many scales: 2^16 squares of it add up in float64 without an error."""
_LARGEST: Final = 1e70  # its fourth power is a float64
_ROWS: Final = 65_536


def accumulate_matches(space: PerformanceSpace, matches: Matches, slots: Ints, n_slots: int) -> list[PerformanceSketch]:
    """The sketches of the matches in each slot.

    Parameters
    ----------
    space: in what cells.
    matches: n rows.
    slots: (n,) int64 in [0, n_slots), or -1: in none. A row that belongs to several segments is given several times.
    """
    arrays = {name: np.zeros((n_slots, *shape), dtype=np.int64) for name, shape in shapes_of(space).items()}
    n = np.zeros(n_slots, dtype=np.int64)
    n_invalid = np.zeros(n_slots, dtype=np.int64)
    kept = slots >= 0
    valid = kept & _valid(space, matches)
    np.add.at(n, slots[kept], matches.sign[kept])
    np.add.at(n_invalid, slots[kept & ~valid], matches.sign[kept & ~valid])
    if not valid.all():
        matches, slots = _picked(matches, valid), slots[valid]
    cells = _score_cells(space, matches.scores)
    if space.task is Task.REGRESSION:
        moments = _regression(space, matches, slots, n_slots, cells, arrays)
    else:
        moments = _classes(space, matches, slots, n_slots, cells, arrays)
    moments.insert(0, exact_moments(matches.value, matches.sign, slots, n_slots))
    return [
        PerformanceSketch(
            space=space,
            n=int(n[slot]),
            n_invalid=int(n_invalid[slot]),
            outcomes=arrays["outcomes"][slot],
            confusion=arrays["confusion"][slot],
            residuals=arrays["residuals"][slot],
            sums=arrays["sums"][slot],
            moments=tuple(moment[slot] for moment in moments),
        )
        for slot in range(n_slots)
    ]


def sketch_matches(space: PerformanceSpace, matches: Matches) -> PerformanceSketch:
    """The sketch of all matches."""
    return accumulate_matches(space, matches, np.zeros(matches.sign.size, dtype=np.int64), 1)[0]


def _valid(space: PerformanceSpace, matches: Matches) -> Bools:
    if space.task is Task.REGRESSION:
        with np.errstate(invalid="ignore"):
            usable: Bools = (np.abs(matches.target) <= _LARGEST) & (np.abs(matches.scores[0]) <= _LARGEST)
        return usable
    if space.task is Task.BINARY:
        known: Bools = matches.label < space.other
        return known
    return np.ones(matches.sign.size, dtype=np.bool_)


def _picked(matches: Matches, rows: Bools) -> Matches:
    per_class = matches.label.size > 0 or matches.predicted.size > 0
    return Matches(
        sign=matches.sign[rows],
        label=matches.label[rows] if per_class else matches.label,
        predicted=matches.predicted[rows] if per_class else matches.predicted,
        target=matches.target if per_class else matches.target[rows],
        scores=matches.scores[:, rows],
        parts=matches.parts[:, rows],
        value=matches.value[rows],
    )


def _score_cells(space: PerformanceSpace, scores: Floats) -> list[Ints]:
    """(n,) a score column: the cell within the column; rows without a score are in the last."""
    cells = []
    for position, own in enumerate(scores):
        finite = np.isfinite(own)
        located = locate(space.edges(position), np.where(finite, own, 0.0))
        cells.append(np.where(finite, located, space.scores[position].n_cells))
    return cells


def _classes(
    space: PerformanceSpace, matches: Matches, slots: Ints, n_slots: int, cells: list[Ints], arrays: dict[str, Ints]
) -> list[list[ExactMoments]]:
    label, predicted, sign = matches.label.astype(np.int64), matches.predicted.astype(np.int64), matches.sign
    width = len(space.classes) + 2
    _count(arrays["confusion"], slots, label * width + predicted, sign)
    wrong = np.where(predicted == space.unsaid, np.nan, (label != predicted).astype(np.float64))
    log_loss = np.full(sign.size, np.nan)
    brier = np.full(sign.size, np.nan)
    error, loss = wrong, wrong
    binary = space.task is Task.BINARY
    unknown = label == space.other
    for position, own in enumerate(cells):
        code = 1 if binary else position
        is_class = label == code
        said = np.where(predicted == space.unsaid, 2, (predicted == code).astype(np.int64))
        place = (own + space.score_offsets[position]) * N_OUTCOMES + 3 * is_class + said
        _count(arrays["outcomes"], slots, place, sign)
        if not space.probability:
            continue
        score = np.where(np.isfinite(matches.scores[position]), matches.scores[position], np.nan)
        clipped = np.clip(score, EPSILON, 1.0 - EPSILON)
        own_loss = -np.log(np.where(is_class, clipped, 1.0 - clipped if binary else 1.0))
        # Of a class that no probability is of, the log loss is unknown, and no zero.
        own_loss = np.where(np.isnan(score) | unknown, np.nan, own_loss) + 0.0
        own_error = is_class - np.clip(score, 0.0, 1.0)
        _sum(arrays["sums"], space.sum_block(position), slots, own, *_terms(sign, own_error, own_loss))
        if binary:
            log_loss, brier = own_loss, own_error**2
            error = own_error
        else:
            log_loss = np.where(is_class, own_loss, log_loss)
    if space.probability and cells:
        loss = log_loss
    rows, terms = _terms(sign, error, loss)
    if not space.probability:
        for position, own in enumerate(cells):
            _sum(arrays["sums"], space.sum_block(position), slots, own, rows, terms)
    _sum(arrays["sums"], space.sum_block(len(space.scores)), slots, label, rows, terms)
    _sum_parts(space, arrays["sums"], slots, matches, rows, terms)
    kept = [log_loss, brier] if binary else [log_loss]
    return [exact_moments(values, sign, slots, n_slots) for values in kept]


def _regression(
    space: PerformanceSpace, matches: Matches, slots: Ints, n_slots: int, cells: list[Ints], arrays: dict[str, Ints]
) -> list[list[ExactMoments]]:
    target, sign = matches.target, matches.sign
    error = matches.scores[0] - target
    edges = np.array(space.residual_edges, dtype=np.float64)
    _count(arrays["residuals"], slots, locate(edges, -error), sign)
    cut = np.clip(error / space.scale, -MOST_SCALES, MOST_SCALES)
    rows, terms = _terms(sign, cut, np.abs(cut))
    _sum(arrays["sums"], space.sum_block(0), slots, cells[0], rows, terms)
    _sum_parts(space, arrays["sums"], slots, matches, rows, terms)
    z = np.clip((target - space.centre) / space.scale, -_LARGEST, _LARGEST)
    with np.errstate(over="ignore"):
        kept = [error, np.abs(error), error**2, target, z**2, z**3, error**2 * z, error**2 * z**2]
    return [exact_moments(values, sign, slots, n_slots) for values in kept]


def _count(into: Ints, slots: Ints, place: Ints, sign: Ints) -> None:
    """Add rows at their places in each slot's array, as if it were flat."""
    size = int(np.prod(into.shape[1:]))
    flat = np.bincount(slots * size + place, weights=sign, minlength=into.shape[0] * size)  # exact up to 2^53
    into += flat.astype(np.int64).reshape(into.shape)


def _terms(sign: Ints, error: Floats, loss: Floats) -> tuple[Ints, list[Floats]]:
    """The rows that have a loss, and what each of them adds to the four columns of its cells' sums: whole numbers."""
    rows = np.flatnonzero(np.isfinite(loss))
    signs, own = sign[rows].astype(np.float64), loss[rows]
    whole = (np.rint(np.nan_to_num(values) / UNIT) * signs for values in (error[rows], own, own**2))
    return rows, [signs, *whole]


def _sum(into: Ints, cells: slice, slots: Ints, own: Ints, rows: Ints, terms: list[Floats]) -> None:
    """Add rows to the sums of one block's cells; `own` is each row's cell within the block."""
    size = cells.stop - cells.start
    place = (slots * size + own)[rows]
    for start in range(0, rows.size, _ROWS):
        part = slice(start, start + _ROWS)
        for column, term in enumerate(terms):
            flat = np.bincount(place[part], weights=term[part], minlength=into.shape[0] * size)
            into[:, cells, column] += flat.astype(np.int64).reshape(-1, size)


def _sum_parts(
    space: PerformanceSpace, into: Ints, slots: Ints, matches: Matches, rows: Ints, terms: list[Floats]
) -> None:
    for position in range(len(space.parts)):
        _sum(into, space.part_block(position), slots, matches.parts[position].astype(np.int64), rows, terms)
