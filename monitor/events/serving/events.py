"""Records of serving systems to events in the default places: one for each instance."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from monitor.events.json.forgiving import UNSET, Refused, resolve
from monitor.events.mapping import SEGMENTS, TARGET, Mapping, is_origin, path
from monitor.events.models import ModelSpec
from monitor.events.reasons import Reason
from monitor.events.serving.forms import FORMS, NOTHING, Form
from monitor.events.serving.payload import answered, requested
from monitor.events.serving.predictions import prediction_of, reading
from monitor.events.serving.tensors import refused

_DEFAULT: Final = Mapping()
_STATUSES: Final = ("status_code", "statusCode", "response.status_code", "response.statusCode")
"""Where a record may say how the request ended; of one that failed there is no prediction."""


class Envelopes:
    """What takes the records of some models apart.

    Parameters
    ----------
    models
        every configured model; at least one has an envelope.
    """

    def __init__(self, models: Sequence[ModelSpec]) -> None:
        self._of: dict[str, list[ModelSpec]] = {}
        for model in models:
            if model.envelope is not None:
                self._of.setdefault(model.envelope.preset, []).append(model)
        self._mixed = len(self._of) > 1 or any(model.envelope is None for model in models)
        self._forms = [(name, FORMS[name]) for name in FORMS if name in self._of]

    def events(self, record: object, sent_ms: int | None) -> list[Any]:
        """The events of a record; the record itself where it is of none of the forms, and other models have none.

        Parameters
        ----------
        record
            a parsed JSON value.
        sent_ms
            its time where it says none itself; None: it is not known.

        Raises
        ------
        Refused
            it cannot be taken apart.
        """
        if not isinstance(record, dict):
            if self._mixed:
                return [record]
            raise refused("an envelope is an object")
        name, form = self._forms[0]
        if self._mixed:
            known = [(name, form) for name, form in self._forms if form.recognises(record)]
            if not known:
                return [record]
            name, form = known[0]
        return _events(record, form, self._of[name], sent_ms)


def _events(record: dict[str, Any], form: Form, models: Sequence[ModelSpec], sent_ms: int | None) -> list[Any]:
    for key in _STATUSES:
        code = str(_first(record, (key,)))[:20]
        if code.isdecimal() and not 200 <= int(code) < 300:
            raise refused(f"{key} {code}: the request failed")
    opened = form.opened(record)
    if opened.request is NOTHING and opened.response is NOTHING:
        raise refused(f"neither a request nor a response: expected {form.example}")
    model, named = _model(record, form, models)
    assert model.envelope is not None
    mapping = model.envelope
    rows = None if opened.request is NOTHING else requested(opened.request)
    said = None if opened.response is NOTHING else answered(opened.response)
    if rows is not None and said is not None and len(rows) != len(said):
        if len(said) == 1 and isinstance(said[0], list) and len(said[0]) == len(rows):
            said = said[0]  # XGBoost's CSV: the scores of all instances in one line
        else:
            raise refused(f"{len(rows)} instances and {len(said)} predictions")
    n = len(rows if rows is not None else said or ())
    if not n:
        raise refused("an envelope without an instance")
    shared = _shared(record, form, mapping, named, sent_ms)
    identity, target = shared.pop("prediction_id", None), shared.pop(TARGET, None)
    how = reading(mapping, model.task, model.positive)
    events = []
    for place in range(n):
        event = dict(shared)
        if identity is not None:
            event["prediction_id"] = identity if n == 1 else f"{identity}-{place}"
        if rows is not None:
            event["features"] = _named(rows[place], mapping)
        if said is not None:
            event["prediction"] = prediction_of(said[place], how)
        if target is not None:
            event[TARGET] = target[place] if isinstance(target, list) and len(target) == n else target
        events.append(event)
    return events


def _named(row: Any, mapping: Mapping) -> Any:
    """An instance as an object: a list's values by their names, which the compiled scan reads."""
    if not isinstance(row, list):
        return row
    return {mapping.feature_name(number): value for number, value in enumerate(row)}


def _model(record: dict[str, Any], form: Form, models: Sequence[ModelSpec]) -> tuple[ModelSpec, str | None]:
    """The model of a record, and its name for the events; None: the only one, which need not be named."""
    named: object = None
    for model in models:
        assert model.envelope is not None
        place = model.envelope.model
        if is_origin(place):
            continue
        found = _first(record, form.models if place == _DEFAULT.model else (place,))
        if found == model.name:
            return model, model.name
        named = named or found
    if named is not None:
        shown = f"model {named[:80]!r}" if isinstance(named, str) else "its model is no text"
        raise Refused(Reason.UNKNOWN_MODEL, shown, foreign=isinstance(named, str))
    place = models[0].envelope.model if models[0].envelope is not None else _DEFAULT.model
    if len(models) > 1 or (place != _DEFAULT.model and not is_origin(place)):
        where = ", ".join(form.models) if place == _DEFAULT.model else place
        raise Refused(Reason.UNKNOWN_MODEL, f"no {where}, where the model is named")
    return models[0], models[0].name


def named_in(record: dict[str, Any], form: Form) -> str:
    """The model that a record names where its form has it; "" for none."""
    found = _first(record, form.models)
    return found if isinstance(found, str) else ""


def time_in(record: dict[str, Any], form: Form) -> Any:
    """The time that a record has where its form has it; None: it has none."""
    return _first(record, form.times)


def _shared(
    record: dict[str, Any], form: Form, mapping: Mapping, named: str | None, sent_ms: int | None
) -> dict[str, Any]:
    """What all events of a record have."""

    def found(key: str, usual: tuple[str, ...]) -> Any:
        place = getattr(mapping, key)
        return _first(record, usual if place == getattr(_DEFAULT, key) else (place,))

    timestamp = found("timestamp", form.times)
    if timestamp is None and sent_ms is not None and mapping.timestamp == _DEFAULT.timestamp:
        timestamp = datetime.fromtimestamp(sent_ms / 1000, UTC).isoformat(timespec="milliseconds")
    shared = {
        "model": named,
        "timestamp": timestamp,
        "prediction_id": found("prediction_id", form.ids),
        "version": found("version", form.versions),
    }
    if mapping.target is not None:
        shared[TARGET] = _first(record, (mapping.target,))
    own = record.get(SEGMENTS)
    segments = dict(own) if isinstance(own, dict) else {}
    for dimension in mapping.segments:
        place = mapping.segment_path(dimension)
        if place is not None:
            value = resolve(record, place)
            segments[dimension] = None if value is UNSET else value
    if segments:
        shared[SEGMENTS] = segments
    return {key: value for key, value in shared.items() if value is not None}


def _first(record: dict[str, Any], places: Sequence[str]) -> Any:
    """The first value that is there; of a key that has dots in it, too."""
    for place in places:
        value = record[place] if place in record else resolve(record, path(place))
        if value is not UNSET and value is not None:
            return value
    return None
