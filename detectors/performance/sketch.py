"""What is kept of the matches of one version, segment and prediction window.

`merge` is addition of whole numbers, of Python's and of int64: the same to the bit for any split of the matches and any
order of merges, and exact when a match is taken back. A sketch of corrections alone is negative; added to the sketch
that holds what they correct, it is what it should be.
"""

import math
from typing import Final, Self

import numpy as np

from detectors.arrays import Ints
from detectors.errors import LayoutMismatch
from detectors.performance.exact import ExactMoments
from detectors.performance.space import PerformanceSpace, Task

UNIT: Final = 2.0**-24
"""Of the errors and losses in `sums`: a row's is off by at most half of it, 3e-8 of a scale."""

N_OUTCOMES: Final = 6
"""Of a row in the eyes of one class: 3 * (it is the class) + 0 where another was said, 1 where it was, 2 where none."""

N, ERROR, LOSS, SQUARE = range(4)
"""The columns of `sums`."""


class PerformanceSketch:
    """Counts and sums of matches. Treat it as immutable.

    Attributes
    ----------
    space: in what cells it counts.
    n: matches.
    n_invalid: those of `n` that no metric can use, and that are counted nowhere else: a target or prediction that is
        not finite, or beyond 1e70; a binary label of neither class.
    outcomes: (space.n_score_cells, 6) int64 rows by score cell and outcome, in the eyes of the cell's class: the
        positive one, or the score column's. Empty for regression.
    confusion: (n_classes + 1, n_classes + 2) int64 rows by true class (the last is any other) and said class (the last
        two: any other, none). Empty for regression.
    residuals: (len(residual_edges) + 1,) int64 rows by cell of target - prediction; empty for classes.
    sums: (space.n_sum_cells, 4) int64, by cell of every block: rows with a loss, then in units of 2^-24 the sums of
        their errors, losses and squared losses. The loss, and the error beside it:

        | task | loss | error |
        |---|---|---|
        | binary, a probability | log loss | label (0, 1) - score |
        | multiclass, probabilities | log loss | 1 where wrong |
        | the same, in score columns | log loss of that class alone | label (0, 1) - score |
        | classes without probabilities | 1 where wrong | 1 where wrong |
        | regression | abs(prediction - target) / scale, at most 64 | prediction - target, likewise |

    moments: exact sums, by `space.names`. `log_loss` is of scores clipped to [2^-52, 1 - 2^-52], as scikit-learn does;
        `brier` of scores clipped to [0, 1]. Regression: `error` is prediction - target, `squared` its square,
        `target_2` and `target_3` powers of z = (target - centre) / scale, `squared_target(_2)` the squared error times
        z (z^2).
    """

    __slots__ = ("confusion", "moments", "n", "n_invalid", "outcomes", "residuals", "space", "sums")

    def __init__(
        self,
        *,
        space: PerformanceSpace,
        n: int,
        n_invalid: int,
        outcomes: Ints,
        confusion: Ints,
        residuals: Ints,
        sums: Ints,
        moments: tuple[ExactMoments, ...],
    ) -> None:
        self.space = space
        self.n = n
        self.n_invalid = n_invalid
        self.outcomes = outcomes
        self.confusion = confusion
        self.residuals = residuals
        self.sums = sums
        self.moments = moments

    @classmethod
    def empty(cls, space: PerformanceSpace) -> Self:
        """The sketch of no matches: the identity of `merge`."""
        shapes = shapes_of(space)
        return cls(
            space=space,
            n=0,
            n_invalid=0,
            outcomes=np.zeros(shapes["outcomes"], dtype=np.int64),
            confusion=np.zeros(shapes["confusion"], dtype=np.int64),
            residuals=np.zeros(shapes["residuals"], dtype=np.int64),
            sums=np.zeros(shapes["sums"], dtype=np.int64),
            moments=(ExactMoments(),) * len(space.names),
        )

    def moment(self, name: str) -> ExactMoments:
        """The exact sums of one of `space.names`."""
        return self.moments[self.space.names.index(name)]

    @property
    def settled(self) -> bool:
        """Whether this is a set of matches: nothing was taken back that is not in it. Only then can it be measured."""
        counts = (self.outcomes, self.confusion, self.residuals, self.sums[:, [N, LOSS, SQUARE]])
        whole = all(int(array.min(initial=0)) >= 0 for array in counts)
        return whole and all(moment.n == 0 or not math.isnan(moment.m2) for moment in self.moments)

    @property
    def n_unknown(self) -> int:
        """Matches whose label is no class of the space, or of a regression no usable number. Those of several classes
        count as said wrongly, and have no log loss; all others are in no metric."""
        of_classes = int(self.confusion[-1].sum()) if self.space.task is Task.MULTICLASS else 0
        return self.n_invalid + of_classes

    @property
    def losses(self) -> Ints:
        """(4,) int64, as a cell of `sums`, of all rows with a loss."""
        space = self.space
        block = space.sum_block(len(space.scores) if space.classes else 0)
        totals: Ints = self.sums[block].sum(axis=0)
        return totals

    def merge(self, other: "PerformanceSketch") -> "PerformanceSketch":
        """The sketch of both sets of matches. Associative and commutative to the bit; `empty` is its identity.

        Raises
        ------
        LayoutMismatch: the two were counted in different cells.
        """
        if self.space is not other.space and self.space != other.space:
            raise LayoutMismatch("performance sketches of different references cannot be merged")
        return PerformanceSketch(
            space=self.space,
            n=self.n + other.n,
            n_invalid=self.n_invalid + other.n_invalid,
            outcomes=self.outcomes + other.outcomes,
            confusion=self.confusion + other.confusion,
            residuals=self.residuals + other.residuals,
            sums=self.sums + other.sums,
            moments=tuple(a + b for a, b in zip(self.moments, other.moments, strict=True)),
        )

    def taken_back(self) -> "PerformanceSketch":
        """What, merged, removes these matches again."""
        return PerformanceSketch(
            space=self.space,
            n=-self.n,
            n_invalid=-self.n_invalid,
            outcomes=-self.outcomes,
            confusion=-self.confusion,
            residuals=-self.residuals,
            sums=-self.sums,
            moments=tuple(moment.taken_back() for moment in self.moments),
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PerformanceSketch):
            return NotImplemented
        arrays = ("outcomes", "confusion", "residuals", "sums")
        return (
            self.space == other.space
            and (self.n, self.n_invalid, self.moments) == (other.n, other.n_invalid, other.moments)
            and all(np.array_equal(getattr(self, name), getattr(other, name)) for name in arrays)
        )

    __hash__ = None  # type: ignore[assignment]  # its arrays can be written to

    def encode(self) -> bytes:
        """Compact bytes; see `detectors.performance.wire`."""
        from detectors.performance.wire import encode_performance  # wire builds sketches: the import would go round

        return encode_performance(self)

    @classmethod
    def decode(cls, data: bytes, space: PerformanceSpace) -> "PerformanceSketch":
        """The sketch that `encode` wrote.

        Raises
        ------
        MalformedSketch: no sketch, truncated, corrupt, or of an unknown format version.
        LayoutMismatch: a sketch, but of another reference.
        """
        from detectors.performance.wire import decode_performance

        return decode_performance(data, space)

    def __repr__(self) -> str:
        return f"PerformanceSketch({self.space.task}, n={self.n})"


def shapes_of(space: PerformanceSpace) -> dict[str, tuple[int, ...]]:
    """The shapes of a sketch's arrays."""
    k = len(space.classes)
    return {
        "outcomes": (space.n_score_cells if k else 0, N_OUTCOMES),
        "confusion": (k + 1, k + 2) if k else (0, 0),
        "residuals": (0,) if k else (len(space.residual_edges) + 1,),
        "sums": (space.n_sum_cells, 4),
    }
