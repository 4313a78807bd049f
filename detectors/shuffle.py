"""The partial shuffle of `detectors.permutation`, compiled.

References
----------
Durstenfeld (1964), Algorithm 235: random permutation, Communications of the ACM 7(7), 420. Lemire (2019), Fast random
integer generation in an interval, ACM Transactions on Modeling and Computer Simulation 29(1), article 3. Vigna (2016),
An experimental exploration of Marsaglia's xorshift generators, scrambled, ACM Transactions on Mathematical Software
42(4), article 30.
"""

from typing import Any

import numpy as np

from detectors.compiled import compiled


@compiled
def shuffle(rows: Any, drawn: int, seed: int, counts: Any) -> None:
    """counts[d, c], zeros, becomes how many of draw d's `drawn` rows lie in cell c; `rows` (total,) uint16 is each
    row's cell, in any order, and is left in another."""
    state = np.uint64(seed)
    for draw in range(counts.shape[0]):
        own = counts[draw]
        for i in range(drawn):
            state ^= state >> np.uint64(12)
            state ^= state << np.uint64(25)
            state ^= state >> np.uint64(27)
            bits = (state * np.uint64(0x2545F4914F6CDD1D)) >> np.uint64(32)
            j = np.uint64(i) + ((bits * np.uint64(rows.size - i)) >> np.uint64(32))
            cell = rows[j]
            rows[j] = rows[np.uint64(i)]
            rows[np.uint64(i)] = cell
            own[np.uint64(cell)] += 1
