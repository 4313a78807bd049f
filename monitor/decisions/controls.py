"""What people and pipelines say while Driftline runs: events on the compacted topic `drift.controls`. Pure.

Decisions read them as input, beside verdicts, so that they can be replayed. Of several with one id the last written
counts; `Removed` takes one back.
"""

from collections.abc import Iterable
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from monitor.config.decisions import Cause

VERSION: Final = 1
Id = Annotated[str, Meta(min_length=1, max_length=200)]
Line = Annotated[str, Meta(max_length=1_000)]


class ControlBase(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """What all have.

    Attributes
    ----------
    id: the topic's key; the same id replaces what was said before.
    model: whose.
    at_ms: when it was said, milliseconds since 1970.
    by: who said it.
    reason: why.
    """

    id: Id
    model: Line
    at_ms: int
    by: Line = ""
    reason: Line = ""


class Silence(ControlBase, frozen=True, kw_only=True, tag="silence"):
    """No alerts of this meanwhile; the fields are those of `SilenceSettings`."""

    from_ms: int
    until_ms: int
    column: Line | None = None
    segment: Line | None = None
    cause: Cause | None = None


class Acknowledgement(ControlBase, frozen=True, kw_only=True, tag="acknowledgement"):
    """Somebody has the alert in hand: it is told again only when it becomes critical, or is resolved."""

    dedupe_key: Id


class Rollout(ControlBase, frozen=True, kw_only=True, tag="rollout"):
    """A version is being rolled out: no retraining is asked for meanwhile."""

    from_ms: int
    until_ms: int
    version: Line = ""


class RetrainingOutcome(ControlBase, frozen=True, kw_only=True, tag="retraining_outcome"):
    """What became of a request; `version` is the new model's."""

    dedupe_key: Id
    status: Literal["succeeded", "failed", "cancelled"]
    version: Line = ""


class Removed(ControlBase, frozen=True, kw_only=True, tag="removed"):
    """Takes back what was said under this id."""


Control = Silence | Acknowledgement | Rollout | RetrainingOutcome | Removed

_encoder = msgspec.json.Encoder(order="deterministic")
_decoder: Final = msgspec.json.Decoder(Control)


class BadControl(ValueError):  # noqa: N818 - it names what came, as BadRecord does
    """No control of ours: drop the message, and count it."""


def encode_control(control: Control) -> tuple[bytes, bytes]:
    """Key and value of a message."""
    return control.id.encode(), _encoder.encode(control)


def decode_control(value: bytes) -> Control:
    """The control in a message's value. Raises `BadControl`."""
    try:
        decoded: Control = _decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadControl(f"no control: {error}") from error
    return decoded


class Controls(msgspec.Struct, frozen=True, kw_only=True):
    """Those of one model that are in force, by id."""

    by_id: dict[str, Control] = {}

    def take(self, controls: Iterable[Control]) -> "Controls":
        """With these, in the order in which they were written."""
        known = dict(self.by_id)
        for control in controls:
            if isinstance(control, Removed):
                known.pop(control.id, None)
            else:
                known[control.id] = control
        return Controls(by_id={name: known[name] for name in sorted(known)})

    def forget(self, before_ms: int, open_keys: frozenset[str]) -> "Controls":
        """Without those that ended before, or are about alerts and requests that are not open any more."""

        def kept(control: Control) -> bool:
            if isinstance(control, Silence | Rollout):
                return control.until_ms > before_ms
            if isinstance(control, Acknowledgement | RetrainingOutcome):
                return control.dedupe_key in open_keys or control.at_ms > before_ms
            return False

        return Controls(by_id={name: one for name, one in self.by_id.items() if kept(one)})

    def silences(self) -> list[Silence]:
        """Those in force."""
        return [one for one in self.by_id.values() if isinstance(one, Silence)]

    def rollout_at(self, at_ms: int) -> Rollout | None:
        """The one that is under way, the longest of several."""
        under_way = [
            one for one in self.by_id.values() if isinstance(one, Rollout) and one.from_ms <= at_ms < one.until_ms
        ]
        return max(under_way, key=lambda one: (one.until_ms, one.id), default=None)

    def acknowledged_by(self, dedupe_key: str) -> str | None:
        """Who has an alert in hand; None for nobody."""
        for one in self.by_id.values():
            if isinstance(one, Acknowledgement) and one.dedupe_key == dedupe_key:
                return one.by or "somebody"
        return None

    def outcome(self, dedupe_key: str) -> RetrainingOutcome | None:
        """Of a request."""
        for one in self.by_id.values():
            if isinstance(one, RetrainingOutcome) and one.dedupe_key == dedupe_key:
                return one
        return None
