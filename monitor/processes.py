"""Child processes that do not outlive their parent, and a parent that cleans up when it is told to end."""

import contextlib
import ctypes
import os
import signal
from collections.abc import Callable, Iterator
from types import FrameType

_PR_SET_PDEATHSIG = 1


def dying_with_parent() -> Callable[[], None]:
    """A `preexec_fn`: has the Linux kernel end the child when its parent ends, however that happens.

    The parent is the *thread* that starts the child: start it from the main thread. On other systems it does nothing.
    """
    parent = os.getpid()

    def preexec() -> None:
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before the call
            os._exit(1)

    return preexec


class Ending:
    """Whether this process has been told to end."""

    def __init__(self) -> None:
        self._asked = False

    def interrupt(self, _number: int, _frame: FrameType | None) -> None:
        """The handler of the signals."""
        self._asked = True
        raise KeyboardInterrupt

    @property
    def asked(self) -> bool:
        """Whether a signal has come."""
        return self._asked

    def check(self) -> None:
        """Interrupt once more if that was asked for: a callback from compiled code swallows what is raised in it."""
        if self._asked:
            raise KeyboardInterrupt


@contextlib.contextmanager
def terminable() -> Iterator[Ending]:
    """SIGTERM unwinds like Ctrl-C, so that processes, ports and folders are cleaned up.

    An error that comes after either is taken for the interrupt: compiled modules that are interrupted while they are
    imported, chDB's among them, say that they are not installed. Call `check` of what this gives before anything long.
    """
    ending = Ending()
    before = {number: signal.signal(number, ending.interrupt) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield ending
    except Exception as error:
        if ending.asked:
            raise KeyboardInterrupt from error
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
