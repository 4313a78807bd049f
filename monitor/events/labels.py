"""Labels: what was true of a prediction, some time later. JSON and Arrow to columns and rejects."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Final

import msgspec
import numpy as np

from detectors.columns import NULL
from monitor.events.arrow.arrays import categories, numbers
from monitor.events.arrow.decoder import ArrowDecoder
from monitor.events.arrow.ids import id_hashes
from monitor.events.arrow.lines import python_values, row_as_json
from monitor.events.arrow.places import mapped
from monitor.events.arrow.table import require_names
from monitor.events.arrow.times import milliseconds, no_time_of
from monitor.events.batch import Rejected
from monitor.events.decoder import Format, choose
from monitor.events.identity import hash_of
from monitor.events.json.forgiving import UNSET, Refused, bad_time, no_time, parse, resolve
from monitor.events.json.split import split
from monitor.events.label_batch import DecodedLabels, LabelRows
from monitor.events.label_mapping import LabelMapping
from monitor.events.label_models import LabelModels
from monitor.events.mapping import MODEL, path
from monitor.events.models import Limits, Task
from monitor.events.origin import Origins
from monitor.events.reasons import Reason
from monitor.events.times import TimeRule
from monitor.events.values import MAX_TEXT, category, clean, number

_CLASSES: Final = ("binary", "multiclass")
_DAYS_AHEAD_MS: Final = 86_400_000


class LabelSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What decoding must know of the labels of a model.

    Attributes
    ----------
    name: the model's.
    task: with "regression" a label is a number; with "binary" and "multiclass" a class, numbers spelled as categories
        are; with "none" a number stays one, and text or a boolean is a class.
    mapping: where things lie.
    times: how timestamps are read.
    max_ahead_ms: a timestamp later than now by more than this is rejected.
    untimed_ms: the time of all labels, whatever they say: of those that have none; None: each says its own.
    """

    name: str
    task: Task = "none"
    mapping: LabelMapping = LabelMapping()
    times: TimeRule = TimeRule(min_ms=0)
    max_ahead_ms: int = _DAYS_AHEAD_MS
    untimed_ms: int | None = None


class LabelDecoder:
    """Decodes label messages in mixed formats. A bad label is rejected alone.

    Parameters
    ----------
    specs
        of the models that have labels.
    n_models
        how many models there are: with one, events need not name it where `model` would.
    must_name
        whether they must in another place (`label_mapping.model`).
    """

    def __init__(
        self,
        specs: Iterable[LabelSpec],
        n_models: int,
        limits: Limits | None = None,
        configured: Format = "auto",
        *,
        must_name: bool = True,
    ) -> None:
        self._models = {spec.name: _Model(spec) for spec in specs}
        places = {name: model.spec.mapping.model for name, model in self._models.items()}
        self._names = LabelModels(places, n_models, must_name=must_name)
        self._limits = limits or Limits()
        self._configured = configured
        self._arrow = ArrowDecoder([], self._limits)

    def decode(
        self,
        messages: Sequence[bytes | None],
        content_types: Sequence[bytes | str | None] | None,
        now_ms: int,
        origins: Origins | None = None,
    ) -> DecodedLabels:
        """Decode messages with their content-type headers (None: none of them has one), and where they came from."""
        rows: dict[str, LabelRows] = {}
        rejects: list[Rejected] = []
        n_events = 0
        types = (None,) * len(messages) if content_types is None else content_types
        for place, (message, content_type) in enumerate(zip(messages, types, strict=True)):
            raw = message or b""
            try:
                told = self._names.told(place, origins)
                if choose(content_type, self._configured, message) == "arrow":
                    n_events += self._arrow_message(raw, place, now_ms, rows, rejects, told, origins)
                    continue
                events = self._events(raw)
            except Refused as refused:
                rejects.append(_reject(place, 0, refused, raw))
                n_events += 1
                continue
            n_events += len(events)
            for index, event in enumerate(events):
                try:
                    self._event(parse(event), place, now_ms, rows, told, origins)
                except Refused as refused:
                    rejects.append(_reject(place, index, refused, event))
        batches = [rows[name].batch(name) for name in self._models if name in rows and rows[name].times]
        return DecodedLabels(batches=batches, rejects=rejects, n_events=n_events)

    def decode_table(self, batch: Any, now_ms: int) -> DecodedLabels:
        """Decode the rows of a record batch of a file; all are of message 0."""
        rows: dict[str, LabelRows] = {}
        rejects: list[Rejected] = []
        self._table(batch, 0, 0, now_ms, rows, rejects)
        batches = [rows[name].batch(name) for name in self._models if name in rows]
        return DecodedLabels(batches=batches, rejects=rejects, n_events=batch.num_rows)

    def _events(self, raw: bytes) -> Sequence[bytes]:
        if len(raw) > self._limits.max_message_bytes:
            raise Refused(Reason.OVERSIZE, f"{len(raw)} bytes; at most {self._limits.max_message_bytes}")
        if raw.startswith(b"{") and b"\n" not in raw:
            return (raw,)
        return split(raw, self._limits.max_events_a_message)

    def _event(
        self,
        event: object,
        place: int,
        now_ms: int,
        rows: dict[str, LabelRows],
        told: str | None,
        origins: Origins | None,
    ) -> None:
        if not isinstance(event, dict):
            raise Refused(Reason.SCHEMA, "a label is an object")
        name = told or self._names.named(partial(resolve, event), origins)
        model = self._models[name]
        spec = model.spec
        identity = resolve(event, model.id)
        if identity is UNSET or identity is None or not isinstance(identity, str | int) or isinstance(identity, bool):
            raise Refused(Reason.MISSING_ID, f"{spec.mapping.id} is no text and no integer", spec.name)
        at = spec.untimed_ms if spec.untimed_ms is not None else resolve(event, model.timestamp)
        time_ms = spec.untimed_ms if spec.untimed_ms is not None else spec.times.read(at)
        if time_ms is None:
            raise no_time(at, spec.mapping.timestamp, spec.times, spec.name)
        _check_time(time_ms, now_ms, spec)
        label = _label(resolve(event, model.label), spec)
        value = _value(resolve(event, model.value), spec)
        hashed = hash_of(spec.name, clean(str(identity)))
        rows.setdefault(spec.name, LabelRows()).add(place, hashed, time_ms, label, value)

    def _arrow_message(
        self,
        raw: bytes,
        place: int,
        now_ms: int,
        rows: dict[str, LabelRows],
        rejects: list[Rejected],
        told: str | None,
        origins: Origins | None,
    ) -> int:
        """Read all rows of an Arrow message; how many there are."""
        first = 0
        batches = self._arrow.batches(raw)
        for batch in batches:
            require_names(batch.schema)
        for batch in batches:
            self._table(batch, place, first, now_ms, rows, rejects, told, origins)
            first += batch.num_rows
        return first

    def _table(
        self,
        batch: Any,
        place: int,
        first: int,
        now_ms: int,
        rows: dict[str, LabelRows],
        rejects: list[Rejected],
        told: str | None = None,
        origins: Origins | None = None,
    ) -> None:
        for index, read in enumerate(self._arrow_rows(batch, now_ms, told, origins)):
            if isinstance(read, Refused):
                raw = row_as_json(batch, index)
                rejects.append(_reject(place, first + index, read, raw))
            else:
                name, *row = read
                rows.setdefault(name, LabelRows()).add(place, *row)

    def _arrow_rows(self, batch: Any, now_ms: int, told: str | None, origins: Origins | None) -> Iterable[Any]:
        """Each row: model, hash, time, label and value; or why it is none."""
        n = batch.num_rows
        names = {} if told else {place: _names_at(batch, place) for place in self._names.paths}
        columns: dict[str, tuple[Any, ...]] = {}
        for row in range(n):
            try:
                own = {place: said[row] for place, said in names.items()}
                model = self._models[told or self._names.named(own.get, origins)]
                spec = model.spec
                if spec.name not in columns:
                    columns[spec.name] = model.columns(batch)
                ids, times, labels, values = columns[spec.name]
                if not ids[row].any():
                    raise Refused(Reason.MISSING_ID, f"{spec.mapping.id} is no text and no integer", spec.name)
                if times[row] < 0:
                    where = spec.mapping.timestamp
                    raise no_time_of(batch, row, mapped(batch.schema, where), where, spec.times, spec.name)
                _check_time(int(times[row]), now_ms, spec)
                label, value = _label(labels[row], spec), float(values[row])
                if np.isinf(value):
                    raise Refused(Reason.SCHEMA, f"{spec.mapping.value} is no number", spec.name)
                yield spec.name, tuple(ids[row].tolist()), int(times[row]), label, value
            except Refused as refused:
                yield refused


def _names_at(batch: Any, steps: tuple[str, ...]) -> Sequence[object]:
    """(n,) what the rows name as their model at a path; where there is no such column, what the schema says."""
    place = mapped(batch.schema, ".".join(steps))
    if place is not None:
        return list(categories(place.of(batch)))
    said = (batch.schema.metadata or {}).get(MODEL.encode()) if steps == (MODEL,) else None
    return [None if said is None else said.decode(errors="replace")] * batch.num_rows


class _Model:
    """A model's labels, and its paths."""

    def __init__(self, spec: LabelSpec) -> None:
        self.spec = spec
        self.id, self.timestamp = path(spec.mapping.id), path(spec.mapping.timestamp)
        self.label, self.value = path(spec.mapping.label), path(spec.mapping.value)

    def columns(self, batch: Any) -> tuple[Any, ...]:
        """Hashes, times, labels as Python has them, and values of all rows of a record batch."""
        n, mapping = batch.num_rows, self.spec.mapping
        ids, times, labels, values = (
            mapped(batch.schema, name) for name in (mapping.id, mapping.timestamp, mapping.label, mapping.value)
        )
        return (
            np.zeros((n, 2), dtype=np.uint64) if ids is None else id_hashes(ids.of(batch), self.spec.name),
            self._times(times, batch),
            [None] * n if labels is None else python_values(labels.of(batch)),
            np.full(n, NULL) if values is None else numbers(values.of(batch)),
        )

    def _times(self, place: Any, batch: Any) -> Any:
        if self.spec.untimed_ms is not None:
            return np.full(batch.num_rows, self.spec.untimed_ms)
        return np.full(batch.num_rows, -1) if place is None else milliseconds(place.of(batch), self.spec.times)


def _check_time(time_ms: int, now_ms: int, spec: LabelSpec) -> None:
    if time_ms > now_ms + spec.max_ahead_ms:
        raise bad_time(time_ms, now_ms, spec.name)


def _label(label: object, spec: LabelSpec) -> float | str:
    """A number or a class, as the task wants."""
    where = spec.mapping.label
    if label is UNSET or label is None:
        raise Refused(Reason.SCHEMA, f"no {where}", spec.name)
    is_number = isinstance(label, int | float) and not isinstance(label, bool)
    if spec.task == "regression" or (spec.task == "none" and is_number):
        found = number(label)
        if isinstance(label, bool) or not np.isfinite(found):
            raise Refused(Reason.SCHEMA, f"{where} is no finite number", spec.name)
        return found
    text = category(label)
    if not isinstance(text, str) or len(text) > MAX_TEXT:
        raise Refused(Reason.SCHEMA, f"{where} is no class", spec.name)
    return text


def _value(value: object, spec: LabelSpec) -> float:
    if value is UNSET or value is None:
        return NULL
    found = number(value)
    if not np.isfinite(found):
        raise Refused(Reason.SCHEMA, f"{spec.mapping.value} is no finite number", spec.name)
    return found


def _reject(message: int, index: int, refused: Refused, raw: bytes) -> Rejected:
    return Rejected(
        message=message, index=index, reason=refused.reason, detail=refused.detail, model=refused.model, raw=raw
    )
