"""One call for a micro-batch of messages in mixed formats."""

import contextlib
from collections.abc import Sequence
from typing import Final, Literal, Protocol

import numpy as np

from monitor.events.arrow.decoder import ArrowDecoder
from monitor.events.arrow.streams import CONTINUATION, FILE_MAGIC
from monitor.events.batch import Decoded
from monitor.events.json.decoder import JsonDecoder, OtherFormat
from monitor.events.models import Limits, ModelSpec, Role
from monitor.events.origin import Origins
from monitor.events.outcome import merge
from monitor.events.placed import PlacedDecoder, known

Format = Literal["auto", "json", "arrow"]
"""A topic's configured format; "auto" looks at the first bytes."""

_TYPES: Final[dict[str, Literal["json", "arrow"]]] = {
    "application/json": "json",
    "application/x-ndjson": "json",
    "application/ndjson": "json",
    "application/jsonl": "json",
    "application/json-lines": "json",
    "text/json": "json",
    "application/vnd.apache.arrow.stream": "arrow",
    "application/vnd.apache.arrow.file": "arrow",
}


class Decoder(Protocol):
    """One format: bytes in, columns and rejects out. Never raises on bad input."""

    def decode(self, messages: Sequence[bytes | None], role: Role, now_ms: int) -> Decoded:
        """Decode messages; `now_ms` bounds their timestamps. A message of None (a tombstone) is a reject."""
        ...


def choose(content_type: bytes | str | None, configured: Format, message: bytes | None) -> Literal["json", "arrow"]:
    """The format of a message: its content-type header, else the topic's configured format, else the first bytes.

    A header that names neither format, as `application/octet-stream`, says nothing.
    """
    if content_type is not None:
        text = content_type.decode("latin-1") if isinstance(content_type, bytes) else content_type
        kind = text.partition(";")[0].strip().lower()
        known = _TYPES.get(kind) or ("json" if kind.endswith("+json") else None)
        if known is not None:
            return known
    if configured != "auto":
        return configured
    return "arrow" if message is not None and is_arrow(message) else "json"


def is_arrow(message: bytes) -> bool:
    """Whether the first bytes are those of an Arrow stream or file, which no JSON begins with."""
    return message.startswith((CONTINUATION, FILE_MAGIC))


class MessageDecoder:
    """Decodes whole micro-batches. Make one for a run: it compiles a decoder for each model and role.

    Not for several threads at once.

    Parameters
    ----------
    models
        every configured model.
    limits
        bounds of a message.
    configured
        the format of messages without a content-type header.

    Attributes
    ----------
    names
        of the models, in their order.
    """

    def __init__(self, models: Sequence[ModelSpec], limits: Limits | None = None, configured: Format = "auto") -> None:
        self.names = tuple(model.name for model in models)
        self._configured = configured
        self._placed = None
        if any(model.mapping.is_told_by_origin for model in models):
            self._placed = PlacedDecoder(
                models, lambda some: MessageDecoder([known(model) for model in some], limits, configured)
            )
        self._json = JsonDecoder(models, limits)
        self._arrow = ArrowDecoder(models, limits)

    def decode_messages(
        self,
        messages: Sequence[bytes | None],
        content_types: Sequence[bytes | str | None] | None,
        role: Role,
        now_ms: int,
        origins: Origins | None = None,
    ) -> Decoded:
        """Decode messages with their content-type headers (None: none of them has one), and where they came from."""
        if self._placed is not None and origins is not None:
            return self._placed.decode_messages(messages, content_types, role, now_ms, origins)
        if content_types is None and messages and choose(None, self._configured, messages[0]) == "json":
            # The usual case is JSON alone, and to look at each message would take a tenth of the time to decode it.
            other = is_arrow if self._configured == "auto" else None
            with contextlib.suppress(OtherFormat):
                return self._json.decode(messages, role, now_ms, other=other, origins=origins)
        types = (None,) * len(messages) if content_types is None else content_types
        formats = [
            choose(content_type, self._configured, message)
            for content_type, message in zip(types, messages, strict=True)
        ]
        if "arrow" not in formats:
            return self._json.decode(messages, role, now_ms, origins=origins)
        if "json" not in formats:
            return self._arrow.decode(messages, role, now_ms)
        in_arrow = np.array(formats) == "arrow"
        arrow_places, json_places = (np.flatnonzero(where).astype(np.int32) for where in (in_arrow, ~in_arrow))
        json_messages = [messages[i] for i in json_places.tolist()]
        of_json = None if origins is None else origins.at(json_places.tolist())
        return merge(
            self.names,
            [
                (self._json.decode(json_messages, role, now_ms, origins=of_json), json_places),
                (self._arrow.decode([messages[i] for i in arrow_places.tolist()], role, now_ms), arrow_places),
            ],
        )
