"""Messages as columns: where each is from, whatever order they were read in."""

import numpy as np
from confluent_kafka import Message
from hypothesis import given
from hypothesis import strategies as st

from monitor.kafka.messages import received_of

ORIGINS = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 3)), max_size=40)


def messages_of(origins: list[tuple[str, int]]) -> list[Message]:
    next_offset: dict[tuple[str, int], int] = {}
    messages = []
    for number, origin in enumerate(origins):
        offset = next_offset[origin] = next_offset.get(origin, 10) + 1
        body, sent = str(number).encode(), (1, 1_000 + number)
        messages.append(Message(topic=origin[0], partition=origin[1], offset=offset, value=body, timestamp=sent))
    return messages


@given(ORIGINS)
def test_places_are_those_of_the_messages_one_by_one(origins: list[tuple[str, int]]) -> None:
    messages = messages_of(origins)
    received = received_of(messages)
    assert [received.source(number) for number in range(len(received))] == origins
    assert sorted(received.partitions) == sorted(set(origins))
    spans = {partition: (first, last) for partition, first, last in received.spans()}
    assert spans.keys() == set(origins)
    for origin, span in spans.items():
        of_origin = [m.offset() for m in messages if (m.topic(), m.partition()) == origin]
        assert span == (min(of_origin), max(of_origin))  # type: ignore[type-var]
    assert np.all(received.partition_of >= 0)


@given(ORIGINS, st.integers(0, 40), st.integers(0, 40))
def test_a_part_is_what_was_received_of_its_messages_alone(
    origins: list[tuple[str, int]], start: int, stop: int
) -> None:
    messages = messages_of(origins)
    part, alone = received_of(messages).part(slice(start, stop)), received_of(messages[start:stop])
    assert len(part) == len(alone)
    assert (part.values, part.headers) == (alone.values, alone.headers)
    assert sorted(part.spans()) == sorted(alone.spans())
    for number in range(len(part)):
        assert part.source(number) == alone.source(number)
        assert (part.offsets[number], part.sent_ms(number)) == (alone.offsets[number], alone.sent_ms(number))


def test_headers_are_kept_where_a_message_has_some() -> None:
    plain, marked = Message(topic="t", partition=0, offset=1), Message(topic="t", partition=0, offset=2)
    marked.set_headers([("content-type", b"application/json")])
    assert received_of([plain]).headers is None
    assert received_of([plain, marked]).headers == [[], [("content-type", b"application/json")]]
