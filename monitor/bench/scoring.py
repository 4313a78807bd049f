"""Scoring many columns at once, and the loop over columns that a person would otherwise write."""

from collections.abc import Callable
from typing import Final

import numpy as np
from scipy import special, stats
from scipy.spatial.distance import jensenshannon

from detectors.arrays import Floats, Ints
from detectors.grid import coarse_cells, single_valued
from detectors.reference import WHOLE
from detectors.score import score
from detectors.settings import Setting
from detectors.verdict import verdicts
from monitor.bench.columns import make_reference, make_window
from monitor.bench.size import Material

SETTINGS: Final = tuple(Setting(method=name, threshold=0.1) for name in ("psi", "ks", "js", "chi2"))
_FLOOR: Final = 1e-4


def score_all(material: Material) -> Callable[[], int]:
    """One window of numeric columns by four methods, with p-values and verdicts."""
    reference = make_reference(material.size.columns, material.size.pane_events)
    sketches = {WHOLE: make_window(reference, material.size.pane_events)}

    def work() -> int:
        scores = score(reference, sketches, SETTINGS)
        return len(verdicts(scores))

    return work


def loop(material: Material) -> Callable[[], int]:
    """The same statistics and p-values from the same counts, with what NumPy and SciPy have, a column at a time.

    No q-values, no verdicts, no error bounds.
    """
    reference = make_reference(material.size.columns, material.size.pane_events)
    layout, whole = reference.layout, reference.sketches[WHOLE]
    live = make_window(reference, material.size.pane_events)
    fine = [(whole.counts[layout.cells(i)], live.counts[layout.cells(i)]) for i in layout.numeric]
    deciles = [
        coarse_cells(single_valued(layout.columns[i]), pinned, 10)
        for i, (pinned, _) in zip(layout.numeric, fine, strict=True)
    ]

    def work() -> int:
        for (pinned, current), coarse in zip(fine, deciles, strict=True):
            column(pinned, current, coarse)
        return len(fine)

    return work


def column(pinned: Ints, current: Ints, coarse: Ints) -> list[tuple[float, float]]:
    """PSI, KS, JS and chi-square of one column: (statistic, p-value) each.

    `pinned` and `current` count values in the fine cells, (n_cells,); `coarse` is each cell's decile cell.
    """
    m, n = int(pinned.sum()), int(current.sum())
    a, b = (np.bincount(coarse, weights=side).astype(np.float64) for side in (pinned, current))
    filled = (a > 0) | (b > 0)
    a, b = a[filled], b[filled]
    effective, freedom = n * m / (n + m), a.size - 1
    r, l = np.where(a > 0, a / m, _FLOOR), np.where(b > 0, b / n, _FLOOR)  # noqa: E741 - as the method's own names
    psi = float(np.sum((l - r) * np.log(l / r)))
    ks = float(np.max(np.abs(np.cumsum(current) / n - np.cumsum(pinned) / m)))
    js = float(jensenshannon(a, b, base=2))
    chi2 = stats.chi2_contingency(_with_expected(a, b), correction=False)
    return [
        (psi, float(special.chdtrc(freedom, psi * effective))),
        (ks, float(stats.kstwo.sf(ks, round(effective)))),
        (js, float(special.chdtrc(freedom, 8.0 * np.log(2.0) * js**2 * effective))),
        (float(chi2.statistic), float(chi2.pvalue)),
    ]


def _with_expected(a: Floats, b: Floats) -> Floats:
    """The (2, cells) table without the cells that expect fewer than five, which are added up in one."""
    expected = (a + b) * (min(a.sum(), b.sum()) / (a.sum() + b.sum()))
    small = expected < 5.0
    if not small.any():
        return np.stack([a, b])
    return np.stack([np.append(side[~small], side[small].sum()) for side in (a, b)])
