"""What a decoder must know of each model, and the bounds it works within."""

from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field
from typing import Final, Literal

from detectors.columns import Kind
from detectors.layout import Layout
from monitor.events.mapping import Mapping

Role = Literal["predictions", "features"]
"""What a topic carries. Feature logs hold no prediction: `@score` and `@label` are absent in them."""

Task = Literal["binary", "multiclass", "regression", "none"]

CLASSES: Final = ("binary", "multiclass")
"""Tasks in which an integer in the place of a prediction is a class."""

SCORE: Final = "@score"
LABEL: Final = "@label"
CLASS_SCORE: Final = "@score."
"""What the name of a column of one class's probabilities begins with; the class follows."""


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """One configured model, as far as decoding its events goes.

    Attributes
    ----------
    name
        as events give it in `model`.
    layout
        the reference's columns that events have (`Layout.observed`); `@score` (numeric) and `@label` (categorical) take
        the prediction, `@score.<class>` (numeric) the probability of a class.
    dimensions
        the reference's segment dimensions and the values that are segments of their own.
    task
        with "regression", `probabilities` are ignored.
    mapping
        where things lie in an event.
    envelope
        where things lie in the envelope that events are taken out of; None: they come as they are.
    positive
        binary: the class that the score is the probability of, if that is configured.
    max_ahead_ms
        a timestamp later than now by more than this is rejected.
    with_ids
        whether predictions are wanted with the hashes of their ids, for the join of labels.
    feature_ids
        whether what feature topics bring is wanted with them too, for the comparison of features.
    """

    name: str
    layout: Layout
    dimensions: MappingOf[str, tuple[str, ...]] = field(default_factory=dict)
    task: Task = "none"
    mapping: Mapping = field(default_factory=Mapping)
    envelope: Mapping | None = None
    positive: str | None = None
    max_ahead_ms: int = 86_400_000
    with_ids: bool = False
    feature_ids: bool = False

    def __post_init__(self) -> None:
        for column in self.layout.columns:
            wanted = {SCORE: Kind.NUMERIC, LABEL: Kind.CATEGORICAL}.get(column.name, column.kind)
            if column.name.startswith(CLASS_SCORE):
                wanted = Kind.NUMERIC
            if column.kind is not wanted:
                raise ValueError(f"{column.name} of model {self.name!r} must be {wanted}")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds of one message. What exceeds them is rejected whole, as oversize, and not parsed.

    Attributes
    ----------
    max_message_bytes
        of one message as it came from the broker.
    max_events_a_message
        of an array, NDJSON or Arrow streams.
    max_decoded_bytes
        of Arrow streams once they are decompressed, and one more for each value. A batch of a million rows of 25
        numbers has 225 MB.
    """

    max_message_bytes: int = 8 * 1024 * 1024
    max_events_a_message: int = 1_000_000
    max_decoded_bytes: int = 256 * 1024 * 1024
