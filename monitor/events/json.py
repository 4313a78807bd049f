"""JSON: one event a message, an array, or NDJSON.

Most events take the compiled path: typed structs by msgspec, columns by `unpack`. An event that msgspec refuses is
tried in the other shapes that have been seen, and then takes the forgiving path alone: its neighbours lose nothing.
Both paths give the same columns; which one an event takes, and so what was decoded before, changes nothing but time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any, Final

import numpy as np

from monitor.events.batch import Decoded, Rejected
from monitor.events.forgiving import Forgiving, Refused, bad_time, parse
from monitor.events.frame import Frame
from monitor.events.models import Limits, ModelSpec, Role
from monitor.events.outcome import Outcome
from monitor.events.parts import read, writable
from monitor.events.reasons import Reason
from monitor.events.shapes import Plan
from monitor.events.split import elements, is_array, split
from monitor.events.typed import Typed

CHUNK: Final = 512
"""Messages decoded at a time: their structs stay in the second-level cache until they are columns."""


class JsonDecoder:
    """Decodes JSON messages of the configured models. Not for several threads at once: it learns the events' shapes.

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
        self._typed = not forgiving_only
        self._roles: dict[Role, _RoleDecoder] = {}

    def decode(self, messages: Sequence[bytes | None], role: Role, now_ms: int) -> Decoded:
        """Decode messages; see `Decoder`."""
        decoder = self._roles.get(role)
        if decoder is None:
            decoder = self._roles[role] = _RoleDecoder(self._models, self._limits, role, typed=self._typed)
        return decoder.decode(messages, now_ms)


@dataclass(kw_only=True)
class _Events:
    """The events of a chunk, in order.

    Attributes
    ----------
    found
        a struct, or why there is none.
    messages, indices
        where each came from.
    raws
        its bytes; for the elements of an array that was decoded in one go, those of the array.
    """

    found: list[Any] = field(default_factory=list)
    messages: Sequence[int] = ()
    indices: Sequence[int] = ()
    raws: Sequence[bytes] = ()
    _divided: dict[int, list[bytes]] = field(default_factory=dict)

    def raw(self, position: int) -> bytes:
        """The bytes of an event that has been decoded."""
        raw = self.raws[position]
        if not is_array(raw):
            return raw
        message = self.messages[position]
        if message not in self._divided:
            self._divided[message] = elements(raw)
        return self._divided[message][self.indices[position]]

    def rejected(self, position: int, refused: Refused, raw: bytes) -> Rejected:
        """The dead letter of one event."""
        return Rejected(
            message=self.messages[position],
            index=self.indices[position],
            reason=refused.reason,
            detail=refused.detail,
            model=refused.model,
            raw=raw,
        )


class _RoleDecoder:
    def __init__(self, models: Sequence[ModelSpec], limits: Limits, role: Role, *, typed: bool) -> None:
        self._limits = limits
        self._frames = {model.name: Frame(model, role) for model in models}
        self._forgiving = Forgiving(self._frames, role)
        self._typed = Typed(self._frames, enabled=typed)

    def decode(self, messages: Sequence[bytes | None], now_ms: int) -> Decoded:
        outcome = Outcome()
        for start in range(0, len(messages), CHUNK):
            self._place(self._events(messages[start : start + CHUNK], start), now_ms, outcome)
        return outcome.decoded(self._frames)

    def _events(self, chunk: Sequence[Any], start: int) -> _Events:
        try:
            suspects = self._suspects(chunk)
        except TypeError:
            chunk = [message or b"" for message in chunk]  # a tombstone: no bytes
            suspects = self._suspects(chunk)
        decoded, n_failed = self._typed.decode_all(chunk, suspects)
        n = len(chunk)
        if not n_failed:
            return _Events(found=decoded, messages=range(start, start + n), indices=(0,) * n, raws=chunk)
        found: list[Any] = []
        messages: list[int] = []
        indices: list[int] = []
        raws: list[bytes] = []
        for position, message in enumerate(chunk):
            own: Sequence[Any] = [decoded[position]]
            own_raws: Sequence[bytes] = [message]
            if own[0] is None:
                try:
                    own, own_raws = self._divide(message, suspect=position in suspects)
                except Refused as refused:
                    own = [refused]
            found += own
            raws += own_raws
            messages += repeat(start + position, len(own))
            indices += range(len(own))
        events = _Events(found=found, messages=messages, indices=indices, raws=raws)
        self._fill(events)
        return events

    def _suspects(self, chunk: Sequence[bytes]) -> frozenset[int]:
        """Messages too large, or not UTF-8: msgspec does not look inside the strings that it skips."""
        limit = self._limits.max_message_bytes
        joined = b"\n".join(chunk)
        if len(joined) <= limit and _is_utf8(joined):
            return frozenset()
        return frozenset(i for i, message in enumerate(chunk) if len(message) > limit or not _is_utf8(message))

    def _divide(self, message: bytes, *, suspect: bool) -> tuple[Sequence[Any], Sequence[bytes]]:
        """The events of a message that is not one event of the usual shape: structs, or None where one is still to do.

        Raises
        ------
        Refused
            the whole message is one bad event.
        """
        if len(message) > self._limits.max_message_bytes:
            raise Refused(Reason.OVERSIZE, f"{len(message)} bytes; at most {self._limits.max_message_bytes}")
        whole = self._typed.decode_array(message) if is_array(message) and not suspect else None
        raws = split(message) if whole is None else [message] * len(whole)
        if len(raws) > self._limits.max_events_a_message:
            raise Refused(Reason.OVERSIZE, f"{len(raws)} events; at most {self._limits.max_events_a_message}")
        return [None] * len(raws) if whole is None else whole, raws

    def _fill(self, events: _Events) -> None:
        """Decode what is still to do: in the shapes seen so far, then one by one, a new shape on all the rest."""
        left = [position for position, struct in enumerate(events.found) if struct is None]
        unfit = [position for position in left if not _is_utf8(events.raws[position])]
        fit = self._typed.decode_some(0, events.found, events.raws, sorted(set(left).difference(unfit)))
        while fit:
            position = fit.pop()
            rank = self._forgive(events, position, events.raws[position])
            if rank is not None:
                fit = self._typed.decode_some(rank, events.found, events.raws, fit)
        for position in unfit:
            self._forgive(events, position, events.raws[position])

    def _forgive(self, events: _Events, position: int, raw: bytes) -> int | None:
        """Decode one event by the forgiving path; the rank of a new shape that was learnt from it."""
        try:
            plan, events.found[position], shape = self._forgiving.row(parse(raw))
        except Refused as refused:
            events.found[position] = refused
            return None
        return self._typed.learn(plan.frame.spec.name, shape)

    def _place(self, events: _Events, now_ms: int, outcome: Outcome) -> None:
        """Turn structs into parts and refusals into rejects."""
        base = outcome.events(events.messages)
        groups: dict[type, list[int] | range] = {}
        if len(set(map(type, events.found))) == 1:
            groups[type(events.found[0])] = range(len(events.found))
        else:
            for position, struct in enumerate(events.found):
                groups.setdefault(type(struct), []).append(position)  # type: ignore[union-attr]  # lists, all of them
        seen = {}
        for kind, positions in groups.items():
            if kind is Refused:
                outcome.rejects += [events.rejected(at, events.found[at], events.raws[at]) for at in positions]
                continue
            if kind in self._typed.plans:
                plan, name, shape = self._typed.plans[kind]
                seen[name, shape] = len(positions)
            else:
                plan = self._forgiving.plan(kind)
            self._read(plan, events, positions, base, now_ms, outcome)
        self._typed.promote(seen)

    def _read(
        self, plan: Plan, events: _Events, positions: Sequence[int], base: int, now_ms: int, outcome: Outcome
    ) -> None:
        structs = events.found if len(positions) == len(events.found) else [events.found[at] for at in positions]
        try:
            part = read(plan, structs, np.array(positions, dtype=np.int64) + base)
        except OverflowError:
            unwritable = [at for at in positions if not writable(events.found[at])]
            for at in unwritable:
                outcome.rejects.append(events.rejected(at, self._why(plan, events.raw(at)), events.raw(at)))
            positions = sorted(set(positions).difference(unwritable))
            if positions:
                self._read(plan, events, positions, base, now_ms, outcome)
            return
        name = plan.frame.spec.name
        latest = now_ms + plan.frame.spec.max_ahead_ms
        bad = (part.timestamps_ms < 0) | (part.timestamps_ms > latest)
        if bad.any():
            for row in np.flatnonzero(bad).tolist():
                refused = bad_time(int(part.timestamps_ms[row]), now_ms, name)
                outcome.rejects.append(events.rejected(positions[row], refused, events.raw(positions[row])))
            part = part.take(np.flatnonzero(~bad))
        outcome.add(name, part)

    def _why(self, plan: Plan, raw: bytes) -> Refused:
        """What the forgiving path says of an event whose time cannot be written."""
        try:
            self._forgiving.row(parse(raw))
        except Refused as refused:
            return refused
        return Refused(Reason.BAD_TIMESTAMP, "a time outside the years 1 to 9999 in UTC", plan.frame.spec.name)


def _is_utf8(raw: bytes) -> bool:
    if raw.isascii():
        return True
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
