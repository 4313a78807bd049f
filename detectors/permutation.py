"""Deals the pooled rows of both sides again: what the two sides would hold if nothing told them apart.

The smaller side is drawn without replacement from the pooled counts and the larger one keeps the rest. That is the
permutation test of the rows themselves, from counts alone: given the pooled counts it is exact for any sizes and any
sparse cells, where a bootstrap from estimated proportions leaves too many cells empty.

| rows and cells | how a draw is made | cost of 199 draws, measured |
|---|---|---|
| few drawn rows for many cells | a partial shuffle of the rows' cells | 4 ns a drawn row |
| else | NumPy's multivariate hypergeometric | 25 to 40 us a cell |
| 10^9 rows and more | multinomial, of either side: no difference is left | 60 us a cell |

Memory: `DRAWS` x cells integers, and two bytes a row where rows are shuffled, at most 8 MB.

References
----------
Fisher (1935), The Design of Experiments, Oliver & Boyd, section 21. Pitman (1937), Significance tests which may be
applied to samples from any populations, Supplement to the Journal of the Royal Statistical Society 4(1), 119-130.
The shuffle's are in `detectors.shuffle`.
"""

import hashlib
from typing import Final

import numpy as np

from detectors.arrays import Ints

DRAWS: Final = 199
_DRAWN_PER_CELL: Final = 20  # up to here a shuffle is the cheaper
_MOST_SHUFFLED: Final = 1 << 22
_MOST_DEALT: Final = 10**9  # NumPy's limit


def generator(reference: Ints, current: Ints) -> np.random.Generator:
    """Seeded from the filled cells of both sides: equal counts draw equally, on every machine."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(reference.astype("<i8").tobytes() + b"|" + current.astype("<i8").tobytes())
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest.digest(), "little")))


def dealt(reference: Ints, current: Ints) -> tuple[Ints, Ints]:
    """Both sides of every draw.

    Parameters
    ----------
    reference, current: (cells,) counts, both with at least one row.

    Returns
    -------
    The reference's and the live side's counts, (DRAWS, cells); those of a row add up to what went in.
    """
    pooled = reference + current
    m, n, total = int(reference.sum()), int(current.sum()), int(pooled.sum())
    drawn, rng = min(m, n), generator(reference, current)
    if drawn < _DRAWN_PER_CELL * pooled.size and total <= _MOST_SHUFFLED and pooled.size < 1 << 16:
        from detectors.shuffle import shuffle  # brings Numba

        part = np.zeros((DRAWS, pooled.size), dtype=np.int64)
        shuffle(np.repeat(np.arange(pooled.size, dtype=np.uint16), pooled), drawn, rng.integers(1, 1 << 63), part)
    elif total < _MOST_DEALT:
        part = rng.multivariate_hypergeometric(pooled, drawn, size=DRAWS, method="marginals")
    else:
        both = (rng.multinomial(size, pooled / total, size=DRAWS) for size in (m, n))
        return next(both), next(both)
    rest = pooled - part
    return (rest, part) if n <= m else (part, rest)
