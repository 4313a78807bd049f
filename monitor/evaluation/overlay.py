"""State with changes on top that are not written yet."""

from collections.abc import Iterable

from monitor.evaluation.state import KeyValue

Write = tuple[bytes, bytes | None]
"""A key and its new value; None removes it."""


class Overlay:
    """Changes over a state that is itself left as it is.

    `writes` has each changed key's last value; None removes the key.
    """

    def __init__(self, state: KeyValue) -> None:
        self.writes: dict[bytes, bytes | None] = {}
        self._state = state

    def get(self, key: bytes) -> bytes | None:
        """The changed value, or the one below."""
        return self.writes[key] if key in self.writes else self._state.get(key)

    def update(self, writes: Iterable[Write]) -> None:
        """Take in changes, later ones over earlier."""
        self.writes.update(writes)
