"""What panes hold, stacked, from one message to the next: a window of seven days reads each day of it seven times."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final

from detectors.stack import Stack

MAX_BYTES: Final = 64 * 1024 * 1024


class PaneCache:
    """Stacks by pane, each with the stored values that it was made from; the least recently used go first.

    A stack is given only for values that are equal to those, so it can never be out of date.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._n_bytes = 0
        self._kept: OrderedDict[Hashable, tuple[tuple[bytes | None, ...], Stack]] = OrderedDict()

    def get(self, key: Hashable, values: tuple[bytes | None, ...]) -> Stack | None:
        """The stack that was made from these values, if it is here."""
        kept = self._kept.get(key)
        if kept is None or kept[0] != values:
            return None
        self._kept.move_to_end(key)
        return kept[1]

    def put(self, key: Hashable, values: tuple[bytes | None, ...], stack: Stack) -> None:
        """Keep a stack, and let go of others until there is room."""
        self._let_go(key)
        self._kept[key] = (values, stack)
        self._n_bytes += _size(values, stack)
        while self._n_bytes > self._max_bytes and self._kept:
            self._let_go(next(iter(self._kept)))

    def _let_go(self, key: Hashable) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._n_bytes -= _size(*kept)


class SumCache:
    """Sums of stacks, each with the stacks that it was made from; the least recently used go first."""

    def __init__(self, most: int = 64) -> None:
        self._most = most
        self._kept: OrderedDict[Hashable, tuple[tuple[Stack, ...], Stack]] = OrderedDict()

    def get(self, key: Hashable, parts: tuple[Stack, ...], make: Callable[[], Stack]) -> Stack:
        """The sum that was made from these very stacks, or else a new one."""
        kept = self._kept.get(key)
        if kept is None or len(kept[0]) != len(parts) or any(a is not b for a, b in zip(kept[0], parts, strict=True)):
            kept = self._kept[key] = (parts, make())
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return kept[1]


def _size(values: tuple[bytes | None, ...], stack: Stack) -> int:
    return stack.nbytes + sum(len(value or b"") for value in values)
