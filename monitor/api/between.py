"""How far two vectors of counts are apart: what the functions `driftline_psi` and `driftline_js` of ClickHouse give.

They are worked out here where the counts are at hand anyway: ClickHouse takes longer to take its functions apart
(0.1 s) than to add up a month of panes.
"""

from collections.abc import Sequence

import numpy as np

from detectors.arrays import Floats
from detectors.methods.psi import FLOOR, psi_term


def compared_cells(kind: str, counts: Sequence[int], nulls: int, decile: Sequence[int]) -> Floats:
    """(coarse cells,) of a numeric column; (coarse cells + 1,) of a categorical one, nulls last: as `driftline_cells`.

    `decile`: (n_cells,) the coarse cell of each; of categories beyond the 100 largest one that they share.
    """
    cells = np.asarray(counts, dtype=np.float64)
    if cells.size and len(decile):
        cells = np.bincount(np.asarray(decile, dtype=np.int64), weights=cells).astype(np.float64)
    return np.append(cells, float(nulls)) if kind == "categorical" else cells


def psi(reference: Floats, live: Floats) -> float | None:
    """The population stability index; empty shares count as 1e-4. None where a side is empty."""
    if not reference.sum() or not live.sum():
        return None
    return float(np.sum(psi_term(live / live.sum(), reference / reference.sum(), np.array(FLOOR))))


def js(reference: Floats, live: Floats) -> float | None:
    """The Jensen-Shannon distance, base 2, from 0 to 1. None where a side is empty."""
    if not reference.sum() or not live.sum():
        return None
    r, now = reference / reference.sum(), live / live.sum()
    middle = (r + now) / 2
    divergence = sum(float(np.sum(side[side > 0] * np.log2(side[side > 0] / middle[side > 0]))) for side in (r, now))
    return float(np.sqrt(max(divergence / 2, 0.0)))
