"""What the join emits of features: pairs of what was served and what was computed again, as columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from detectors.arrays import Ints
from monitor.join.feature_records import FeatureShape
from monitor.join.records import times_ms


@dataclass(frozen=True, kw_only=True, eq=False)
class Pairs:
    """Pairs of one shape each side. A correction is two: what held is taken back, what holds is added.

    Attributes
    ----------
    served_shape, recomputed_shape: how the sides lie in their bytes.
    versions: what the codes of versions stand for; more than occur.
    served, recomputed: (n,) of their shapes' `dtype`.
    sign: (n,) int8: 1 to add, -1 to take back.
    """

    served_shape: FeatureShape
    recomputed_shape: FeatureShape
    versions: Sequence[str]
    served: Any
    recomputed: Any
    sign: Any

    @property
    def times_ms(self) -> Ints:
        """(n,) of the predictions."""
        return times_ms(self.served)

    @property
    def at_ms(self) -> Ints:
        """(n,) from when on the pair is known, in label time: the later of its two times. A pair that takes another's
        place has the earlier event on the side that changed, so that what is taken back waits where it was added."""
        return np.maximum(self.times_ms, times_ms(self.recomputed))


class Pairing:
    """Pairs in the making, by the shapes of their sides."""

    def __init__(self) -> None:
        self._parts: dict[tuple[int, int], list[tuple[Any, Any, int]]] = {}

    def add(self, shapes: tuple[int, int], served: Any, recomputed: Any, sign: int) -> None:
        """Take pairs: (n,) records of each side."""
        if served.size:
            self._parts.setdefault(shapes, []).append((served, recomputed, sign))

    def pairs(self, shapes: Sequence[FeatureShape], versions: Sequence[str]) -> list[Pairs]:
        """All of them."""
        return [
            Pairs(
                served_shape=shapes[served],
                recomputed_shape=shapes[recomputed],
                versions=versions,
                served=np.concatenate([part[0] for part in parts]),
                recomputed=np.concatenate([part[1] for part in parts]),
                sign=np.concatenate([np.full(part[0].size, part[2], np.int8) for part in parts]),
            )
            for (served, recomputed), parts in sorted(self._parts.items())
        ]
