"""Where in an event each thing lies, so that logs that already exist need no rewriting."""

from collections.abc import Mapping as ReadOnly
from typing import Annotated, Final, Literal

import msgspec

from monitor.events.times import MIN_TIMESTAMP_MS, TimeRule, Unit

MODEL: Final = "model"
SEGMENTS: Final = "segments"
FLAT_SCORE: Final = "score"
FLAT_LABEL: Final = "label"
TARGET: Final = "target"
PROBABILITIES: Final = "probabilities"

TOPIC: Final = "topic"
"""In the place of a path: the name of the topic that an event came by."""
HEADER: Final = "header:"
"""What a place begins with that is a header of the event's message; its name follows, in any case."""

PLACES: Final = ("timestamp", "prediction_id", "version", "features", "score", "label", "target")
"""The keys that are paths."""

PRESETS: Final[ReadOnly[str, ReadOnly[str, str]]] = {
    # CloudEvents 1.0 in the structured content mode: the context's attributes, with an event of ours as the `data`.
    "cloudevents": {
        "timestamp": "time",
        "prediction_id": "id",
        "version": "data.version",
        "features": "data.features",
        "score": "data.prediction.score",
        "label": "data.prediction.label",
    },
}
"""By the name of an envelope around one event of ours: the paths that stand in for the defaults."""

_SERVING: Final = ("kserve", "mlflow", "sagemaker", "seldon", "tfserving")
"""Envelopes of requests and responses, which are taken apart into events; see `monitor.events.serving.forms`."""

_SCORE = "prediction.score"
_LABEL = "prediction.label"


class Mapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Dotted paths into a JSON event; column names in Arrow and flat files.

    With the default paths `prediction` may also be a bare number (the score; an integer is the label where the task is
    binary or multiclass), or a bare text or boolean (the label); a `score` at the event's top comes before such a
    number. Likewise for the object that any other score or label path ends in, and for a column of its name.

    Attributes
    ----------
    preset
        the envelope that events come in. `cloudevents`: its places stand in for the defaults of the other keys. Those
        of serving systems hold requests and responses of several instances, each an event of its own: there
        `timestamp`, `prediction_id`, `version`, `model`, `segments` and `target` are paths in the envelope, which has
        each where the system puts it, `score` and `label` in what a response says of one instance.
    model
        a dotted path, `topic`, or `header:NAME`. Events without a value there are rejected, but for the default, whose
        absence means the only model that is configured. A file has no headers and no topic: its models are named by
        `model`.
    segments
        likewise, by dimension; those of the others lie in `segments`, else in the feature of their name.
    timestamp
        a number of `timestamp_unit` since 1970 UTC, or RFC 3339.
    feature_names
        of the features where events have them as a list, in its order.
    timestamp_unit
        of numbers. What then lies before `min_time` is refused with the unit that would fit.
    timezone
        whose clocks times without an offset are of.
    min_time_ms
        the earliest time that is none of a broken clock, or of another unit.
    prediction_id
        text or an integer; may be absent.
    version
        text or an integer; absent is the version "".
    features
        the object that holds the features. An event with no object there is flat: its features lie at its top level.
        One that has none of them there either says nothing of features: they are absent, which is no null. What lies in
        an object among the features, or in a struct column, is named by its dotted path: see `monitor.events.inner`. A
        list there holds the features of `feature_names`, or `f0`, `f1`...; in Arrow and Parquet it may be a map. In
        Arrow and flat files every column that no other key names is a feature; a struct column of this name is accepted
        too.
    score
        the default path also stands for `score` at the top of the event, and for the column `score`, where the
        prediction has none. Where there is none at all, the largest of `probabilities` beside it is the score; so
        is the largest of an object in its own place, which has a number a class. With the default path
        `probabilities` may also lie at the top of the event. In flat files and Arrow a class may have a column
        of its own: `prediction.probabilities.cat`, `probabilities.cat`, `score.cat`.
    label
        likewise, with `label`; of `probabilities`, the class of the largest.
    target
        what was true, beside the prediction: only reference data has it (`driftline reference build`). No feature
        anywhere; None: no column has it.
    """

    preset: Literal["none", "cloudevents", "kserve", "mlflow", "sagemaker", "seldon", "tfserving"] = "none"
    model: str = MODEL
    segments: dict[Annotated[str, msgspec.Meta(extra={"form": "segment"})], str] = {}
    timestamp: str = "timestamp"
    prediction_id: str = "prediction_id"
    version: str = "version"
    features: str = "features"
    score: str = _SCORE
    label: str = _LABEL
    target: str | None = None
    feature_names: tuple[Annotated[str, msgspec.Meta(extra={"form": "name"})], ...] = ()
    timestamp_unit: Unit = "ms"
    timezone: Annotated[str, msgspec.Meta(extra={"form": "timezone"})] = "UTC"
    min_time_ms: Annotated[int, msgspec.Meta(extra={"form": "instant"})] = msgspec.field(
        name="min_time", default=MIN_TIMESTAMP_MS
    )

    def __post_init__(self) -> None:
        defaults = {field.name: field.default for field in msgspec.structs.fields(type(self))}
        for key, place in PRESETS.get(self.preset, {}).items():
            if getattr(self, key) == defaults[key]:
                msgspec.structs.force_setattr(self, key, place)

    @property
    def is_serving(self) -> bool:
        """Whether the preset is an envelope of requests and responses."""
        return self.preset in _SERVING

    @property
    def of_events(self) -> "Mapping":
        """Where things lie in the events themselves: in the default places, where they come out of an envelope."""
        if not self.is_serving:
            return self
        return Mapping(
            model=self.model if is_origin(self.model) else MODEL,
            segments={name: place for name, place in self.segments.items() if is_origin(place)},
            target=None if self.target is None else TARGET,
            feature_names=self.feature_names,
            timestamp_unit=self.timestamp_unit,
            timezone=self.timezone,
            min_time_ms=self.min_time_ms,
        )

    @property
    def is_told_by_origin(self) -> bool:
        """Whether the model or a segment is a header or the topic."""
        return any(map(is_origin, (self.model, *self.segments.values())))

    @property
    def model_path(self) -> tuple[str, ...]:
        """Where an event names its model; empty where it is known already."""
        return (MODEL,) if is_origin(self.model) else path(self.model) if self.model else ()

    def segment_path(self, dimension: str) -> tuple[str, ...] | None:
        """Where an event has its value of a dimension, if that is configured."""
        place = self.segments.get(dimension)
        return None if place is None or is_origin(place) else path(place)

    def feature_name(self, place: int) -> str:
        """The name of the feature at a place of a list."""
        return self.feature_names[place] if place < len(self.feature_names) else f"f{place}"

    @property
    def times(self) -> TimeRule:
        """How timestamps are read."""
        return TimeRule(unit=self.timestamp_unit, timezone=self.timezone, min_ms=self.min_time_ms)

    @property
    def places(self) -> dict[str, str]:
        """The paths, by key; without those that are not configured."""
        found = {key: getattr(self, key) for key in PLACES}
        return {key: place for key, place in found.items() if place is not None}

    @property
    def flat_score(self) -> str | None:
        """The key at the top, and the column, that stands in for a score. None: the score's path is configured."""
        return FLAT_SCORE if self.score == _SCORE and self.target != FLAT_SCORE else None

    @property
    def flat_label(self) -> str | None:
        """The key at the top, and the column, that stands in for a label. None: the label's path is configured."""
        return FLAT_LABEL if self.label == _LABEL and self.target != FLAT_LABEL else None

    @property
    def probabilities(self) -> str:
        """Where the probabilities of classes lie: beside the score."""
        return ".".join((*path(self.score)[:-1], PROBABILITIES))

    @property
    def flat_probabilities(self) -> str | None:
        """The key at the top, and the column, that stands in for them. None: the score's path is configured."""
        return PROBABILITIES if self.score == _SCORE else None

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
        others = [(SEGMENTS,), self.model_path, *(path(place) for place in self._event_places)]
        return bool(above) and all(other[: len(above)] != above for other in others)

    @property
    def _event_places(self) -> list[str]:
        """The paths of everything but the prediction, in an event."""
        segments = [place for place in self.segments.values() if not is_origin(place)]
        return [self.timestamp, self.prediction_id, self.version, self.features, *segments]

    @property
    def reserved(self) -> frozenset[str]:
        """Names that are no features: in flat events at the top, in flat files and Arrow among the columns.

        Each path, and what those of features and prediction begin with. That a feature is called so is then seen at
        once, and not when the first event comes in another format. An object that has the time, an id or a segment may
        have features too.
        """
        closed = [self.features, self.score, self.label, self.probabilities]
        paths = [*self._event_places, *closed]
        if self.model_path:
            paths.append(".".join(self.model_path))
        if self.target is not None:
            paths.append(self.target)
        flat = (name for name in (self.flat_score, self.flat_label, self.flat_probabilities) if name is not None)
        return frozenset({MODEL, SEGMENTS, *flat, *paths, *(path(dotted)[0] for dotted in closed)})


def is_origin(place: str) -> bool:
    """Whether a place is none in the event, but where its message came from."""
    return place == TOPIC or place.startswith(HEADER)


def path(dotted: str) -> tuple[str, ...]:
    """The keys of a dotted path, outermost first."""
    return tuple(dotted.split("."))
