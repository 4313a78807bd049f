"""JSON: one event a message, an array, or NDJSON.

Most events take the compiled scan, all of a batch in one pass. What it leaves is divided into events where a message
holds several, scanned again, and at last takes the forgiving path alone: its neighbours lose nothing. Both paths give
the same columns; which one an event takes, and so what was decoded before, changes nothing but time.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from detectors.arrays import Ints
from monitor.events.batch import Decoded, Rejected
from monitor.events.frame import Frame
from monitor.events.json.enveloped import Unwrapper
from monitor.events.json.forgiving import Forgiving, Refused, bad_time, parse
from monitor.events.json.scanner import Scanner
from monitor.events.json.split import split
from monitor.events.looked import rows_to_look_at
from monitor.events.models import Limits, ModelSpec, Role
from monitor.events.origin import Origins
from monitor.events.outcome import Outcome
from monitor.events.parts import Part, Row, rows_part
from monitor.events.reasons import Reason

CHUNK: Final = 65_536
"""Messages decoded at a time, and events of those that hold several: more than a micro-batch has by default.

8 MB of small events that all take the forgiving path would be half a gigabyte of Python objects.
"""


class OtherFormat(Exception):  # noqa: N818 - an answer, not a fault
    """Some messages are of another format: nothing was decoded."""


class JsonDecoder:
    """Decodes JSON messages of the configured models. Not for several threads at once: it learns how they look.

    Parameters
    ----------
    models
        every configured model; names are unique.
    limits
        bounds of a message.
    forgiving_only
        take the forgiving path for every event. For tests, which compare the two.
    """

    def __init__(
        self, models: Sequence[ModelSpec], limits: Limits | None = None, *, forgiving_only: bool = False
    ) -> None:
        if len({model.name for model in models}) != len(models):
            raise ValueError("two models have one name")
        self._models = tuple(models)
        self._limits = limits or Limits()
        self._scanned = not forgiving_only
        self._roles: dict[Role, _RoleDecoder] = {}
        self._unlimited: dict[Role, _RoleDecoder] = {}
        enveloped = any(model.envelope is not None for model in models)
        self._unwrapper = Unwrapper(models, self._limits) if enveloped else None

    def decode(
        self,
        messages: Sequence[bytes | None],
        role: Role,
        now_ms: int,
        *,
        other: Callable[[bytes], bool] | None = None,
        origins: Origins | None = None,
    ) -> Decoded:
        """Decode messages; see `Decoder`. `origins`: where they came from, if they did not come from a file.

        Raises
        ------
        OtherFormat
            there is a message that `other` says is no JSON. It is asked about those that the scan leaves alone.
        """
        decoder = self._roles.get(role)
        if decoder is None:
            decoder = self._roles[role] = _RoleDecoder(self._models, self._limits, role, scanned=self._scanned)
        if self._unwrapper is None:
            return decoder.decode(messages, now_ms, other)
        if other is not None and any(other(message or b"") for message in messages):
            raise OtherFormat
        taken = self._unwrapper.take(messages, origins)
        return taken.placed(decoder.decode(taken.events, now_ms, None))

    def add(self, message: bytes, index: int, role: Role, now_ms: int, outcome: Outcome) -> None:
        """Decode one message of this index, of any size, into an outcome of the same models."""
        decoder = self._unlimited.get(role)
        if decoder is None:
            limits = Limits(max_message_bytes=sys.maxsize, max_events_a_message=sys.maxsize)
            decoder = self._unlimited[role] = _RoleDecoder(self._models, limits, role, scanned=self._scanned)
        decoder.add(message, index, now_ms, outcome)


@dataclass(frozen=True, kw_only=True)
class _Events:
    """Some events of a chunk, in order.

    Attributes
    ----------
    raws
        their bytes.
    messages, indices
        (n,) where each came from: its message in the input, and its position in that.
    positions
        (n,) its place among all events of the input.
    """

    raws: Sequence[bytes | None]
    messages: Ints
    indices: Ints
    positions: Ints

    def at(self, place: int, refused: Refused) -> Rejected:
        """The dead letter of one event."""
        return Rejected(
            message=int(self.messages[place]),
            index=int(self.indices[place]),
            reason=refused.reason,
            detail=refused.detail,
            model=refused.model,
            raw=self.raws[place] or b"",
            time_ms=refused.time_ms,
            foreign=refused.foreign,
        )

    def only(self, places: Ints) -> "_Events":
        """Those at some places."""
        return _Events(
            raws=[self.raws[place] for place in places.tolist()],
            messages=self.messages[places],
            indices=self.indices[places],
            positions=self.positions[places],
        )


class _RoleDecoder:
    def __init__(self, models: Sequence[ModelSpec], limits: Limits, role: Role, *, scanned: bool) -> None:
        self._limits = limits
        self._frames = {model.name: Frame(model, role) for model in models}
        self._forgiving = Forgiving(self._frames, role)
        self._scanner = Scanner(self._frames) if scanned else None

    def decode(self, messages: Sequence[bytes | None], now_ms: int, other: Callable[[bytes], bool] | None) -> Decoded:
        outcome = Outcome()
        for start in range(0, len(messages), CHUNK):
            self._decode(messages[start : start + CHUNK], start, now_ms, outcome, other)
        return outcome.decoded(self._frames)

    def add(self, message: bytes, index: int, now_ms: int, outcome: Outcome) -> None:
        """Decode one message of this index into the outcome."""
        self._decode([message], index, now_ms, outcome, None)

    def _decode(
        self,
        chunk: Sequence[bytes | None],
        start: int,
        now_ms: int,
        outcome: Outcome,
        other: Callable[[bytes], bool] | None,
    ) -> None:
        n = len(chunk)
        parts, left = self._take(chunk)
        if other is not None and any(other(chunk[place] or b"") for place in left.tolist()):
            raise OtherFormat
        divided: list[Sequence[bytes] | Refused] = [self._divide(chunk[place] or b"") for place in left.tolist()]
        counts = np.ones(n, dtype=np.int64)
        counts[left] = [1 if isinstance(one, Refused) else len(one) for one in divided]
        messages = np.arange(start, start + n)
        first = outcome.events(np.repeat(messages, counts))
        positions = first + np.cumsum(counts) - counts
        single = _Events(raws=chunk, messages=messages, indices=np.zeros(n, dtype=np.int64), positions=positions)
        self._add(parts, single, now_ms, outcome)
        refused = [place for place, one in enumerate(divided) if isinstance(one, Refused)]
        outcome.rejects += [single.at(int(left[place]), divided[place]) for place in refused]  # type: ignore[arg-type]  # those that are
        several = [(place, one) for place, one in zip(left.tolist(), divided, strict=True) if isinstance(one, list)]
        if not several:
            return
        owners = np.repeat([place for place, _ in several], [len(one) for _, one in several])
        indices = np.concatenate([np.arange(len(one)) for _, one in several])
        events = _Events(
            raws=[raw for _, one in several for raw in one],
            messages=messages[owners],
            indices=indices,
            positions=positions[owners] + indices,
        )
        for begin in range(0, owners.size, CHUNK):
            some = events.only(np.arange(begin, min(begin + CHUNK, owners.size)))
            # A message that is one event has been scanned already; to tell it apart would cost more than a second look.
            parts, rest = self._take(some.raws)
            self._add(parts, some, now_ms, outcome)
            self._forgive(some.only(rest), now_ms, outcome)

    def _take(self, raws: Sequence[bytes | None]) -> tuple[list[tuple[str, Part]], Ints]:
        """What the scan takes, and the places of the others."""
        if self._scanner is None:
            return [], np.arange(len(raws))
        return self._scanner.take(raws, self._limits.max_message_bytes)

    def _divide(self, message: bytes) -> Sequence[bytes] | Refused:
        """The events of a message, or why the whole of it is one bad event."""
        if len(message) > self._limits.max_message_bytes:
            return Refused(Reason.OVERSIZE, f"{len(message)} bytes; at most {self._limits.max_message_bytes}")
        try:
            return split(message, self._limits.max_events_a_message)
        except Refused as refused:
            return refused

    def _forgive(self, events: _Events, now_ms: int, outcome: Outcome) -> None:
        """Decode events one by one."""
        rows: dict[str, list[tuple[int, Row]]] = {}
        for place, raw in enumerate(events.raws):
            try:
                name, row = self._forgiving.row(parse(raw or b""))
            except Refused as refused:
                outcome.rejects.append(events.at(place, refused))
            else:
                rows.setdefault(name, []).append((place, row))
        parts = [
            (name, rows_part(self._frames[name], [row for _, row in own], np.array([place for place, _ in own])))
            for name, own in rows.items()
        ]
        self._add(parts, events, now_ms, outcome)

    def _look(self, name: str, part: Part, events: _Events, outcome: Outcome) -> None:
        """Note what some rows of a part, whose positions are places among the events, have that nothing reads."""
        looked = outcome.looked_of(name)
        for row in rows_to_look_at(part.timestamps_ms, part.numeric).tolist():
            raw = events.raws[int(part.positions[row])] or b""
            looked.add(int(part.timestamps_ms[row]), self._forgiving.unknown(name, parse(raw)))

    def _add(self, parts: Sequence[tuple[str, Part]], events: _Events, now_ms: int, outcome: Outcome) -> None:
        """Take parts whose positions are places among the events; what is dated too far ahead is a reject."""
        for name, part in parts:
            late = part.timestamps_ms > now_ms + self._frames[name].spec.max_ahead_ms
            if late.any():
                for row in np.flatnonzero(late).tolist():
                    refused = bad_time(int(part.timestamps_ms[row]), now_ms, name)
                    outcome.rejects.append(events.at(int(part.positions[row]), refused))
                part = part.take(np.flatnonzero(~late))
            self._look(name, part, events, outcome)
            part.positions = events.positions[part.positions]
            outcome.add(name, part)
