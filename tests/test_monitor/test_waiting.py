"""Calls that wait for the broker are made in slices, so that a role that is told to stop leaves in time."""

from collections.abc import Callable

import pytest
from confluent_kafka import KafkaError, KafkaException

from monitor.kafka import waiting
from monitor.kafka.waiting import LEAVE_WITHIN_S, SLICE_S, StopRequest, sliced


class Clock:
    """Time that passes only when somebody waits."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(waiting, "time", made)
    return made


class Frozen:
    """A broker that answers nothing, or only from some second on."""

    def __init__(self, clock: Clock, *, heeds_timeout: bool = True, answers_after_s: float = float("inf")) -> None:
        self._clock, self._heeds = clock, heeds_timeout
        self._answers_s = clock.now_s + answers_after_s
        self.timeouts_s: list[float] = []
        self.during: Callable[[], None] = lambda: None

    def __call__(self, timeout_s: float) -> str:
        self.timeouts_s.append(timeout_s)
        self.during()
        takes_s = timeout_s if self._heeds else 10.0
        if self._clock.now_s + takes_s >= self._answers_s:
            return "answer"
        self._clock.now_s += takes_s
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT, retriable=True))


def test_an_answer_that_takes_longer_than_a_slice_is_waited_for(clock: Clock) -> None:
    broker = Frozen(clock, answers_after_s=12.5)
    assert sliced(broker, 30.0, StopRequest()) == "answer"
    assert max(broker.timeouts_s) <= SLICE_S


def test_a_broker_that_does_not_answer_in_time_is_given_up(clock: Clock) -> None:
    began_s = clock.now_s
    with pytest.raises(KafkaException):
        sliced(Frozen(clock), 30.0, StopRequest())
    assert 30.0 <= clock.now_s - began_s < 30.0 + SLICE_S


@pytest.mark.parametrize(("heeds_timeout", "within_s"), [(True, LEAVE_WITHIN_S + SLICE_S), (False, 11.0)])
def test_a_role_that_is_told_to_stop_leaves_whether_or_not_calls_keep_to_their_timeout(
    clock: Clock, heeds_timeout: bool, within_s: float
) -> None:
    broker, stop = Frozen(clock, heeds_timeout=heeds_timeout), StopRequest()
    broker.during = stop.ask
    began_s = clock.now_s
    with pytest.raises(KafkaException):
        sliced(broker, 600.0, stop)
    assert clock.now_s - began_s <= within_s


def test_a_role_that_is_told_to_stop_still_takes_an_answer_that_comes_soon(clock: Clock) -> None:
    broker, stop = Frozen(clock, answers_after_s=5.0), StopRequest()
    stop.ask()
    assert sliced(broker, 60.0, stop) == "answer"


@pytest.mark.parametrize(
    "error",
    [
        KafkaError(KafkaError._FATAL, fatal=True),
        KafkaError(KafkaError.NOT_ENOUGH_REPLICAS, txn_requires_abort=True),
        KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED),
    ],
)
def test_what_asking_again_does_not_mend_is_raised_at_once(clock: Clock, error: KafkaError) -> None:
    calls: list[float] = []

    def call(timeout_s: float) -> None:
        calls.append(timeout_s)
        raise KafkaException(error)

    with pytest.raises(KafkaException):
        sliced(call, 30.0, StopRequest())
    assert len(calls) == 1


def test_an_error_that_comes_at_once_is_not_asked_for_without_a_pause(clock: Clock) -> None:
    calls: list[float] = []

    def call(_timeout_s: float) -> None:
        calls.append(clock.now_s)
        raise KafkaException(KafkaError(KafkaError._TRANSPORT))

    with pytest.raises(KafkaException):
        sliced(call, 2.0, StopRequest())
    assert len(calls) <= 22
