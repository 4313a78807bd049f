"""Kafka messages to columns: each topic's role and content type, and one result for a mixed micro-batch."""

from collections.abc import Sequence

import numpy as np
from confluent_kafka import Message

from monitor.config.schema import Topics
from monitor.events.batch import Decoded
from monitor.events.decoder import MessageDecoder
from monitor.events.models import Role
from monitor.events.outcome import merge
from monitor.kafka.messages import headers


class KafkaDecoder:
    """Decodes a micro-batch from prediction and feature topics. Indices in the result are into the whole of it."""

    def __init__(self, decoder: MessageDecoder, topics: Topics) -> None:
        self._decoder = decoder
        self._roles: dict[str, Role] = {
            **dict.fromkeys(topics.predictions, "predictions"),
            **dict.fromkeys(topics.features, "features"),
        }

    def __call__(self, messages: Sequence[Message], now_ms: int) -> Decoded:
        """Decode `messages`; `now_ms` is the wall clock that bounds their timestamps."""
        # Topics at C speed, for this runs over every message; nearly always they have one role between them.
        names = list(map(Message.topic, messages))
        roles = {name: self._roles[name or ""] for name in set(names)}
        if len(set(roles.values())) <= 1:
            return self._decode(messages, next(iter(roles.values()), "predictions"), now_ms)
        positions: dict[Role, list[int]] = {}
        for position, name in enumerate(names):
            positions.setdefault(roles[name], []).append(position)
        return merge(
            self._decoder.names,
            [
                (self._decode([messages[i] for i in mine], role, now_ms), np.array(mine, dtype=np.int32))
                for role, mine in positions.items()
            ],
        )

    def _decode(self, messages: Sequence[Message], role: Role, now_ms: int) -> Decoded:
        some = any(map(Message.headers, messages))
        content_types = [_content_type(message) for message in messages] if some else None
        return self._decoder.decode_messages(list(map(Message.value, messages)), content_types, role, now_ms)


def _content_type(message: Message) -> bytes | None:
    return next((value for name, value in headers(message) if name.lower() == "content-type"), None)
