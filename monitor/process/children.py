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
    """Whether this process has been told to end, by SIGTERM or Ctrl-C.

    That is noted, and `check` acts on it: an exception out of a signal handler may come while `subprocess` holds a lock
    that nobody would then release, or inside compiled code that swallows it or takes it for another error.
    """

    def __init__(self) -> None:
        self._asked = False
        self._raises = False

    def handle(self, _number: int, _frame: FrameType | None) -> None:
        """The handler of the signals; whoever asks twice is obeyed at once."""
        insists, self._asked = self._asked, True
        if self._raises or insists:
            raise KeyboardInterrupt

    def check(self) -> None:
        """Raise `KeyboardInterrupt` if this process was told to end. To be called between steps that take time."""
        if self._asked:
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        """Signals interrupt what runs in this block. For long computing that starts no process and opens no engine.

        An error that follows is taken for the interrupt: compiled modules that are interrupted while they are imported
        say that they are not installed.
        """
        self._raises = True
        try:
            yield
        except Exception as error:
            if self._asked:
                raise KeyboardInterrupt from error
            raise
        finally:
            self._raises = False
        self.check()


@contextlib.contextmanager
def terminable() -> Iterator[Ending]:
    """SIGTERM and Ctrl-C unwind in good order, so that processes, ports and folders are cleaned up."""
    ending = Ending()
    before = {number: signal.signal(number, ending.handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield ending
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
