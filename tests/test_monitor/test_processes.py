"""A command that is told to end does so between two steps, and forgets nothing."""

import os
import signal

import pytest

from monitor.process.children import Ending, terminable

SIGNALS = [signal.SIGTERM, signal.SIGINT]


def ask(how: signal.Signals) -> None:
    os.kill(os.getpid(), how)


@pytest.mark.parametrize("how", SIGNALS)
def test_a_signal_takes_effect_at_the_next_check(how: signal.Signals) -> None:
    before = signal.getsignal(how)
    with terminable() as ending:
        ending.check()
        ask(how)
        with pytest.raises(KeyboardInterrupt):
            ending.check()
    assert signal.getsignal(how) is before


def test_whoever_asks_twice_is_obeyed_at_once() -> None:
    with terminable():
        ask(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            ask(signal.SIGINT)


@pytest.mark.parametrize("how", SIGNALS)
def test_computing_is_interrupted_at_once(how: signal.Signals) -> None:
    def compute(ending: Ending) -> None:
        with ending.at_once():
            ask(how)
            pytest.fail("it went on")

    with terminable() as ending, pytest.raises(KeyboardInterrupt):
        compute(ending)


def test_a_signal_that_came_before_computing_is_obeyed_after_it() -> None:
    def compute(ending: Ending) -> None:
        with ending.at_once():
            pass

    with terminable() as ending:
        ask(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            compute(ending)


def test_an_error_that_comes_of_an_interrupt_is_the_interrupt() -> None:
    def compute(ending: Ending) -> None:
        with ending.at_once():
            try:
                ask(signal.SIGINT)
            except KeyboardInterrupt:
                raise ImportError("this is what pybind11 makes of it") from None

    with terminable() as ending, pytest.raises(KeyboardInterrupt) as interrupted:
        compute(ending)
    assert isinstance(interrupted.value.__cause__, ImportError)


def test_an_error_without_an_interrupt_stays_what_it_is() -> None:
    with terminable() as ending, pytest.raises(ImportError), ending.at_once():
        raise ImportError("it is not installed")
