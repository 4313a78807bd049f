"""Where in an event each thing lies, so that logs that already exist need no rewriting."""

import msgspec

_SCORE = "prediction.score"
_LABEL = "prediction.label"


class Mapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Dotted paths into a JSON event; column names in Arrow and flat files. `model` and `segments` are fixed names.

    With the default paths `prediction` may also be a bare number (the score), or a bare text or boolean (the label);
    likewise for the object that any other score or label path ends in.

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
        level, and `score` and `label` there stand in for an absent prediction. In Arrow and flat files every column
        that no other key names is a feature; a struct column of this name is accepted too.
    score
        in Arrow and flat files the default path stands for the column `score`.
    label
        in Arrow and flat files the default path stands for the column `label`.
    """

    timestamp: str = "timestamp"
    prediction_id: str = "prediction_id"
    version: str = "version"
    features: str = "features"
    score: str = _SCORE
    label: str = _LABEL

    @property
    def score_column(self) -> str:
        """The score's column in Arrow and flat files."""
        return "score" if self.score == _SCORE else self.score

    @property
    def label_column(self) -> str:
        """The label's column in Arrow and flat files."""
        return "label" if self.label == _LABEL else self.label


def path(dotted: str) -> tuple[str, ...]:
    """The keys of a dotted path, outermost first."""
    return tuple(dotted.split("."))
