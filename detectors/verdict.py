"""One verdict a column and segment: the evidence of all methods and columns of a window, joined.

1. The p-values of a column's methods are joined by Simes's rule, which holds for the dependence that such statistics
   have: one method more does not mean one alarm more.
2. The joined p-values of all columns and segments of the window are one family of Benjamini and Hochberg's: nor does
   one segment more.
3. A column has drifted where its q-value is at most alpha, and some method that is itself significant finds an effect
   that matters.

References
----------
Simes (1986), An improved Bonferroni procedure for multiple tests of significance, Biometrika 73(3), 751-754; under
positive dependence: Sarkar (1998), Annals of Statistics 26(2), 494-504. Benjamini & Hochberg (1995), Controlling the
false discovery rate, Journal of the Royal Statistical Society B 57(1), 289-300.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from detectors.arrays import Bools, Codes, Floats, Ints
from detectors.derived import verdict_column
from detectors.score import ScoreColumns
from detectors.significance import benjamini_hochberg

_TINY: Final = 1e-6


class VerdictColumns(msgspec.Struct, frozen=True, kw_only=True):
    """The verdicts of one window, a row each segment and column that was scored, as arrays (rows,).

    Attributes
    ----------
    segments, columns, methods: the names that the next three point into.
    segment, column, method: int32; the method is the one that says most.
    drifted: q_value <= alpha, and the method's effect reaches its threshold.
    p_value: Simes over the column's methods.
    q_value: Benjamini-Hochberg over the window's rows.
    effect, threshold: the method's.
    row: (rows,) the method's row in the scores.
    n_reference, n_current: the method's.
    """

    segments: tuple[str, ...]
    columns: tuple[str, ...]
    methods: tuple[str, ...]
    segment: Codes
    column: Codes
    method: Codes
    drifted: Bools
    p_value: Floats
    q_value: Floats
    effect: Floats
    threshold: Floats
    row: Ints
    n_reference: Ints
    n_current: Ints

    def __len__(self) -> int:
        return self.segment.size


def verdict_columns(columns: Sequence[str]) -> tuple[tuple[str, ...], Codes]:
    """The columns that verdicts are given on, and which of them each column belongs to: columns that are parts of one,
    `@joint.1` and `@joint.2`, share `@joint`."""
    groups = [verdict_column(name) for name in columns]
    names = tuple(dict.fromkeys(groups))
    place = {name: position for position, name in enumerate(names)}
    return names, np.array([place[group] for group in groups], dtype=np.int32)


def verdicts(scores: ScoreColumns, alpha: float = 0.05) -> VerdictColumns:
    """The verdicts on a window.

    Parameters
    ----------
    scores: the window's evidence; settings that are evidence alone have no say.
    alpha: in (0, 1), the false discovery rate among the columns and segments of the window.

    Returns
    -------
    By segment, then by column.
    """
    names, group_of = verdict_columns(scores.columns)
    rows = np.flatnonzero(scores.in_verdict)
    key = scores.segment[rows].astype(np.int64) * len(names) + group_of[scores.column[rows]]
    p = scores.p_value[rows]
    # Equal p-values, and all that are tiny, by the larger effect in thresholds: the methods' own units do not compare.
    # What lies out of the range comes last: where values moved, others say more of it.
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.nan_to_num(scores.effect[rows] / scores.threshold[rows], posinf=0.0)
    reached = (scores.effect[rows] >= scores.threshold[rows]) & (p <= alpha)
    order = np.lexsort((p, key))
    keys, first = np.unique(key[order], return_index=True)
    n = np.diff(np.append(first, rows.size))
    rank = np.arange(rows.size) - np.repeat(first, n) + 1
    joined = np.minimum.reduceat(p[order] * np.repeat(n, n) / rank, first) if rows.size else np.empty(0)
    p_value = np.minimum(joined, 1.0)
    q_value = benjamini_hochberg(p_value)
    last = np.array([name == "out_of_range" for name in scores.methods])[scores.method[rows]]
    best = (
        np.lexsort((-size, last, np.maximum(p, _TINY), ~reached, key))[first]
        if rows.size
        else np.empty(0, dtype=np.int64)
    )
    row = rows[best]
    return VerdictColumns(
        segments=scores.segments,
        columns=names,
        methods=scores.methods,
        segment=(keys // len(names)).astype(np.int32),
        column=(keys % len(names)).astype(np.int32),
        method=scores.method[row],
        drifted=reached[best] & (q_value <= alpha),
        p_value=p_value,
        q_value=q_value,
        effect=scores.effect[row],
        threshold=scores.threshold[row],
        row=row,
        n_reference=scores.n_reference[row],
        n_current=scores.n_current[row],
    )
