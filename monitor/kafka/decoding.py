"""What was read to columns: each topic's role and content type, and one result for a mixed micro-batch."""

import numpy as np

from monitor.config.schema import Topics
from monitor.events.batch import Decoded
from monitor.events.decoder import MessageDecoder
from monitor.events.models import Role
from monitor.events.outcome import merge
from monitor.sketching.received import Headers, Received


class KafkaDecoder:
    """Decodes a micro-batch from prediction and feature topics. Indices in the result are into the whole of it."""

    def __init__(self, decoder: MessageDecoder, topics: Topics) -> None:
        self._decoder = decoder
        self._roles: dict[str, Role] = {
            **dict.fromkeys(topics.predictions, "predictions"),
            **dict.fromkeys(topics.features, "features"),
        }

    def __call__(self, received: Received, now_ms: int) -> Decoded:
        """Decode what was received; `now_ms` is the wall clock that bounds its timestamps."""
        # Nearly always the messages have one role between them.
        roles: list[Role] = [self._roles[topic] for topic, _partition in received.partitions]
        content_types = None if received.headers is None else list(map(_content_type, received.headers))
        if len(set(roles)) <= 1:
            return self._decoder.decode_messages(
                received.values, content_types, roles[0] if roles else "predictions", now_ms
            )
        role_of = np.array(roles)[received.partition_of]
        parts = []
        for role in dict.fromkeys(roles):
            mine = np.flatnonzero(role_of == role)
            values = [received.values[i] for i in mine.tolist()]
            types = None if content_types is None else [content_types[i] for i in mine.tolist()]
            parts.append((self._decoder.decode_messages(values, types, role, now_ms), mine.astype(np.int32)))
        return merge(self._decoder.names, parts)


def _content_type(headers: Headers | None) -> bytes | None:
    return next((value for name, value in headers or () if name.lower() == "content-type"), None)
