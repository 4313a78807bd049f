"""A model's share of one message, or of those that waited for a reference. Pure.

Sketches lie on the grid of a reference, and nothing can be added or compared without it. While its file is missing the
model's deltas are kept as they came, each message's under a key of its own, and the model's watermark waits; the other
models of the partition go on. Once the file is there they are taken up in order, each with the watermark that it would
have met, so that the results are those of a model that never waited: what is late, too.

Messages that bring clocks alone are not kept. Nothing of the model comes in between, so that to pass several watermarks
at once closes the same windows over the same panes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from monitor.evaluation.overlay import Overlay, Write
from monitor.evaluation.results import Source
from monitor.evaluation.state import KeyValue, Parked, ParkedShare, Seal, pack, parked_key, read
from monitor.evaluation.turn import MissingReference, Turn
from monitor.evaluation.watched import Watched
from monitor.eventtime.watermark import advanced
from monitor.sketching.messages import Delta

MAX_SHARES: Final = 32
"""Kept shares that are taken up with one message: what follows from them is one transaction."""


@dataclass(slots=True, kw_only=True)
class Progress:
    """What a message leads to for one model: `turns` in order, the changes of state, and where it then stands."""

    watermark_ms: int | None
    parked: Parked | None
    turns: list[Turn] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)


def progress(
    model: Watched, state: KeyValue, source: Source, seal: Seal, deltas: Sequence[Delta], low_ms: int | None
) -> Progress:
    """Take up what waits, then the deltas of the message at `source`; keep what must wait.

    Parameters
    ----------
    seal
        As it was before the message.
    low_ms
        The smallest clock after it.
    """
    overlay = Overlay(state)
    now = Progress(watermark_ms=seal.watermarks_ms.get(model.name), parked=seal.parked.get(model.name))
    if now.parked is not None and now.parked.reference in model.references:
        now.parked = _take_up(now, now.parked, model, overlay, source, seal.clocks.low_ms())
    if now.parked is None:
        missing = _turn(now, model, overlay, source, deltas, low_ms)
        now.parked = None if missing is None else Parked(reference=missing)
    if now.parked is not None and deltas:
        share = ParkedShare(offset=source.offset, low_ms=seal.clocks.low_ms(), deltas=list(deltas))
        overlay.update([(parked_key(model.name, now.parked.next), pack(share))])
        now.parked = msgspec.structs.replace(now.parked, next=now.parked.next + 1)
    now.writes = list(overlay.writes.items())
    return now


def forgotten(model: str, parked: Parked) -> list[Write]:
    """What is kept of a model that the configuration has no more leaves."""
    return [(parked_key(model, number), None) for number in range(parked.first, parked.next)]


def _take_up(
    now: Progress, parked: Parked, model: Watched, overlay: Overlay, source: Source, until_ms: int | None
) -> Parked | None:
    """The kept shares in order; what remains of them, if one message takes up no more or another reference is missing.

    `until_ms` is the smallest clock before the message.
    """
    share = _share(overlay, model.name, parked.first)
    # What began the wait may have been the end of a window: then time went on before the first share came.
    missing = _turn(now, model, overlay, _at(source, share.offset - 1), [], share.low_ms)
    for number in range(parked.first, parked.next):
        if missing is not None or number - parked.first == MAX_SHARES:
            return Parked(reference=missing or parked.reference, first=number, next=parked.next)
        following = _share(overlay, model.name, number + 1) if number + 1 < parked.next else None
        low_ms = until_ms if following is None else following.low_ms
        missing = _turn(now, model, overlay, _at(source, share.offset), share.deltas, low_ms)
        if missing is not None:
            return Parked(reference=missing, first=number, next=parked.next)
        overlay.update([(parked_key(model.name, number), None)])
        share = following if following is not None else share
    return None if missing is None else Parked(reference=missing, first=parked.next, next=parked.next)


def _at(source: Source, offset: int) -> Source:
    return Source(topic=source.topic, partition=source.partition, offset=offset)


def _share(state: KeyValue, model: str, number: int) -> ParkedShare:
    return read(state, parked_key(model, number), ParkedShare, ParkedShare(offset=-1, low_ms=None, deltas=[]))


def _turn(
    now: Progress, model: Watched, overlay: Overlay, source: Source, deltas: Sequence[Delta], low_ms: int | None
) -> str | None:
    """Absorb deltas and advance. The digest of the reference that is missing, if one is: then nothing has changed."""
    after_ms = advanced(now.watermark_ms, low_ms, model.lateness_ms)
    if not deltas and after_ms == now.watermark_ms:
        return None
    turn = Turn(model, overlay, source, now.watermark_ms, after_ms)
    try:
        turn.absorb(deltas)
        turn.close()
    except MissingReference as missing:
        return missing.reference
    overlay.update(turn.writes())
    now.turns.append(turn)
    now.watermark_ms = after_ms
    return None
