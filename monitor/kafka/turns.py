"""Transactions in turns, where the broker cannot take several at a time.

Tansu, the embedded broker, settles a transaction only when one ends while no other is open that has written to one of
its partitions; until then readers of committed messages see nothing of what came since. Where several producers write
all the time, as with labels, that moment may never come: the last stable offset of every topic stood at 0 while its end
moved. So on it all roles of a session take turns: each holds a lock on one file while it has a transaction. A role that
is killed lets go of it.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from typing import Final

VARIABLE: Final = "DRIFTLINE_TRANSACTION_TURNS"
"""Names the file; the environment of roles on the embedded broker has it. Without it nobody waits."""
GIVE_UP_S: Final = 20.0
"""How long a turn is waited for, seconds. Then the one who has it is stuck, and waiting would stop everything."""
_PAUSE_S: Final = 0.002


@contextlib.contextmanager
def turn(left_s: Callable[[], float] = lambda: GIVE_UP_S) -> Iterator[None]:
    """Hold the session's one turn, and nothing where transactions need none.

    Parameters
    ----------
    left_s: how long whoever calls may still wait, seconds.
    """
    path = os.environ.get(VARIABLE)
    if not path:
        yield
        return
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        give_up_s = time.monotonic() + GIVE_UP_S
        while not _taken(file) and time.monotonic() < give_up_s and left_s() > 0:
            time.sleep(_PAUSE_S)
        yield
    finally:
        os.close(file)  # which lets go of the lock


def _taken(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
