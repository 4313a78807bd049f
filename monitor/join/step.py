"""How a model's labels are joined, and what one message leads to."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from monitor.join.joined import LabelIs
from monitor.join.matches import Matches
from monitor.join.pairs import Pairs
from monitor.join.state import SEAL, STRETCHES
from monitor.join.state_block import StateBlock


class JoinModel(msgspec.Struct, frozen=True, kw_only=True):
    """How the labels of a model are joined; or, where `features_of` names it, its features that are computed again: the
    `name` is then `monitor.join.feature_share.features_name`, and nothing else in the state is shared with labels."""

    name: str
    horizon_ms: int
    lateness_ms: int = 0
    label_is: LabelIs = "latest"
    features_of: str = ""

    @property
    def stretch_ms(self) -> int:
        """The length of a stretch."""
        return max(1, -(-self.horizon_ms // STRETCHES))


@dataclass(frozen=True, kw_only=True)
class JoinStep:
    """What a message leads to.

    Attributes
    ----------
    offset: the message's, in its partition of `drift.joins`.
    matches: to be counted. They follow from this message and what came before it: partition and offset name them, so
        that a repeat is recognised wherever they are sent.
    blocks: rows to write, with their lists; each one changelog message.
    expired: keys of the blocks that end: tombstones of the changelog.
    deletes: keys of rows and lists to remove, before `blocks` are written.
    seal: its new value.
    counts: by model and one of `COUNTS`.
    pairs: likewise, pairs of what was served and what was computed again.
    before_ms, after_ms: how far time was complete in all sources, before and after the message; None for not known.
    """

    offset: int
    matches: Sequence[Matches]
    blocks: Sequence[StateBlock]
    expired: Sequence[bytes]
    deletes: Sequence[bytes]
    seal: bytes
    counts: Counter[tuple[str, str]]
    pairs: Sequence[Pairs] = ()
    before_ms: int | None = None
    after_ms: int | None = None

    def apply(self, rows: dict[bytes, bytes]) -> None:
        """Write into a dictionary that is the state."""
        for key in self.deletes:
            rows.pop(key, None)
        self._put(rows)

    def write(self, changes: dict[bytes, bytes]) -> None:
        """Write into a dictionary of changes, in which a key that is removed has empty bytes."""
        changes.update(dict.fromkeys(self.deletes, b""))
        self._put(changes)

    def _put(self, rows: dict[bytes, bytes]) -> None:
        for block in self.blocks:
            rows.update(zip(block.keys, block.values, strict=True))
            if block.n_new:
                rows[block.key] = block.listed
        rows[SEAL] = self.seal


def is_over(stretch: Any, stretch_ms: int, model: JoinModel, watermark_ms: int) -> Any:
    """Whether no label can come any more to what lies in a stretch, or in each of (n,)."""
    return (stretch + 1) * stretch_ms + model.horizon_ms <= watermark_ms
