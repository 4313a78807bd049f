"""The most frequent values of a stream, in bounded memory: Misra and Gries's summary.

It is for people to read. It is approximate and its merge is commutative but not associative, so no statistic and no law
of the partition rests on it.

Bound: with `n` values taken in, `count <= true count <= count + error` for every value, where a value that is not
listed has the count 0, and `error <= n / (CAPACITY + 1)`. Both survive every merge (Agarwal et al. 2012, theorem 1).

References
----------
Misra & Gries (1982), Finding repeated elements, Science of Computer Programming 2(2), 143-152.
Agarwal, Cormode, Huang, Phillips, Wei & Yi (2012), Mergeable summaries, PODS '12, 23-34.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

CAPACITY: Final = 64


class Frequent(msgspec.Struct, frozen=True, kw_only=True):
    """At most `CAPACITY` values with their counts, and by how much a count may be too small.

    >>> frequent = Frequent.of({"a": 3, "b": 1}).merge(Frequent.of({"a": 2}))
    >>> frequent.top(1), frequent.error
    ([('a', 5)], 0)
    """

    counts: dict[str, int] = {}
    error: int = 0

    @classmethod
    def of(cls, counts: Mapping[str, int]) -> "Frequent":
        """The summary of exact counts, all positive."""
        return _reduce(dict(counts), 0)

    def merge(self, other: "Frequent") -> "Frequent":
        """The summary of both streams together."""
        if not other.counts and not other.error:
            return self
        if not self.counts and not self.error:
            return other
        counts = dict(self.counts)
        for value, count in other.counts.items():
            counts[value] = counts.get(value, 0) + count
        return _reduce(counts, self.error + other.error)

    def top(self, n: int = CAPACITY) -> list[tuple[str, int]]:
        """The `n` largest, ties by name."""
        return sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))[:n]


EMPTY: Final = Frequent()


def _reduce(counts: dict[str, int], error: int) -> Frequent:
    """Take the (CAPACITY + 1)-th largest count from all and drop what is left without any."""
    if len(counts) > CAPACITY:
        cut = sorted(counts.values(), reverse=True)[CAPACITY]
        counts = {value: count - cut for value, count in counts.items() if count > cut}
        error += cut
    return Frequent(counts=counts, error=error)
