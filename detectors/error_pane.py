"""The errors of one closed pane, and the series that sequential detectors read of it."""

import math

import msgspec
import numpy as np

from detectors.arrays import Floats
from detectors.errors import InvalidSetting


class ErrorPane(msgspec.Struct, frozen=True, kw_only=True):
    """What labels that came within one pane of label time say of the model.

    A pane is a sum: nothing of the order in which its labels came, or of the messages that brought them, is left. That
    is what makes detectors obey the partition law.

    Attributes
    ----------
    start_ms, end_ms: the pane, half-open, in label time.
    n: labelled predictions, at least 0.
    total: sum of their losses; the number of errors, a whole number in [0, n], where `squares` is None.
    squares: sum of their squared losses; None where each loss is 0 or 1, right or wrong.

    Raises
    ------
    InvalidSetting: no numbers that a pane can have.
    """

    start_ms: int
    end_ms: int
    n: int
    total: float
    squares: float | None = None

    def __post_init__(self) -> None:
        if self.n < 0 or not self.start_ms < self.end_ms or not math.isfinite(self.total):
            raise InvalidSetting(f"no pane: [{self.start_ms}, {self.end_ms}), n {self.n}, total {self.total}")
        if self.squares is None:
            if not 0 <= self.total <= self.n or self.total != int(self.total):
                raise InvalidSetting(f"{self.total} errors of {self.n} predictions")
        elif not 0.0 <= self.squares < math.inf:
            raise InvalidSetting(f"a sum of squares of {self.squares}")

    def merged(self, other: "ErrorPane") -> "ErrorPane":
        """Both together: parts of one pane, in any order.

        Raises
        ------
        InvalidSetting: of different panes, or of errors and other losses.
        """
        one, two = self.squares, other.squares
        if (self.start_ms, self.end_ms) != (other.start_ms, other.end_ms) or (one is None) != (two is None):
            raise InvalidSetting(f"{self} and {other} are no parts of one pane")
        return ErrorPane(
            start_ms=self.start_ms,
            end_ms=self.end_ms,
            n=self.n + other.n,
            total=self.total + other.total,
            squares=None if one is None or two is None else one + two,
        )

    def series(self, first: int, last: int) -> Floats:
        """Losses `first` to `last` (not included) of the n that stand for the pane's, (last - first,).

        Errors are spread evenly, as Bresenham draws a line: of any prefix of k losses, k * errors / n are errors,
        rounded half up. Other losses alternate between mean + s and mean - s, an odd last one is the mean, with s such
        that their sum of squares is the pane's: n equal values would tell a detector that the loss does not vary, and
        each pane would be a change to it.
        """
        ranks = np.arange(first, last + 1, dtype=np.int64)
        if self.squares is None:
            lines: Floats = ((2 * int(self.total) * ranks + self.n) // max(2 * self.n, 1)).astype(np.float64)
            return np.diff(lines)
        pairs = self.n - self.n % 2
        mean = self.total / max(self.n, 1)
        spread = math.sqrt(max(self.squares - self.n * mean * mean, 0.0) / max(pairs, 1))
        signs = np.where(ranks[:-1] % 2 == 0, 1.0, -1.0)
        found: Floats = mean + np.where(ranks[:-1] < pairs, spread * signs, 0.0)
        return found
