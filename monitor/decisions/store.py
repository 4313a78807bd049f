"""What decisions keep in the key-value state of a partition of `drift.sketches`, beside the evaluator's keys.

- `decisions`: per model, all but the panes, with the source offset that it has absorbed, and what that message led to.
  A message that is repeated tells the same again, and changes nothing.
- `decisions pane`: what one window said, while it may be revised. A window writes one of these and the model's value,
  however many are kept, and no value comes near a broker's limit.
"""

from typing import Final

import msgspec
import zstandard

from monitor.decisions.alert import Alert
from monitor.decisions.decide import Decisions
from monitor.decisions.request import RetrainingRequest
from monitor.decisions.track import Pane, Track
from monitor.evaluation.state import KeyValue, NewerState

STATE_VERSION: Final = 1
Write = tuple[bytes, bytes | None]


class PaneKey(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Which track a pane is of, and when it starts."""

    version: str
    reference: str
    family: str
    start_ms: int


class StoredDecisions(msgspec.Struct, frozen=True, kw_only=True):
    """A model's decisions; as a value its tracks have no panes, which `panes` names instead."""

    schema_version: int = STATE_VERSION
    absorbed: int = -1
    decisions: Decisions = Decisions()
    alerts: tuple[Alert, ...] = ()
    requests: tuple[RetrainingRequest, ...] = ()
    panes: tuple[PaneKey, ...] = ()


class NewerDecisions(NewerState):
    """A later release has written this state. Stop: an upgraded worker goes on with it."""

    def __init__(self, version: int) -> None:
        super().__init__(version)
        self.args = (f"the decisions have version {version}, and this release reads up to {STATE_VERSION}",)


class _Version(msgspec.Struct, frozen=True, kw_only=True):
    schema_version: int = STATE_VERSION


_encoder: Final = msgspec.msgpack.Encoder()


def decisions_key(model: str) -> bytes:
    """The key of a model's decisions."""
    return _encoder.encode(("decisions", model))


def store(model: str, before: StoredDecisions, after: StoredDecisions) -> list[Write]:
    """What changed: panes that are new, other or gone, then the model's value."""
    known, kept = _panes(before), _panes(after)
    writes: list[Write] = [
        (_pane_key(model, key), _pack(pane))
        for key, pane in kept.items()
        if known.get(key) is not pane and known.get(key) != pane
    ]
    writes += [(_pane_key(model, key), None) for key in known if key not in kept]
    bare = msgspec.structs.replace(
        after,
        panes=tuple(kept),
        decisions=msgspec.structs.replace(
            after.decisions, tracks=tuple(msgspec.structs.replace(one, panes=()) for one in after.decisions.tracks)
        ),
    )
    return [*writes, (decisions_key(model), _pack(bare))]


def load(model: str, state: KeyValue) -> StoredDecisions:
    """A model's decisions; those of the beginning where there are none. Raises `NewerDecisions`."""
    data = state.get(decisions_key(model))
    if data is None:
        return StoredDecisions()
    plain = _unpack(data)
    version = msgspec.msgpack.decode(plain, type=_Version).schema_version
    if version > STATE_VERSION:
        raise NewerDecisions(version)
    bare = msgspec.msgpack.decode(plain, type=StoredDecisions)
    panes: dict[tuple[str, str, str], list[Pane]] = {}
    for key in bare.panes:
        found = state.get(_pane_key(model, key))
        if found is not None:
            own = panes.setdefault((key.version, key.reference, key.family), [])
            own.append(msgspec.msgpack.decode(_unpack(found), type=Pane))
    tracks = tuple(
        msgspec.structs.replace(one, panes=tuple(panes.get((one.version, one.reference, one.family), ())))
        for one in bare.decisions.tracks
    )
    return msgspec.structs.replace(bare, panes=(), decisions=msgspec.structs.replace(bare.decisions, tracks=tracks))


def _panes(stored: StoredDecisions) -> dict[PaneKey, Pane]:
    """In the order of the tracks and of time."""
    return {_of(track, pane): pane for track in stored.decisions.tracks for pane in track.panes}


def _of(track: Track, pane: Pane) -> PaneKey:
    return PaneKey(version=track.version, reference=track.reference, family=track.family, start_ms=pane.start_ms)


def _pane_key(model: str, key: PaneKey) -> bytes:
    return _encoder.encode(("decisions pane", model, key))


def _pack(value: StoredDecisions | Pane) -> bytes:
    return zstandard.ZstdCompressor(level=3).compress(_encoder.encode(value))


def _unpack(data: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompress(data)
