"""The forgiving path: any JSON value, looked at key by key. It decides what a bad event is, and says why.

It is the specification of the compiled scan, which takes only what it would read in the same way.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from detectors.columns import NULL
from monitor.events.batch import MAX_DETAIL
from monitor.events.frame import Frame
from monitor.events.inner import Opened, opened_object
from monitor.events.json.envelopes import envelope, no_object, undecodable
from monitor.events.json.texts import opened_texts
from monitor.events.looked import unknown_features
from monitor.events.mapping import MODEL, SEGMENTS, path
from monitor.events.mapping import Mapping as FieldMapping
from monitor.events.models import Role
from monitor.events.parts import Row
from monitor.events.reasons import Reason
from monitor.events.times import TimeRule, future
from monitor.events.values import INVALID_TEXT, MAX_TEXT, Category, category, clean, most_probable, number, of_classes

UNSET: Final = msgspec.UNSET
EMPTY: Final = (UNSET, None, "")
"""What another place may stand in for."""

MAX_LISTED: Final = 10_000
"""Features of a list or a map; more are no features."""

_GENERIC: Final = msgspec.json.Decoder()
_BAD_JSON: Final = (msgspec.MsgspecError, ValueError, OverflowError, RecursionError)


class Refused(Exception):  # noqa: N818 - a verdict on one event, not a fault of the program
    """The event becomes a reject: record it with its reason and go on with the next."""

    def __init__(self, reason: Reason, detail: str, model: str = "", *, foreign: bool = False) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = clean(detail)[:MAX_DETAIL]
        self.model = model
        self.foreign = foreign
        """It names a model that is not configured."""
        self.time_ms: int | None = None
        """The event's own time, where it could be read."""


def parse(raw: bytes) -> Any:
    """Any JSON value; NaN and the infinities, which Python and others write, are taken as numbers.

    Raises
    ------
    Refused
        it is no JSON.
    """
    try:
        return _GENERIC.decode(raw)
    except _BAD_JSON:
        pass  # the standard library takes more: NaN, huge numbers, lone surrogates
    try:
        return json.loads(raw.decode("utf-8-sig"), parse_int=_integer)
    except RecursionError:
        raise Refused(Reason.UNDECODABLE, "nested too deeply") from None
    except (UnicodeDecodeError, ValueError) as error:
        if known := undecodable(raw):
            raise Refused(Reason.UNDECODABLE, known) from None
        raise _no_json(raw, error) from None


def not_an_event(value: object) -> Refused:
    """A JSON value that is no object, as a reject."""
    return Refused(Reason.SCHEMA, no_object(value) or f"an event is an object, not {_kind(value)}")


def refuse_envelope(event: dict[str, Any], timestamp: str, model: str = "") -> None:
    """Refuse an object without a time that looks like a known envelope around an event.

    Raises
    ------
    Refused
        with what would read it.
    """
    if known := envelope(event):
        raise Refused(Reason.BAD_TIMESTAMP, f"no {timestamp}; {known}", model)


def _no_json(raw: bytes, error: ValueError) -> Refused:
    if isinstance(error, UnicodeDecodeError):
        return Refused(Reason.UNDECODABLE, f"not UTF-8: {error.reason} at byte {error.start}")
    where = f" at character {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
    what = error.msg if isinstance(error, json.JSONDecodeError) else "bad number"
    return Refused(Reason.UNDECODABLE, f"not JSON: {what}{where}" if raw.strip() else "empty message")


def _integer(digits: str) -> int | float:
    try:
        return int(digits)
    except ValueError:  # more digits than Python converts; no float holds it either
        return float("-inf") if digits.startswith("-") else float("inf")


class Forgiving:
    """Turns parsed events of all models into rows."""

    def __init__(self, frames: Mapping[str, Frame], role: Role) -> None:
        self._frames = frames
        self._role = role
        self._only = next(iter(frames.values())) if len(frames) == 1 else None
        self._places = tuple(dict.fromkeys(frame.model_path for frame in frames.values()))

    def row(self, event: object) -> tuple[str, Row]:
        """The model of one event, and its row.

        Raises
        ------
        Refused
            it is no event that can be counted.
        """
        if not isinstance(event, dict):
            raise not_an_event(event)
        frame = self._frame(event)
        event = opened_texts(event, frame.object_places)
        mapping, name = frame.spec.mapping, frame.spec.name
        identity: object = None
        if frame.reads_ids:
            identity = resolve(event, path(mapping.prediction_id))
            if not (identity is UNSET or identity is None or _is_text_or_integer(identity)):
                raise _dated(
                    Refused(Reason.MISSING_ID, f"{mapping.prediction_id} is {_kind(identity)}", name),
                    frame.times.read(resolve(event, path(mapping.timestamp))),
                )
        at = resolve(event, path(mapping.timestamp))
        time = frame.times.read(at)
        if time is None:
            if at is UNSET:
                refuse_envelope(event, mapping.timestamp, name)
            raise no_time(at, mapping.timestamp, frame.times, name)
        version = resolve(event, path(mapping.version))
        version = "" if version is UNSET else category(version) or ""
        if not isinstance(version, str) or len(version) > MAX_TEXT:
            raise _dated(bad_version(mapping.version, name), time)
        found = features_of(event, mapping, frame.reserved)
        features = found.opened.values
        has_features = found.spoken or not features.keys().isdisjoint((*frame.numeric, *frame.categorical))
        numeric = [NULL] * frame.n_numeric
        for column, row in frame.numeric.items():
            numeric[row] = number(features.get(column))
        texts: list[Category] = [None] * frame.n_categorical
        for column, row in frame.categorical.items():
            texts[row] = category(features.get(column))
        if self._role == "predictions":
            score, label, probabilities = prediction(event, frame)
            if frame.score is not None:
                numeric[frame.score] = score
            if frame.label is not None:
                texts[frame.label] = label
            if frame.classes:
                for row, value in zip(frame.classes.values(), of_classes(probabilities, frame.classes), strict=True):
                    numeric[row] = value
        segments = [_segment(event, features, frame, dimension) for dimension in frame.dimensions]
        return name, Row(
            time_ms=time,
            version=version,
            has_features=has_features,
            has_prediction=self._role == "predictions" and has_prediction(event, frame),
            numeric=numeric,
            texts=texts,
            segments=segments,
            identity=None if identity is UNSET or identity is None else clean(str(identity)),
        )

    def unknown(self, model: str, event: object) -> Sequence[str]:
        """The features of an event of a model that no column reads."""
        if not isinstance(event, dict):
            return ()
        frame = self._frames[model]
        event = opened_texts(event, frame.object_places)
        found = features_of(event, frame.spec.mapping, frame.reserved)
        unknown = unknown_features(frame, found.opened.leaves, flat=found.flat)
        return [*unknown, *found.opened.hidden] if found.opened.hidden else unknown

    def _frame(self, event: dict[str, Any]) -> Frame:
        """The model that an event names, in the place where that model is named."""
        only = self._only
        if only is not None and not only.model_path:
            return only
        names = {place: resolve(event, place) for place in self._places}
        for place, name in names.items():
            frame = self._frames.get(name) if isinstance(name, str) else None
            if frame is not None and frame.model_path == place:
                return frame
        place, named = next(
            ((place, name) for place, name in names.items() if name is not UNSET and name is not None),
            (self._places[0], None),
        )
        if named is not None:
            shown = f"model {named!r}" if isinstance(named, str) else f"model is {_kind(named)}"
            raise Refused(Reason.UNKNOWN_MODEL, shown, foreign=isinstance(named, str))
        if only is not None and place == (MODEL,):
            return only
        if place != (MODEL,):
            raise Refused(Reason.UNKNOWN_MODEL, f"no {'.'.join(place)}, where mapping.model says that it is named")
        raise Refused(Reason.UNKNOWN_MODEL, "the event names no model, and several are configured")


def resolve(event: object, keys: tuple[str, ...]) -> object:
    """The value at a path, or UNSET."""
    for key in keys:
        if not isinstance(event, dict) or key not in event:
            return UNSET
        event = event[key]
    return event


def named(features: object, mapping: FieldMapping) -> object:
    """Features that are a list with their names; anything else as it is."""
    if not isinstance(features, list) or len(features) > MAX_LISTED:
        return features
    return {mapping.feature_name(place): value for place, value in enumerate(features)}


class Features(NamedTuple):
    """The features of an event; `flat`: they lie at its top; `spoken`: it has something in their object's place."""

    opened: Opened[Any]
    flat: bool
    spoken: bool


def features_of(event: Mapping[str, Any], mapping: FieldMapping, reserved: frozenset[str]) -> Features:
    """Find the features. `reserved`: those of the mapping; of a flat event what is called so is none."""
    features = named(resolve(event, path(mapping.features)), mapping)
    if isinstance(features, dict):
        return Features(opened_object(features), flat=False, spoken=True)
    found = opened_object({key: value for key, value in event.items() if key not in reserved})
    if found.objects:
        found = found.without(reserved)
    return Features(found, flat=True, spoken=features is not UNSET and features is not None)


def prediction(event: dict[str, Any], frame: Frame) -> tuple[float, Category, object]:
    """Score, label, and the probabilities of classes as they are: None where there are none, and of a regression."""
    mapping = frame.spec.mapping
    score_path, label_path = path(mapping.score), path(mapping.label)
    score, label = resolve(event, score_path), resolve(event, label_path)
    above_score = resolve(event, score_path[:-1]) if len(score_path) > 1 else UNSET
    above_label = resolve(event, label_path[:-1]) if len(label_path) > 1 else UNSET
    is_class = frame.bare_classes and isinstance(above_label, int) and not isinstance(above_label, bool)
    if isinstance(above_label, str | bool) or is_class:
        label = above_label
    elif isinstance(above_label, list):
        label = INVALID_TEXT
    if mapping.flat_score is not None and score in EMPTY:
        score = event.get(mapping.flat_score)  # it says that it is the score, which a bare prediction does not
    if score in EMPTY:
        bare_class = is_class and score_path[:-1] == label_path[:-1]
        if isinstance(above_score, int | float) and not isinstance(above_score, bool) and not bare_class:
            score = above_score
        elif isinstance(above_score, list):
            score = INVALID_TEXT
    if mapping.flat_label is not None and label in EMPTY:
        label = event.get(mapping.flat_label)
    probabilities: object = None
    if frame.spec.task != "regression":
        if isinstance(score, dict):
            score, probabilities = UNSET, score
        else:
            probabilities = resolve(event, path(mapping.probabilities))
            if mapping.flat_probabilities is not None and probabilities in (UNSET, None):
                probabilities = event.get(mapping.flat_probabilities)
        probabilities = None if probabilities is UNSET else probabilities
    score_value = number(None if score is UNSET else score)
    label_value = category(None if label is UNSET else label)
    if probabilities is not None and (score_value != score_value or label_value is None):
        best, best_label = most_probable(probabilities)
        score_value = best if score_value != score_value else score_value
        label_value = best_label if label_value is None else label_value
    return score_value, label_value, probabilities


def has_prediction(event: dict[str, Any], frame: Frame) -> bool:
    """Whether an event speaks of its prediction: has a key of it, its object, or a value in the object's place."""
    mapping, task = frame.spec.mapping, frame.spec.task
    if task != "regression":
        if resolve(event, path(mapping.probabilities)) is not UNSET:
            return True
        if mapping.flat_probabilities is not None and mapping.flat_probabilities in event:
            return True
    places = (
        (frame.score, path(mapping.score), mapping.flat_score),
        (frame.label, path(mapping.label), mapping.flat_label),
    )
    for row, keys, flat_key in places:
        if row is None:
            continue
        if resolve(event, keys) is not UNSET or flat_key in event:
            return True
        above = resolve(event, keys[:-1]) if len(keys) > 1 else None
        there = above is not UNSET and above is not None
        if there and (not isinstance(above, dict) or mapping.is_prediction(keys[:-1])):
            return True
    return False


def _segment(event: dict[str, Any], features: Mapping[str, Any], frame: Frame, dimension: str) -> Category:
    own = frame.spec.mapping.segment_path(dimension)
    if own is not None:
        value = resolve(event, own)
        return None if value is UNSET else category(value)
    value = resolve(event, (SEGMENTS, dimension))
    if value is not UNSET and value is not None:
        return category(value)
    value = features.get(dimension)
    if dimension in frame.numeric:
        value = number(value)  # as the column sees it: what is invalid there is in no segment of its own
        return category(value) if value == value and abs(value) != float("inf") else None
    return category(value)


def _dated(refused: Refused, time_ms: int | None) -> Refused:
    """With the time of its event."""
    refused.time_ms = time_ms
    return refused


def bad_time(time_ms: int, now_ms: int, model: str) -> Refused:
    """Why a time that lies too far ahead is rejected."""
    return Refused(Reason.BAD_TIMESTAMP, future(time_ms, now_ms), model)


def no_time(value: object, where: str, times: TimeRule, model: str) -> Refused:
    """Why a value that is no time is rejected."""
    if value is UNSET or value is None:
        detail = f"no {where}"
    elif isinstance(value, dict | list | bool):
        detail = f"{where} is {_kind(value)}"
    else:
        detail = times.refusal(value, where)
    return Refused(Reason.BAD_TIMESTAMP, detail, model)


def bad_version(where: str, model: str) -> Refused:
    """Why a version is rejected."""
    return Refused(Reason.SCHEMA, f"{where} is no text or number of at most {MAX_TEXT} characters", model)


def _is_text_or_integer(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _kind(value: object) -> str:
    names = {dict: "an object", list: "an array", str: "text", bool: "a boolean", int: "a number", float: "a number"}
    return "null" if value is None else names.get(type(value), "no JSON value")
