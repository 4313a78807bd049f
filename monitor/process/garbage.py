"""When Python's garbage collector runs in a process that works through batches."""

import contextlib
import gc
from collections.abc import Iterator
from typing import Final

_SELDOM: Final = 50_000
"""New objects that call for a collection, of Python's 700."""


def freeze_start_up() -> None:
    """Keep what is there now out of every later collection: looking at it too doubled the time to decode.

    To be called once, when a role is about to begin.
    """
    gc.collect()
    gc.freeze()


@contextlib.contextmanager
def gc_paused() -> Iterator[None]:
    """No collection in this block; what is garbage by then is found by the next one after it.

    For gathering a batch: tens of thousands of objects that all live until its commit, and that hold no cycles. Python
    would look through them again and again while they become more. The block must end by itself.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextlib.contextmanager
def gc_seldom() -> Iterator[None]:
    """Fewer collections in this block, for a command that runs once: modules that it imports and rows that it keeps are
    hundreds of thousands of objects, which are no garbage however often Python looks."""
    before = gc.get_threshold()
    gc.set_threshold(_SELDOM, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
