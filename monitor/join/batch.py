"""What several messages of one partition lead to, joined one after the other: one transaction's worth. Pure."""

from collections.abc import Sequence
from typing import Final

from monitor.join import state_block
from monitor.join.block import decode
from monitor.join.joiner import Joiner
from monitor.join.state import SEAL, RowStore
from monitor.join.step import JoinStep

MAX_MESSAGES: Final = 32
"""Messages of one transaction."""
MAX_BYTES: Final = 16 * 1024 * 1024
"""What a transaction sends, in bytes, after which it takes no further message."""


class JoinBatch:
    """One transaction in the making.

    Attributes
    ----------
    steps : list[JoinStep]
        What each message led to; none for those that were skipped or that the state had already.
    next_offset : int
        Where the source is to be read on from once this is committed; -1 while nothing was taken.
    """

    def __init__(self, joiner: Joiner, state: RowStore) -> None:
        self.steps: list[JoinStep] = []
        self.next_offset = -1
        self._joiner = joiner
        self._overlay = _Overlay(state)
        self._changes: list[tuple[bytes, bytes | None]] = []
        self._n_messages = 0
        self._n_bytes = 0

    @property
    def full(self) -> bool:
        """Whether it should be committed before another message is taken."""
        return self._n_messages >= MAX_MESSAGES or self._n_bytes >= MAX_BYTES

    @property
    def changelog(self) -> list[tuple[bytes, bytes | None]]:
        """Keys and values of the changelog, in their order; the seal last."""
        return [*self._changes, (SEAL, self.steps[-1].seal)] if self.steps else []

    def add(self, value: bytes, offset: int) -> JoinStep | None:
        """Join the message at an offset; what it led to, if the state had it not already.

        Raises `BadJoinMessage` (then `skip` it), `NewerJoinMessage` or `NewerState` (leave it unread); nothing has
        changed then.
        """
        step = self._joiner.advance(self._overlay, decode(value), offset)
        if step is not None:
            self.steps.append(step)
            self._overlay.update(step)
            encoded = [(block.key, state_block.encode(block)) for block in step.blocks]
            self._changes += [*((key, None) for key in step.expired), *encoded]
            self._n_bytes += sum(len(data) for _, data in encoded)
        self.skip(offset)
        return step

    def skip(self, offset: int) -> None:
        """Pass over the message at an offset: nothing follows from it."""
        self._n_messages += 1
        self.next_offset = offset + 1


class _Overlay:
    """Changes over a state that is itself left as it is."""

    def __init__(self, state: RowStore) -> None:
        self._state = state
        self._changed: dict[bytes, bytes] = {}

    def get_many(self, keys: list[bytes]) -> Sequence[bytes]:
        """The changed values, or those below."""
        stored = self._state.get_many(keys)
        if not self._changed:
            return stored
        changed = self._changed
        return [changed.get(key, below) for key, below in zip(keys, stored, strict=True)]

    def update(self, step: JoinStep) -> None:
        """Take in what a step changes."""
        step.write(self._changed)
