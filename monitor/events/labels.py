"""Labels: what was true of a prediction, some time later. JSON and Arrow to columns and rejects."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import numpy as np

from detectors.columns import NULL
from monitor.events.arrow.arrays import categories, numbers
from monitor.events.arrow.decoder import ArrowDecoder
from monitor.events.arrow.ids import id_hashes
from monitor.events.arrow.places import mapped
from monitor.events.arrow.times import milliseconds, no_time_of
from monitor.events.batch import Rejected
from monitor.events.decoder import Format, choose
from monitor.events.identity import hash_of
from monitor.events.json.forgiving import UNSET, Refused, bad_time, no_time, parse, resolve
from monitor.events.json.split import split
from monitor.events.label_batch import DecodedLabels, LabelBatch
from monitor.events.label_mapping import LabelMapping
from monitor.events.mapping import MODEL, path
from monitor.events.models import Limits, Task
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


@dataclass(kw_only=True)
class _Rows:
    """Labels of a model in the making, row by row."""

    classes: dict[str, int] = field(default_factory=dict)
    ids: list[tuple[int, int]] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    numbers: list[float] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    sources: list[int] = field(default_factory=list)

    def add(self, source: int, identity: tuple[int, int], time_ms: int, label: float | str, value: float) -> None:
        is_class = isinstance(label, str)
        self.ids.append(identity)
        self.times.append(time_ms)
        self.numbers.append(NULL if is_class else float(label))
        self.codes.append(self.classes.setdefault(label, len(self.classes)) if isinstance(label, str) else -1)
        self.values.append(value)
        self.sources.append(source)

    def batch(self, model: str) -> LabelBatch:
        return LabelBatch(
            model=model,
            ids=np.array(self.ids, dtype=np.uint64).reshape(-1, 2),
            timestamps_ms=np.array(self.times, dtype=np.int64),
            numbers=np.array(self.numbers, dtype=np.float64),
            class_codes=np.array(self.codes, dtype=np.int32),
            classes=tuple(self.classes),
            values=np.array(self.values, dtype=np.float64),
            sources=np.array(self.sources, dtype=np.int32),
        )


class LabelDecoder:
    """Decodes label messages in mixed formats. A bad label is rejected alone.

    Parameters
    ----------
    specs
        of the models that have labels.
    n_models
        how many models there are: with one, events need not name it.
    """

    def __init__(
        self, specs: Iterable[LabelSpec], n_models: int, limits: Limits | None = None, configured: Format = "auto"
    ) -> None:
        self._models = {spec.name: _Model(spec) for spec in specs}
        self._only = next(iter(self._models.values())) if n_models == 1 and self._models else None
        self._limits = limits or Limits()
        self._configured = configured
        self._arrow = ArrowDecoder([], self._limits)

    def decode(
        self,
        messages: Sequence[bytes | None],
        content_types: Sequence[bytes | str | None] | None,
        now_ms: int,
    ) -> DecodedLabels:
        """Decode messages with their content-type headers (None: none of them has one)."""
        rows: dict[str, _Rows] = {}
        rejects: list[Rejected] = []
        n_events = 0
        types = (None,) * len(messages) if content_types is None else content_types
        for place, (message, content_type) in enumerate(zip(messages, types, strict=True)):
            raw = message or b""
            try:
                if choose(content_type, self._configured, message) == "arrow":
                    n_events += self._arrow_message(raw, place, now_ms, rows, rejects)
                    continue
                events = self._events(raw)
            except Refused as refused:
                rejects.append(_reject(place, 0, refused, raw))
                n_events += 1
                continue
            n_events += len(events)
            for index, event in enumerate(events):
                try:
                    self._event(parse(event), place, now_ms, rows)
                except Refused as refused:
                    rejects.append(_reject(place, index, refused, event))
        batches = [rows[name].batch(name) for name in self._models if name in rows and rows[name].times]
        return DecodedLabels(batches=batches, rejects=rejects, n_events=n_events)

    def decode_table(self, batch: Any, now_ms: int) -> DecodedLabels:
        """Decode the rows of a record batch of a file; all are of message 0."""
        rows: dict[str, _Rows] = {}
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

    def _model(self, name: object) -> "_Model":
        if name is UNSET or name is None:
            if self._only is None:
                raise Refused(Reason.UNKNOWN_MODEL, "the label names no model, and several are configured")
            return self._only
        found = self._models.get(name) if isinstance(name, str) else None
        if found is None:
            raise Refused(Reason.UNKNOWN_MODEL, f"model {str(name)[:80]!r} is not configured with a label_horizon")
        return found

    def _event(self, event: object, place: int, now_ms: int, rows: dict[str, _Rows]) -> None:
        if not isinstance(event, dict):
            raise Refused(Reason.SCHEMA, "a label is an object")
        model = self._model(event.get(MODEL))
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
        rows.setdefault(spec.name, _Rows()).add(place, hashed, time_ms, label, value)

    def _arrow_message(
        self, raw: bytes, place: int, now_ms: int, rows: dict[str, _Rows], rejects: list[Rejected]
    ) -> int:
        """Read all rows of an Arrow message; how many there are."""
        first = 0
        for batch in self._arrow.batches(raw):
            self._table(batch, place, first, now_ms, rows, rejects)
            first += batch.num_rows
        return first

    def _table(
        self, batch: Any, place: int, first: int, now_ms: int, rows: dict[str, _Rows], rejects: list[Rejected]
    ) -> None:
        for index, read in enumerate(self._arrow_rows(batch, now_ms)):
            if isinstance(read, Refused):
                told = msgspec.json.encode(batch.slice(index, 1).to_pylist()[0], enc_hook=str)
                rejects.append(_reject(place, first + index, read, told))
            else:
                name, *row = read
                rows.setdefault(name, _Rows()).add(place, *row)

    def _arrow_rows(self, batch: Any, now_ms: int) -> Iterable[Any]:
        """Each row: model, hash, time, label and value; or why it is none."""
        n = batch.num_rows
        place = mapped(batch.schema, MODEL)
        names = [None] * n if place is None else categories(place.of(batch))
        told = (batch.schema.metadata or {}).get(MODEL.encode())
        if place is None and told is not None:
            names = [told.decode(errors="replace")] * n
        columns: dict[str, tuple[Any, ...]] = {}
        for row in range(n):
            try:
                model = self._model(names[row])
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
            [None] * n if labels is None else labels.of(batch).to_pylist(),
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
