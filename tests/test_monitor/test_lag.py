"""The lag of a member, told from what the broker says; on a real broker, see `test_ingest_broker.py`."""

from collections.abc import Iterable, Mapping

import pytest
from confluent_kafka import KafkaError, KafkaException

from monitor import telemetry
from monitor.config.schema import Kafka
from monitor.kafka.lag import Lag
from monitor.process.health import Health

Place = tuple[str, int]
A, B, C = ("events", 0), ("events", 1), ("events", 2)


class FakeBroker:
    """Says where partitions begin and end, and what is committed."""

    def __init__(self) -> None:
        self.answers = True
        self.committed_at: dict[Place, int] = {}
        self.starts_at: dict[Place, int] = {}
        self.ends_at: dict[Place, int] = {}

    def committed(self, partitions: Iterable[Place]) -> Mapping[Place, int]:
        return {one: self.committed_at.get(one, -1001) for one in partitions}

    def starts(self, partitions: Iterable[Place]) -> Mapping[Place, int]:
        return {one: self.starts_at.get(one, 0) for one in partitions}

    def ends(self, partitions: Iterable[Place]) -> Mapping[Place, int]:
        if not self.answers:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        return {one: self.ends_at[one] for one in partitions}


@pytest.fixture
def broker() -> FakeBroker:
    return FakeBroker()


@pytest.fixture
def lag(broker: FakeBroker, request: pytest.FixtureRequest) -> Lag:
    return Lag(Kafka(), request.node.name, "group", Health("ingest"), asks=broker)


def told(lag: Lag, request: pytest.FixtureRequest) -> dict[int, float]:
    """What is exported, by partition."""
    lag.refresh()
    (metric,) = telemetry.CONSUMER_LAG.collect()
    mine = (one for one in metric.samples if one.labels["role"] == request.node.name)
    return {int(one.labels["partition"]): one.value for one in mine}


def test_what_is_not_known_of_a_partition_is_what_its_group_has_committed(
    lag: Lag, broker: FakeBroker, request: pytest.FixtureRequest
) -> None:
    broker.committed_at = {A: 95, B: 100}
    broker.starts_at = {C: 40}
    broker.ends_at = {A: 100, B: 100, C: 100}
    lag.note({A: None, B: None, C: None})
    assert told(lag, request) == {0: 5, 1: 0, 2: 60}
    lag.note({A: 99, B: None, C: 100})
    assert told(lag, request) == {0: 1, 1: 0, 2: 0}


def test_the_lag_grows_with_the_topic_while_its_member_stands_still(
    lag: Lag, broker: FakeBroker, request: pytest.FixtureRequest
) -> None:
    lag.note({A: 100})
    for end in (100, 103, 110):
        broker.ends_at = {A: end}
        assert told(lag, request) == {0: end - 100}


def test_an_end_that_is_named_too_low_is_no_negative_lag_and_one_that_was_seen_counts(
    lag: Lag, broker: FakeBroker, request: pytest.FixtureRequest
) -> None:
    broker.ends_at = {A: 1}
    lag.note({A: 7})
    assert told(lag, request) == {0: 0}
    lag.note({A: 7}, {A: 9})
    assert told(lag, request) == {0: 2}


def test_the_lag_of_a_partition_is_told_by_whom_it_belongs_to(
    lag: Lag, broker: FakeBroker, request: pytest.FixtureRequest
) -> None:
    broker.ends_at = {A: 10, B: 10}
    lag.note({A: 7, B: 7})
    assert told(lag, request) == {0: 3, 1: 3}
    lag.note({B: 8})
    assert told(lag, request) == {1: 2}
    lag.note({})
    assert told(lag, request) == {}


def test_while_the_broker_does_not_answer_what_was_told_stands(
    lag: Lag, broker: FakeBroker, request: pytest.FixtureRequest
) -> None:
    broker.ends_at = {A: 10}
    lag.note({A: 7})
    assert told(lag, request) == {0: 3}
    broker.answers = False
    with pytest.raises(KafkaException):
        lag.refresh()
    broker.answers = True
    assert told(lag, request) == {0: 3}
