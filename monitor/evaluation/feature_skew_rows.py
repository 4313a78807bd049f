"""From the pairs of one window to rows of the records `feature_skew` and `drift_verdict`. Pure."""

import math
from collections.abc import Mapping
from typing import Any, Final

from detectors.feature_skew import MATTERS
from detectors.performance.intervals import wilson
from detectors.reference import WHOLE
from monitor.evaluation.panes import Group
from monitor.evaluation.performance_verdicts import Tested, verdict_rows
from monitor.evaluation.watched import Watched
from monitor.eventtime.windows import Window
from monitor.sketching.feature_skew import ColumnCounts, decoded

RECOMPUTED: Final = "recomputed"
"""What these verdicts say that the window was compared with."""

Row = Mapping[str, Any]


def skew_rows(
    model: Watched, group: Group, window: Window, counts: Mapping[str, ColumnCounts], revision: int
) -> tuple[list[Row], list[Row]]:
    """A row a column, and a verdict a column that was recomputed, with at least `model.min_samples` pairs; q-values are
    corrected over these."""
    span = {
        "model": model.name,
        "version": group[0],
        "reference": group[1],
        "window_start_ms": window.start_ms,
        "window_end_ms": window.end_ms,
        "revision": revision,
    }
    assert model.feature_skew is not None
    rows: list[Row] = []
    tested: list[Tested] = []
    for name, own in sorted(counts.items()):
        skew = decoded(own)
        n, n_mismatched = max(skew.n_compared, 0), max(skew.n_mismatched, 0)
        low, high = wilson(n_mismatched, n)
        variance = skew.differences.variance
        rows.append(
            {
                **span,
                "column": name,
                "n_compared": n,
                "n_mismatched": n_mismatched,
                "share": skew.share,
                "ci_low": low,
                "ci_high": high,
                "n_one_sided": max(skew.n_one_sided, 0),
                "n_served_only": max(skew.n_served_only, 0),
                "mean_difference": skew.differences.mean,
                "std_difference": math.sqrt(variance) if variance >= 0 else math.nan,
                "tolerance": model.feature_skew.tolerance,
            }
        )
        if n >= model.min_samples and skew.n_recomputed > 0:
            tested.append(
                Tested(
                    segment=WHOLE, column=name, method="pairs", p_value=skew.p_value, effect=skew.share,
                    threshold=MATTERS, direction="skewed", quantity="share mismatched", before=0.0, after=skew.share,
                    n_reference=n, n_current=n,
                )
            )  # fmt: skip
    return rows, verdict_rows(tested, model.alpha, {**span, "compare": RECOMPUTED})
