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

from monitor.evaluation.feature_skew_turn import FeatureSkewTurn
from monitor.evaluation.overlay import Overlay, Write
from monitor.evaluation.performance_turn import PerformanceTurn
from monitor.evaluation.results import Source
from monitor.evaluation.state import KeyValue, Parked, ParkedShare, Seal, pack, parked_key, read
from monitor.evaluation.turn import MissingReference, Turn
from monitor.evaluation.watched import Watched
from monitor.eventtime.watermark import advanced
from monitor.sketching.feature_skew import FeatureSkewDelta
from monitor.sketching.messages import Delta, PerformanceDelta

MAX_SHARES: Final = 32
"""Kept shares that are taken up with one message: what follows from them is one transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What a message brings of one model: its deltas, and the smallest clocks after it, of events and of labels."""

    deltas: Sequence[Delta] = ()
    performance: Sequence[PerformanceDelta] = ()
    features: Sequence[FeatureSkewDelta] = ()
    low_ms: int | None
    label_low_ms: int | None


@dataclass(slots=True, kw_only=True)
class Progress:
    """What a message leads to for one model: `turns` in order, the changes of state, and where it then stands: the
    watermark of its events, and how far label time is complete."""

    watermark_ms: int | None
    label_ms: int | None
    parked: Parked | None
    turns: list[Turn] = field(default_factory=list)
    performance: list[PerformanceTurn] = field(default_factory=list)
    features: list[FeatureSkewTurn] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)


def progress(model: Watched, state: KeyValue, source: Source, seal: Seal, brought: Brought) -> Progress:
    """Take up what waits, then what the message at `source` brought; keep what must wait.

    `seal` is as it was before the message.
    """
    overlay = Overlay(state)
    now = Progress(
        watermark_ms=seal.watermarks_ms.get(model.name),
        label_ms=seal.label_ms.get(model.name),
        parked=seal.parked.get(model.name),
    )
    before = Brought(low_ms=seal.clocks.low_ms(), label_low_ms=seal.label_clocks.low_ms())
    if now.parked is not None and now.parked.reference in model.references:
        now.parked = _take_up(now, now.parked, model, overlay, source, before)
    if now.parked is None:
        missing = _turn(now, model, overlay, source, brought)
        now.parked = None if missing is None else Parked(reference=missing)
    if now.parked is not None and (brought.deltas or brought.performance or brought.features):
        share = ParkedShare(
            offset=source.offset,
            low_ms=before.low_ms,
            deltas=list(brought.deltas),
            performance=list(brought.performance),
            features=list(brought.features),
            label_low_ms=before.label_low_ms,
        )
        overlay.update([(parked_key(model.name, now.parked.next), pack(share))])
        now.parked = msgspec.structs.replace(now.parked, next=now.parked.next + 1)
    now.writes = list(overlay.writes.items())
    return now


def forgotten(model: str, parked: Parked) -> list[Write]:
    """What is kept of a model that the configuration has no more leaves."""
    return [(parked_key(model, number), None) for number in range(parked.first, parked.next)]


def _take_up(
    now: Progress, parked: Parked, model: Watched, overlay: Overlay, source: Source, until: Brought
) -> Parked | None:
    """The kept shares in order; what remains of them, if one message takes up no more or another reference is missing.

    `until` has the smallest clocks before the message.
    """
    share = _share(overlay, model.name, parked.first)
    # What began the wait may have been the end of a window: then time went on before the first share came.
    first = Brought(low_ms=share.low_ms, label_low_ms=share.label_low_ms)
    missing = _turn(now, model, overlay, _at(source, share.offset - 1), first)
    for number in range(parked.first, parked.next):
        if missing is not None or number - parked.first == MAX_SHARES:
            return Parked(reference=missing or parked.reference, first=number, next=parked.next)
        following = _share(overlay, model.name, number + 1) if number + 1 < parked.next else None
        brought = Brought(
            deltas=share.deltas,
            performance=share.performance,
            features=share.features,
            low_ms=until.low_ms if following is None else following.low_ms,
            label_low_ms=until.label_low_ms if following is None else following.label_low_ms,
        )
        missing = _turn(now, model, overlay, _at(source, share.offset), brought)
        if missing is not None:
            return Parked(reference=missing, first=number, next=parked.next)
        overlay.update([(parked_key(model.name, number), None)])
        share = following if following is not None else share
    return None if missing is None else Parked(reference=missing, first=parked.next, next=parked.next)


def _at(source: Source, offset: int) -> Source:
    return Source(topic=source.topic, partition=source.partition, offset=offset)


def _share(state: KeyValue, model: str, number: int) -> ParkedShare:
    return read(state, parked_key(model, number), ParkedShare, ParkedShare(offset=-1, low_ms=None, deltas=[]))


def _turn(now: Progress, model: Watched, overlay: Overlay, source: Source, brought: Brought) -> str | None:
    """Absorb what was brought and advance. The digest of the reference that is missing, if one is: then nothing has
    changed."""
    after_ms = advanced(now.watermark_ms, brought.low_ms, model.lateness_ms)
    label_ms = advanced(now.label_ms, brought.label_low_ms, model.lateness_ms)
    waits = not (brought.performance or brought.features) and not _passed(now.label_ms, label_ms, model.pane_ms)
    if not brought.deltas and after_ms == now.watermark_ms and (waits or not model.joined):
        now.label_ms = label_ms
        return None
    turn = Turn(model, overlay, source, now.watermark_ms, after_ms)
    performance = features = None
    try:
        turn.absorb(brought.deltas)
        turn.close()
        if model.label_horizon_ms is not None:
            performance = PerformanceTurn(
                model,
                overlay,
                source,
                turn,
                watermark_ms=after_ms,
                before_ms=now.label_ms if model.labels_read else None,
                after_ms=label_ms if model.labels_read else None,
            )
            performance.absorb(brought.performance)
            performance.settle()
        if model.feature_skew is not None:
            features = FeatureSkewTurn(
                model, overlay, source, turn, watermark_ms=after_ms, before_ms=now.label_ms, after_ms=label_ms
            )
            features.absorb(brought.features)
            features.settle()
    except MissingReference as missing:
        return missing.reference
    if performance is not None:
        now.performance.append(performance)
        overlay.update(performance.writes())
    if features is not None:
        now.features.append(features)
        overlay.update(features.writes())
    overlay.update(turn.writes())
    now.turns.append(turn)
    now.watermark_ms, now.label_ms = after_ms, label_ms
    return None


def _passed(before_ms: int | None, after_ms: int | None, pane_ms: int) -> bool:
    """Whether the end of a pane was passed."""
    if before_ms is None or after_ms is None:
        return before_ms != after_ms
    return before_ms // pane_ms != after_ms // pane_ms
