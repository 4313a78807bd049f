"""JSON Lines: one event a line, flat or nested, as they would lie in Kafka; or a document, such as an array of events.
Read as a table of nested columns.

Each event is taken apart by the rules of live events (`monitor.events.json.forgiving`), and its columns are named by
the default mapping whatever the configured one is:

| column | what |
|---|---|
| `model`, `version` | of any type |
| `timestamp` | milliseconds since 1970 UTC; null where it cannot be read |
| `prediction_id` | as it is; only where the model's spec asks for ids |
| `target` | what was true; only where the mapping says where it lies |
| `features` | a struct: the features object of a nested event, what no other key names of a flat one; by dotted names |
| `prediction` | a struct of `score` and `label` |
| `probabilities` | a struct of a number a class; of a list, a class is its position |
| `segments` | a struct |

`features` and `prediction` are null where the event says nothing of them.

A first pass finds the keys and the types of their values; a key with values of several types is `MIXED`. What is no
event is left out, and reported by the reason for which it would be a reject.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from heapq import nlargest
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from detectors.columns import Column, Kind
from detectors.layout import Layout
from monitor.errors import InputError
from monitor.events.batch import Rejected
from monitor.events.frame import Frame
from monitor.events.json.forgiving import (
    UNSET,
    Refused,
    features_of,
    has_prediction,
    not_an_event,
    parse,
    prediction,
    refuse_envelope,
    resolve,
)
from monitor.events.json.texts import opened_texts
from monitor.events.mapping import MODEL, PROBABILITIES, SEGMENTS, TARGET, Mapping, is_origin
from monitor.events.mapping import path as path_of
from monitor.events.models import LABEL, SCORE, ModelSpec
from monitor.events.reasons import Reason
from monitor.events.serving.events import Envelopes
from monitor.events.values import MAX_TEXT, clean, number
from monitor.files.lines import MAX_LINE_BYTES, Lines, read_lines
from monitor.files.report import FileReport, rejected
from monitor.files.table import ROWS, FileColumn, Progress, reading, unwatched
from monitor.files.values import MIXED, mixed

_MAX_COLUMNS: Final = 10_000
_MOST_SHOWN: Final = 100

_STRUCTS: Final = ("features", "prediction", PROBABILITIES, SEGMENTS)
_MAX_CLASSES: Final = 1_000  # of one event; of more, the most probable
_INT64: Final = range(-(2**63), 2**63)
_NUMBERS: Final = {int, float}
_NULL: Final = type(None)

Event = dict[str, dict[str, Any] | None]
"""The leaves of one event, by struct; "" holds those at the top. None: the event says nothing of the struct."""

Key = tuple[str, ...]
"""A leaf of the table: `("model",)`, `("features", "distance")`."""


class JsonlTable:
    """A file of JSON lines as a `TableFile`; may be compressed with gzip, zstd or bzip2.

    Parameters
    ----------
    path
        The file.
    spec
        The model: its mapping and task say where things lie in an event. Its layout and dimensions do not matter.
    progress
        Of the first pass.
    lines
        Gives the file's lines; None: they are read from it.

    Raises
    ------
    InputError
        No such file, or it is corrupt.
    """

    def __init__(
        self, path: Path, spec: ModelSpec, *, progress: Progress = unwatched, lines: Lines | None = None
    ) -> None:
        self.path = path
        self._lines = lines or partial(read_lines, path)
        self.n_rows = 0
        self.report = FileReport()
        columns = (Column(name=SCORE, kind=Kind.NUMERIC), Column(name=LABEL, kind=Kind.CATEGORICAL))
        bare = ModelSpec(name=spec.name, layout=Layout(columns), task=spec.task, mapping=spec.mapping)
        self._frame = Frame(bare, "predictions")
        self._mapping = spec.mapping
        self._envelopes = None if spec.envelope is None else Envelopes([spec])
        self._paths = _Paths(spec.mapping, with_ids=spec.with_ids)
        found: dict[Key, set[type]] = {}
        order: tuple[str, ...] = ()
        self._no_objects = 0
        self._no_object = ""
        for events in self._events(progress, self.report.reject):
            self.n_rows += len(events)
            order = max((order, *(tuple(event["features"] or ()) for event in events)), key=_rank_of_order)
            for key, values in _columns(events).items():
                found.setdefault(key, set()).update(_kinds(values))
            if len(found) > _MAX_COLUMNS:
                hint = "keys that are data belong into values"
                raise InputError(f"{path} has more than {_MAX_COLUMNS:,} different keys", hint=hint)
        if self._no_objects:
            have = "event has" if self._no_objects == 1 else "events have"
            where = spec.mapping.features
            self.report.notes.append(
                f"{self._no_objects:,} {have} no object in {where}, of which no feature is read: {self._no_object}"
            )
        # Events may leave out what is null. The order of the columns is that of the event with most of them, whichever
        # comes first in the file; what it lacks follows by name.
        ranks = {name: rank for rank, name in enumerate(map(clean, order))}
        keys = sorted(found, key=lambda key: (ranks.get(key[-1], len(ranks)) if key[0] == "features" else -1, key))
        kinds = {key: found[key] for key in keys if _Opened not in found[key] or found[key] - {_Opened, _NULL}}
        self._types = {key: _arrow_type(own) for key, own in kinds.items()}
        self.columns = tuple(FileColumn(name=name, type=type_) for name, type_ in self._tree(list(self._types)).items())

    def iter_batches(
        self, columns: Sequence[str] | None = None, rows: int = ROWS, progress: Progress = unwatched
    ) -> Iterator[pa.RecordBatch]:
        """Read the file once; see `TableFile`."""
        wanted = [key for key in self._types if columns is None or key[0] in columns or ".".join(key) in columns]
        schema = pa.schema(list(self._tree(wanted).items()))
        for events in self._events(progress, lambda _: None):
            for start in range(0, len(events), rows):
                part = events[start : start + rows]
                with reading(self.path):
                    values = _columns(part)
                    leaves = {key: _array(values.get(key, [None] * len(part)), self._types[key]) for key in wanted}
                    arrays = [_assembled(leaves, field, part) for field in schema]
                    yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    def _tree(self, keys: Sequence[Key]) -> dict[str, pa.DataType]:
        top = {key[0]: self._types[key] for key in keys if len(key) == 1}
        for name in _STRUCTS:
            fields = [pa.field(key[1], self._types[key]) for key in keys if len(key) == 2 and key[0] == name]
            if fields:
                top[name] = pa.struct(fields)
        return top

    def _events(self, progress: Progress, reject: Callable[[Rejected], None]) -> Iterator[list[Event]]:
        for lines in self._lines(progress):
            events: list[Event] = []
            for line in lines:
                try:
                    if len(line) >= MAX_LINE_BYTES:
                        raise Refused(Reason.OVERSIZE, f"{len(line)} bytes and more")
                    value = parse(line)
                except Refused as refused:
                    reject(rejected(refused, line))
                    continue
                for one in value if isinstance(value, list) else (value,):
                    try:
                        found = (one,) if self._envelopes is None else self._envelopes.events(one, None)
                        events += [self._taken_apart(event) for event in found]
                    except Refused as refused:
                        reject(rejected(refused, line if one is value else json.dumps(one).encode()))
            yield events

    def _taken_apart(self, event: object) -> Event:
        if not isinstance(event, dict):
            raise not_an_event(event)
        event = opened_texts(event, self._frame.object_places)
        found = features_of(event, self._mapping, self._frame.reserved)
        if found.flat and found.spoken:
            self._no_objects += 1
            self._no_object = self._no_object or repr(resolve(event, self._paths.features))[:_MOST_SHOWN]
        features: dict[str, Any] | None = dict(found.opened.values) if found.spoken or found.opened.values else None
        if features is not None and found.opened.objects:
            features.update(dict.fromkeys(found.opened.objects, OPENED))
            for name in found.opened.hidden:
                features[name] = []  # no value: the column is left out, and said
        at = resolve(event, self._paths.timestamp)
        if at is UNSET:
            refuse_envelope(event, self._mapping.timestamp)
        version = resolve(event, self._paths.version)
        segments = event.get(SEGMENTS)
        placed = {name: resolve(event, place) for name, place in self._paths.segments.items()}
        if placed:
            there = {name: None if value is UNSET else value for name, value in placed.items()}
            segments = {**(segments if isinstance(segments, dict) else {}), **there}
        model = resolve(event, self._paths.model)
        top = {
            MODEL: None if model is UNSET else model,
            "version": None if version is UNSET else version,
            "timestamp": self._time(at),
        }
        for name, place in self._paths.further.items():
            value = resolve(event, place)
            top[name] = None if value is UNSET else value
        predicted, probabilities = self._prediction(event)
        return {
            "": top,
            "features": features,
            "prediction": predicted,
            PROBABILITIES: probabilities,
            SEGMENTS: segments if isinstance(segments, dict) else {},
        }

    def _time(self, value: object) -> int | None:
        found = self._frame.times.read(value)
        if found is None and not self.report.bad_time and value is not UNSET and value is not None:
            self.report.bad_time = self._frame.times.refusal(value, self._mapping.timestamp)
        return found

    def _prediction(self, event: dict[str, Any]) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        """Score and label: as they are where that is plain, which saves time, else as `prediction` finds them. And the
        probabilities of classes."""
        score: Any
        label: Any
        if self._paths.together:
            above = resolve(event, self._paths.score[:-1])
            if isinstance(above, dict):
                score, label = above.get(self._paths.score[-1]), above.get(self._paths.label[-1])
                plain = score is not None and label is not None and not isinstance(score, dict)
                if plain and PROBABILITIES not in above and PROBABILITIES not in event:
                    return {"score": score, "label": label}, None
        if not has_prediction(event, self._frame):
            return None, None
        probabilities: object = None
        plain = self._paths.together and above is UNSET and PROBABILITIES not in event
        if plain:
            score, label = self._paths.flat(event)
            plain = not isinstance(score, dict)
        if not plain:
            score, label, probabilities = prediction(event, self._frame)
        return {"score": None if score != score else score, "label": label}, _by_class(probabilities)


class _Opened:
    """Stands for an object whose features have been taken out of it: no column, or no number and no text in one."""


OPENED: Final = _Opened()


class _Invalid(dict[str, Any]):
    """Of what is no probabilities each class's own is invalid."""

    def get(self, _name: str, _default: object = None) -> object:
        """An invalid value."""
        return []


def _by_class(probabilities: object) -> dict[str, Any] | None:
    if probabilities is None:
        return None
    if isinstance(probabilities, list):
        probabilities = {str(place): value for place, value in enumerate(probabilities)}
    if not isinstance(probabilities, dict):
        return _Invalid()
    found = {name: value for name, value in probabilities.items() if 0 < len(name) <= MAX_TEXT}
    if len(found) > _MAX_CLASSES:
        found = dict(nlargest(_MAX_CLASSES, found.items(), key=lambda pair: (number(pair[1]) or 0.0, pair[0])))
    return found


class _Paths:
    """A mapping's paths, taken apart once."""

    def __init__(self, mapping: Mapping, *, with_ids: bool) -> None:
        self.further = {"prediction_id": path_of(mapping.prediction_id)} if with_ids else {}
        if mapping.target is not None:
            self.further[TARGET] = path_of(mapping.target)
        self.model = mapping.model_path or (MODEL,)
        self.segments = {name: path_of(place) for name, place in mapping.segments.items() if not is_origin(place)}
        self.features = path_of(mapping.features)
        self.version = path_of(mapping.version)
        self.timestamp = path_of(mapping.timestamp)
        self.score = path_of(mapping.score)
        self.label = path_of(mapping.label)
        self._flat_score, self._flat_label = mapping.flat_score, mapping.flat_label
        self.together = len(self.score) > 1 and self.score[:-1] == self.label[:-1]

    def flat(self, event: dict[str, Any]) -> tuple[Any, Any]:
        """What stands in for score and label at the top of an event."""
        score = None if self._flat_score is None else event.get(self._flat_score)
        return score, None if self._flat_label is None else event.get(self._flat_label)


def _rank_of_order(names: tuple[str, ...]) -> tuple[int, tuple[str, ...]]:
    return len(names), names


def _columns(events: Sequence[Event]) -> dict[Key, list[Any]]:
    """The values of every leaf that the events have."""
    columns: dict[Key, list[Any]] = {}
    for struct in ("", *_STRUCTS):
        parts = [own if (own := event[struct]) is not None else {} for event in events]
        for name in set[str]().union(*parts):
            key = (clean(name),) if struct == "" else (struct, clean(name))
            columns[key] = [part.get(name) for part in parts]
    return columns


def _kinds(values: Sequence[Any]) -> set[type]:
    """The Python types among the values; int stands for integers of 64 bits, float for all other numbers."""
    kinds = set(map(type, values))
    if int in kinds and not all(value in _INT64 for value in values if type(value) is int):
        kinds.add(float)
    return kinds


def _arrow_type(kinds: set[type]) -> pa.DataType:
    kinds = kinds - {_NULL}
    if not kinds:
        return pa.null()
    if kinds <= _NUMBERS:
        return pa.float64() if float in kinds else pa.int64()
    return pa.string() if kinds == {str} else pa.bool_() if kinds == {bool} else MIXED


def _array(values: list[Any], type_: pa.DataType) -> Any:
    """The values of one leaf as an array of its type."""
    if type_ == MIXED:
        return mixed(
            len(values),
            number=_array([value if type(value) in _NUMBERS else None for value in values], pa.float64()),
            boolean=pa.array([value if type(value) is bool else None for value in values], pa.bool_()),
            text=_array([value if type(value) is str else None for value in values], pa.string()),
            other=pa.array([True if _is_other(value) else None for value in values], pa.bool_()),
        )
    try:
        return pa.array(values, type_)
    except (pa.ArrowInvalid, OverflowError):  # integers that no float64 holds exactly
        return pa.array([None if value is None else number(value) for value in values], type_)
    except UnicodeEncodeError:  # lone surrogates
        return pa.array([None if value is None else clean(value) for value in values], type_)


def _is_other(value: object) -> bool:
    return not (value is None or type(value) in (int, float, bool, str))


def _assembled(leaves: dict[Key, Any], field: Any, events: Sequence[Event]) -> Any:
    """The column of a field of the schema."""
    if (field.name,) in leaves:
        return leaves[field.name,]
    inner = list(field.type)
    unspoken = pa.array([event[field.name] is None for event in events], pa.bool_())
    return pa.StructArray.from_arrays([leaves[field.name, part.name] for part in inner], fields=inner, mask=unspoken)
