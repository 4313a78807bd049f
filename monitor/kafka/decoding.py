"""What was read to columns: each topic's role and content type, and one result for a mixed micro-batch."""

from dataclasses import replace

import numpy as np

from monitor.config.schema import Topics
from monitor.events.batch import Decoded
from monitor.events.decoder import MessageDecoder
from monitor.events.labels import LabelDecoder
from monitor.events.models import Role
from monitor.events.origin import Headers, Origins
from monitor.events.outcome import merge
from monitor.sketching.received import Received


class KafkaDecoder:
    """Decodes a micro-batch from prediction, feature and label topics. Indices in the result are into all of it."""

    def __init__(self, decoder: MessageDecoder, topics: Topics, labels: LabelDecoder | None = None) -> None:
        self._decoder = decoder
        self._labels = labels
        self._label_topics = frozenset(topics.labels)
        self._roles: dict[str, Role] = {
            **dict.fromkeys(topics.predictions, "predictions"),
            **dict.fromkeys(topics.features, "features"),
        }

    def __call__(self, received: Received, now_ms: int) -> Decoded:
        """Decode what was received; `now_ms` is the wall clock that bounds its timestamps."""
        content_types = None if received.headers is None else list(map(_content_type, received.headers))
        if self._labels is None or not any(topic in self._label_topics for topic, _ in received.partitions):
            return self._events(received, content_types, now_ms)
        is_label = np.array([topic in self._label_topics for topic, _ in received.partitions])[received.partition_of]
        places = [np.flatnonzero(where).astype(np.int32) for where in (~is_label, is_label)]
        others, own = (
            (received.at(some), None if content_types is None else [content_types[i] for i in some.tolist()])
            for some in places
        )
        labels = self._labels.decode(own[0].values, own[1], now_ms, _origins(own[0]))
        decoded = merge(self._decoder.names, [(self._events(others[0], others[1], now_ms), places[0])])
        rejects = [replace(one, message=int(places[1][one.message])) for one in labels.rejects]
        return Decoded(
            batches=decoded.batches,
            rejects=sorted([*decoded.rejects, *rejects], key=lambda reject: (reject.message, reject.index)),
            n_events=decoded.n_events + labels.n_events,
            looked=decoded.looked,
            labels=[replace(batch, sources=places[1][batch.sources]) for batch in labels.batches],
        )

    def _events(self, received: Received, content_types: list[bytes | None] | None, now_ms: int) -> Decoded:
        # Nearly always the messages have one role between them.
        origins = _origins(received)
        roles: list[Role] = [self._roles[topic] for topic, _partition in received.partitions]
        if len(set(roles)) <= 1:
            return self._decoder.decode_messages(
                received.values, content_types, roles[0] if roles else "predictions", now_ms, origins
            )
        role_of = np.array(roles)[received.partition_of]
        parts = []
        for role in dict.fromkeys(roles):
            mine = np.flatnonzero(role_of == role)
            values = [received.values[i] for i in mine.tolist()]
            types = None if content_types is None else [content_types[i] for i in mine.tolist()]
            decoded = self._decoder.decode_messages(values, types, role, now_ms, origins.at(mine.tolist()))
            parts.append((decoded, mine.astype(np.int32)))
        return merge(self._decoder.names, parts)


def _origins(received: Received) -> Origins:
    headers = received.headers
    return Origins(
        topic=lambda message: received.source(message)[0],
        headers=lambda message: None if headers is None else headers[message],
        sent_ms=received.sent_ms,
    )


def _content_type(headers: Headers | None) -> bytes | None:
    return next((value for name, value in headers or () if name.lower() == "content-type"), None)
