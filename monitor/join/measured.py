"""From what the join emits to matches in the cells of a model's performance space."""

import numpy as np

from detectors.arrays import Bools, Codes, Floats
from detectors.performance.build import SCORE
from detectors.performance.classes import class_codes, said_codes
from detectors.performance.matches import Matches
from detectors.performance.model_space import LABEL
from detectors.performance.space import PerformanceSpace, Task
from detectors.reference import Reference
from monitor.join.matches import Matches as JoinedMatches

_HALF = 0.5


class MatchReader:
    """Reads the joined matches of one reference.

    Parameters
    ----------
    space: the model's, `detectors.performance.model_space.space_of`.
    reference: whose codes and cells the predictions have.
    threshold: binary: a prediction says the positive class where its score is at least this. None: it says the class
        that it names, and where it names none, whether its score is at least 0.5, if scores are probabilities.
    """

    def __init__(self, space: PerformanceSpace, reference: Reference, threshold: float | None = None) -> None:
        observed = reference.layout.observed
        names = [observed.columns[index].name for index in observed.numeric]
        scores = [name for name in names if name == SCORE or name.startswith(f"{SCORE}.")]  # as blocks have them
        self.space = space
        self._rows = [scores.index(column.name) for column in space.scores]
        labels = [column for column in observed.columns if column.name == LABEL]
        self._said = said_codes(space, labels[0] if labels else None)
        self._threshold = threshold

    def read(self, joined: JoinedMatches) -> Matches:
        """The same matches, in the same order; a label that is no class of the model has the code `space.other`."""
        space = self.space
        scores = joined.scores[self._rows]
        scores = np.where(np.isfinite(scores), scores, np.nan)
        classes = space.task is not Task.REGRESSION
        return Matches.of(
            space,
            joined.n,
            sign=joined.sign.astype(np.int64),
            label=self._label(joined) if classes else None,
            predicted=self._predicted(joined, scores) if classes else None,
            target=None if classes else joined.label_numbers,
            scores=scores,
            parts=joined.cells,
            value=joined.values,
        )

    def _label(self, joined: JoinedMatches) -> Codes:
        table = class_codes(self.space.classes, joined.classes)
        label = np.full(joined.n, self.space.other, dtype=np.int32)
        is_class = joined.is_class
        label[is_class] = table[joined.label_codes[is_class]]
        # Numbers, of labels that came while the model's task was another: 1 and 1.0 name the class "1".
        values, place = np.unique(joined.label_numbers[~is_class], return_inverse=True)
        label[~is_class] = class_codes(self.space.classes, [_spelled(value) for value in values.tolist()])[place]
        return label

    def _predicted(self, joined: JoinedMatches, scores: Floats) -> Codes:
        said: Codes = self._said[joined.class_codes]
        if self.space.task is not Task.BINARY or not self.space.scores:
            return said
        there: Bools = np.isfinite(scores[0])
        if self._threshold is None:
            there &= (said == self.space.unsaid) & self.space.probability
        at_least = scores[0] >= (_HALF if self._threshold is None else self._threshold)
        return np.where(there, at_least, said).astype(np.int32)


def _spelled(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
