"""Calls into librdkafka that may wait for the broker, in slices: Python hears a signal only between them.

A broker that accepts connections and answers nothing (a frozen virtual machine, a full disk) holds such a call for its
whole timeout, and with it a SIGTERM.
"""

import time
from collections.abc import Callable
from typing import Final, TypeVar

from confluent_kafka import KafkaError, KafkaException

SLICE_S: Final = 1.0
LEAVE_WITHIN_S: Final = 8.0
"""What a role that was told to stop may still spend on the broker; the supervisor kills it after 20 seconds."""

_AGAIN: Final = {KafkaError._TIMED_OUT, KafkaError._TRANSPORT, KafkaError._WAIT_COORD, KafkaError._ALL_BROKERS_DOWN}

Result = TypeVar("Result")


class StopRequest:
    """Whether a role was told to stop, and since when. Safe in a signal handler."""

    def __init__(self) -> None:
        self._asked_s: float | None = None

    def __bool__(self) -> bool:
        return self._asked_s is not None

    def ask(self) -> None:
        """Stop soon. Asking again changes nothing."""
        if self._asked_s is None:
            self._asked_s = time.monotonic()

    def left_s(self) -> float:
        """Seconds that may still be spent on the broker: without limit as long as nobody asked."""
        return float("inf") if self._asked_s is None else self._asked_s + LEAVE_WITHIN_S - time.monotonic()

    def pause(self, seconds: float) -> None:
        """Wait, or until a stop is asked for."""
        until_s = time.monotonic() + seconds
        while not self and time.monotonic() < until_s:
            time.sleep(0.05)


def sliced(call: Callable[[float], Result], within_s: float, stop: StopRequest) -> Result:
    """The result of `call(timeout_s)`, which is called again as long as it says that the broker has not answered yet.

    For what takes up where it was: metadata, offsets, and all steps of a transaction do. Raises the call's own
    `KafkaException` after `within_s`, or earlier when the role must leave.
    """
    until_s = time.monotonic() + within_s
    while True:
        started_s = time.monotonic()
        try:
            return call(max(0.01, min(SLICE_S, until_s - started_s, stop.left_s())))
        except KafkaException as error:
            now_s = time.monotonic()
            # `send_offsets_to_transaction` does not keep to its timeout, but to `socket.timeout.ms`. A role that must
            # leave has no time for a second one of these.
            overran = now_s - started_s > 2 * SLICE_S
            if (stop and overran) or min(until_s - now_s, stop.left_s()) <= 0 or not _may_be_called_again(error):
                raise
        # An answer that came at once would be asked for again without a pause.
        time.sleep(min(0.1, max(0.0, started_s + SLICE_S - now_s)))


def _may_be_called_again(raised: KafkaException) -> bool:
    error = raised.args[0]
    if not isinstance(error, KafkaError) or error.fatal() or error.txn_requires_abort():
        return False
    return error.retriable() or error.code() in _AGAIN
