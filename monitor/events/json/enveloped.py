"""JSON messages that are envelopes to messages of one event each, and back to where each event came from."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from monitor.events.batch import Decoded, Rejected
from monitor.events.json.forgiving import Refused, parse
from monitor.events.json.split import split
from monitor.events.models import Limits, ModelSpec
from monitor.events.origin import Origins
from monitor.events.reasons import Reason
from monitor.events.serving.events import Envelopes

_PREFIXES: Final = ("ce_", "ce-")
_SELDON: Final = "io.seldon.serving."


@dataclass(kw_only=True)
class Taken:
    """Events taken out of envelopes.

    Attributes
    ----------
    events
        (n,) their JSON.
    messages, indices
        (n,) the message that each came from, and its position among all that came from it.
    raws
        (n,) the envelope's own bytes.
    rejects
        the envelopes that could not be taken apart.
    """

    events: list[bytes] = field(default_factory=list)
    messages: list[int] = field(default_factory=list)
    indices: list[int] = field(default_factory=list)
    raws: list[bytes] = field(default_factory=list)
    rejects: list[Rejected] = field(default_factory=list)

    def placed(self, decoded: Decoded) -> Decoded:
        """What `events` were decoded to, as what the messages were."""
        sources = np.array(self.messages, dtype=np.int32)
        rejects = [
            replace(
                one, message=self.messages[one.message], index=self.indices[one.message], raw=self.raws[one.message]
            )
            for one in decoded.rejects
        ]
        return replace(
            decoded,
            batches=[replace(batch, sources=sources[batch.sources]) for batch in decoded.batches],
            rejects=sorted([*rejects, *self.rejects], key=lambda one: (one.message, one.index)),
            n_events=decoded.n_events + len(self.rejects),
        )


class Unwrapper:
    """Takes messages apart.

    Parameters
    ----------
    models
        every configured model; at least one has an envelope.
    limits
        bounds of a message, and of the events in it.
    """

    def __init__(self, models: Sequence[ModelSpec], limits: Limits) -> None:
        self._envelopes = Envelopes(models)
        self._limits = limits

    def take(self, messages: Sequence[bytes | None], origins: Origins | None) -> Taken:
        """The events of messages. A message whose headers are the context of a CloudEvent is its `data`."""
        taken = Taken()
        for number, message in enumerate(messages):
            raw = message or b""
            attributes = {} if origins is None else context_of(origins.attributes(number))
            sent_ms = None if origins is None else origins.sent_ms(number)
            n = 0
            try:
                pieces = self._pieces(raw, whole=bool(attributes))
            except Refused as refused:
                taken.rejects.append(_rejected(refused, number, 0, raw))
                continue
            for piece in pieces:
                try:
                    events = self._events(piece, attributes, sent_ms)
                    if n + len(events) > self._limits.max_events_a_message:
                        most = self._limits.max_events_a_message
                        raise Refused(Reason.OVERSIZE, f"more than {most} events")
                except Refused as refused:
                    taken.rejects.append(_rejected(refused, number, n, piece))
                    n += 1
                    continue
                taken.events += events
                taken.messages += [number] * len(events)
                taken.indices += range(n, n + len(events))
                taken.raws += [piece] * len(events)
                n += len(events)
        return taken

    def _pieces(self, message: bytes, *, whole: bool) -> list[bytes]:
        if len(message) > self._limits.max_message_bytes:
            raise Refused(Reason.OVERSIZE, f"{len(message)} bytes; at most {self._limits.max_message_bytes}")
        return [message] if whole else split(message, self._limits.max_events_a_message)

    def _events(self, raw: bytes, attributes: dict[str, str], sent_ms: int | None) -> list[bytes]:
        record = parse(raw)
        if attributes:
            record = {**attributes, "data": record}
        found = self._envelopes.events(record, sent_ms)
        if len(found) == 1 and found[0] is record and not attributes:
            return [raw]
        try:
            return [json.dumps(event, separators=(",", ":")).encode() for event in found]
        except (RecursionError, ValueError):
            raise Refused(Reason.UNDECODABLE, "nested too deeply") from None


def context_of(headers: dict[str, str]) -> dict[str, str]:
    """The attributes of a CloudEvent whose `data` the message is: `ce_...` in Kafka; Seldon's logger writes them as
    they are. Empty for other messages.
    """
    found = {name[3:]: value for name, value in headers.items() if name.startswith(_PREFIXES)}
    if "type" in found:
        return found
    return headers if headers.get("type", "").startswith(_SELDON) else {}


def _rejected(refused: Refused, message: int, index: int, raw: bytes) -> Rejected:
    return Rejected(
        message=message, index=index, reason=refused.reason, detail=refused.detail, model=refused.model, raw=raw,
        foreign=refused.foreign,
    )  # fmt: skip
