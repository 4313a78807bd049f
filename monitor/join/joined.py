"""What is known of one id, and what that means. The specification of the join: everything else is speed.

The state of an id is its prediction, the earliest of those that came, and the `MAX_LABELS` labels that its rule puts
first. Both are the same for any order of arrival, and so is the match, which follows from them alone.
"""

import math
from typing import Final, Literal, NamedTuple

LabelIs = Literal["latest", "first"]
"""Which of several labels of an id counts, by their own times."""

MAX_LABELS: Final = 8
"""Different labels of one id that are kept. A million of them must not take the memory of a million ids."""


class Prediction(NamedTuple):
    """A prediction. Of several of one id the least counts: the earliest, then by content.

    `record` holds the version's code, which differs between partitions: its text decides before it does.
    """

    time_ms: int
    version: str
    reference: str
    content: bytes
    shape: int
    record: bytes


class Label(NamedTuple):
    """A label. `label` is a number, or the text of a class; `value` is -inf where there is none."""

    time_ms: int
    kind: int
    number: float
    text: str
    value: float

    @property
    def said(self) -> tuple[int, float, str, float]:
        """What it says, whenever it does."""
        return self[1:]


class Known(NamedTuple):
    """The state of an id; labels in the order of the rule, the first counts most."""

    prediction: Prediction | None = None
    labels: tuple[Label, ...] = ()

    def match(self, horizon_ms: int) -> Label | None:
        """The label that counts: the first that is no earlier than the prediction, nor later than its horizon."""
        if self.prediction is None:
            return None
        start_ms = self.prediction.time_ms
        return next((label for label in self.labels if start_ms <= label.time_ms <= start_ms + horizon_ms), None)

    def course(self, horizon_ms: int) -> list[tuple[Label, int, int]]:
        """What label time sees of the match: (label, 1 from when it holds, or -1 when another takes its place; when).

        A function of what is known alone: as of any instant it adds up to the same match, in whatever order the labels
        came. Where the first label counts, no other ever takes its place.
        """
        if self.prediction is None:
            return []
        start_ms = self.prediction.time_ms
        valid = [label for label in self.labels if start_ms <= label.time_ms <= start_ms + horizon_ms]
        if not valid or valid[0] < valid[-1]:  # in rising order: the first counts
            return [(label, 1, label.time_ms) for label in valid[:1]]
        found = []
        for label, before in zip(valid, [*valid[1:], None], strict=True):  # the latest first
            found.append((label, 1, label.time_ms))
            if before is not None:
                found.append((before, -1, label.time_ms))
        return found

    def anchor_ms(self) -> int:
        """Whose horizon this state ends with: the prediction's, else the earliest label's that is kept."""
        return self.prediction.time_ms if self.prediction is not None else min(one.time_ms for one in self.labels)

    def with_prediction(self, prediction: Prediction) -> "Known":
        """After a prediction came."""
        if self.prediction is not None and self.prediction[:4] <= prediction[:4]:
            return self
        return self._replace(prediction=prediction)

    def with_label(self, label: Label, rule: LabelIs) -> "Known":
        """After a label came."""
        if label in self.labels:
            return self
        ordered = sorted((*self.labels, label), reverse=rule == "latest")
        return self._replace(labels=tuple(ordered[:MAX_LABELS]))


def no_value(value: float) -> float:
    """A label's value as `Label` holds it."""
    return -math.inf if math.isnan(value) else value + 0.0
