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


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM unwinds like Ctrl-C, so that processes, ports and folders are cleaned up."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
