"""From the messages of one poll to columns, whatever topics they are from."""

import json
from typing import Any

from confluent_kafka import Message

from detectors.columns import Column, Kind
from detectors.layout import Layout
from monitor.config.schema import Topics
from monitor.events.batch import Decoded
from monitor.events.decoder import MessageDecoder
from monitor.events.models import ModelSpec
from monitor.events.reasons import Reason
from monitor.kafka.decoding import KafkaDecoder
from monitor.kafka.messages import received_of

NOW_MS = 1_700_000_000_000
MODELS = tuple(
    ModelSpec(
        name=name,
        layout=Layout([Column(name=column, kind=Kind.NUMERIC, edges=(0.0, 1.0)) for column in ("x", "@score")]),
    )
    for name in ("first", "second")
)


def decode(*messages: tuple[str, Any]) -> Decoded:
    """Decode (topic, event) pairs; an event that is text stands as it is."""
    decoder = KafkaDecoder(MessageDecoder(MODELS), Topics(predictions=("predictions",), features=("features",)))
    raws = [event.encode() if isinstance(event, str) else json.dumps(event).encode() for _, event in messages]
    read = [
        Message(topic=topic, partition=0, offset=offset, value=raw)
        for offset, ((topic, _), raw) in enumerate(zip(messages, raws, strict=True))
    ]
    return decoder(received_of(read), NOW_MS)


def event(model: str, x: float, **more: Any) -> dict[str, Any]:
    return {"model": model, "timestamp": NOW_MS - int(x), "features": {"x": x}, **more}


def test_predictions_and_features_of_one_poll_are_one_batch_a_model() -> None:
    decoded = decode(
        ("features", event("second", 1.0)),
        ("predictions", event("first", 2.0, version="b", prediction=0.5)),
        ("predictions", event("second", 3.0, prediction=0.5)),
        ("features", event("first", 4.0, version="a")),
        ("predictions", event("first", 5.0, version="b", prediction=0.5)),
    )
    assert decoded.n_events == 5
    first, second = decoded.batches
    assert (first.model, second.model) == ("first", "second")
    assert (first.n, first.sources.tolist(), first.numeric[0].tolist()) == (3, [1, 3, 4], [2.0, 4.0, 5.0])
    assert (second.n, second.sources.tolist(), second.numeric[0].tolist()) == (2, [0, 2], [1.0, 3.0])
    assert [first.versions[code] for code in first.version_codes] == ["b", "a", "b"]


def test_rejects_of_both_topics_are_in_the_order_of_the_messages() -> None:
    bad = [
        ("features", "{"),
        ("predictions", event("third", 1.0)),
        ("features", event("first", 1.0, timestamp="noon")),
        ("predictions", event("first", 1.0, prediction_id=[])),
        ("features", ""),
    ]
    decoded = decode(*bad, ("predictions", event("first", 1.0)))
    assert [(one.message, one.reason) for one in decoded.rejects] == [
        (0, Reason.UNDECODABLE),
        (1, Reason.UNKNOWN_MODEL),
        (2, Reason.BAD_TIMESTAMP),
        (3, Reason.MISSING_ID),
        (4, Reason.UNDECODABLE),
    ]
    assert (decoded.n_events, [batch.n for batch in decoded.batches]) == (6, [1])


def test_no_messages_are_no_events() -> None:
    decoded = decode()
    assert (decoded.n_events, list(decoded.batches), list(decoded.rejects)) == (0, [], [])
