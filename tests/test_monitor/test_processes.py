"""A command that is told to end says that, and nothing else."""

import contextlib
import os
import signal

import pytest

from monitor.processes import terminable


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_an_error_that_comes_of_an_interrupt_is_the_interrupt(how: signal.Signals) -> None:
    def import_chdb() -> None:
        try:
            os.kill(os.getpid(), how)
        except KeyboardInterrupt:
            raise ImportError("this is what pybind11 makes of it") from None

    before = signal.getsignal(how)
    with pytest.raises(KeyboardInterrupt) as interrupted, terminable():
        import_chdb()
    assert isinstance(interrupted.value.__cause__, ImportError)
    assert signal.getsignal(how) is before


def test_an_error_without_an_interrupt_stays_what_it_is() -> None:
    with pytest.raises(ImportError), terminable():
        raise ImportError("the engine is not installed")


def test_an_interrupt_that_was_swallowed_is_not_forgotten() -> None:
    with terminable() as ending:
        ending.check()
        with contextlib.suppress(KeyboardInterrupt):  # as a callback out of compiled code does
            os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            ending.check()
