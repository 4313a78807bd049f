"""The ingest role beside its guarantees, which `test_replay_law.py` and `test_kafka_path.py` show."""

from pathlib import Path
from typing import Any, NoReturn

import msgspec
import numpy as np
from confluent_kafka import Message, TopicPartition
from hypothesis import given
from hypothesis import strategies as st
from support.events import model_section

from monitor import wiring
from monitor.config.load import parse
from monitor.health import Health
from monitor.kafka.messages import places_of


class Untouchable:
    """A client that must not be called."""

    def __getattr__(self, name: str) -> NoReturn:
        raise AssertionError(f"{name} was called from a callback")


def test_callbacks_call_nothing_of_the_client(tmp_path: Path) -> None:
    # confluent-kafka 2.16: a call from a callback, then another callback inside the same `consume`, ends the process.
    config = parse(msgspec.yaml.encode({"models": [model_section(tmp_path)]}).decode(), environ={})
    health = Health("ingest")
    role = wiring.ingest_role(config, "w", health)
    client: Any = Untouchable()
    role._consumer = role._producer = client
    role._on_assign(client, [TopicPartition("predictions", 0), TopicPartition("predictions", 1)])
    assert not health.not_ready_because
    role._on_revoke(client, [TopicPartition("predictions", 0)])
    assert health.not_ready_because == "partitions revoked"


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 3)), max_size=40))
def test_places_are_those_of_the_messages_one_by_one(origins: list[tuple[str, int]]) -> None:
    next_offset: dict[tuple[str, int], int] = {}
    messages = []
    for origin in origins:
        offset = next_offset[origin] = next_offset.get(origin, 10) + 1
        messages.append(Message(topic=origin[0], partition=origin[1], offset=offset, value=b""))
    places = places_of(messages)
    assert [places.partitions[number] for number in places.of_message.tolist()] == origins
    assert sorted(places.partitions) == sorted(set(origins))
    for number, origin in enumerate(places.partitions):
        of_origin = [m.offset() for m in messages if (m.topic(), m.partition()) == origin]
        assert (places.first[number], places.last[number]) == (min(of_origin), max(of_origin))  # type: ignore[type-var]
    assert np.all(places.of_message >= 0)
