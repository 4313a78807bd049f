"""Where in an event each thing lies, so that logs that already exist need no rewriting."""

from typing import Final

import msgspec

MODEL: Final = "model"
SEGMENTS: Final = "segments"
FLAT_SCORE: Final = "score"
FLAT_LABEL: Final = "label"

_SCORE = "prediction.score"
_LABEL = "prediction.label"


class Mapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Dotted paths into a JSON event; column names in Arrow and flat files. `model` and `segments` are fixed names.

    With the default paths `prediction` may also be a bare number (the score), or a bare text or boolean (the label);
    likewise for the object that any other score or label path ends in, and for a column of that object's name.

    Attributes
    ----------
    timestamp
        integer milliseconds UTC, or RFC 3339 with an offset.
    prediction_id
        text or an integer; may be absent.
    version
        text or an integer; absent is the version "".
    features
        the object that holds the features. An event with no object there is flat: its features lie at its top
        level. One that has none of them there either says nothing of features: they are absent, which is no null. In
        Arrow and flat files every column that no other key names is a feature; a struct column of this name is
        accepted too.
    score
        the default path also stands for `score` at the top of a flat event, and for the column `score`, where the
        prediction has none. Where there is none at all, the largest of `probabilities` beside it is the score.
    label
        likewise, with `label`; of `probabilities`, the class of the largest.
    target
        what was true, beside the prediction: only reference data has it (`driftline reference build`). No feature
        anywhere; None: no column has it.
    """

    timestamp: str = "timestamp"
    prediction_id: str = "prediction_id"
    version: str = "version"
    features: str = "features"
    score: str = _SCORE
    label: str = _LABEL
    target: str | None = None

    @property
    def flat_score(self) -> str | None:
        """The key of a flat event, and the column, that stands in for a score. None: the score's path is configured."""
        return FLAT_SCORE if self.score == _SCORE else None

    @property
    def flat_label(self) -> str | None:
        """The key of a flat event, and the column, that stands in for a label. None: the label's path is configured."""
        return FLAT_LABEL if self.label == _LABEL else None

    @property
    def score_columns(self) -> tuple[str, ...]:
        """The columns of flat files that are named for the score, first choice first."""
        return (self.score,) if self.flat_score is None else (self.score, self.flat_score)

    @property
    def label_columns(self) -> tuple[str, ...]:
        """The columns of flat files that are named for the label, first choice first."""
        return (self.label,) if self.flat_label is None else (self.label, self.flat_label)

    def is_prediction(self, above: tuple[str, ...]) -> bool:
        """Whether the object at this path is the prediction's own: nothing else that is mapped lies in it.

        An event that has it speaks of its prediction, whatever it holds.
        """
        others = (MODEL, SEGMENTS, self.timestamp, self.prediction_id, self.version, self.features)
        return bool(above) and all(path(other)[: len(above)] != above for other in others)

    @property
    def reserved(self) -> frozenset[str]:
        """Names that are no features: in flat events at the top, in flat files and Arrow among the columns.

        Each path, and what it begins with. That a feature is called so is then seen at once, and not when the first
        event comes in another format.
        """
        paths = [self.timestamp, self.prediction_id, self.version, self.features, self.score, self.label]
        if self.target is not None:
            paths.append(self.target)
        flat = (name for name in (self.flat_score, self.flat_label) if name is not None)
        return frozenset({MODEL, SEGMENTS, *flat, *paths, *(path(dotted)[0] for dotted in paths)})


def path(dotted: str) -> tuple[str, ...]:
    """The keys of a dotted path, outermost first."""
    return tuple(dotted.split("."))
