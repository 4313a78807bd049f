"""What becomes of predictions and labels in the join."""

from typing import Final

MATCHED, REPEATED, CORRECTED, SUPERSEDED = "matched", "repeated", "corrected", "superseded"
DUPLICATE, EARLY, OVERDUE, TOO_LATE = "duplicate_prediction", "label_before_prediction", "label_overdue", "too_late"
EXPIRED, ORPHAN, UNKNOWN_MODEL = "expired", "orphan", "unknown_model"
UNMEASURED: Final = "unmeasured"
"""Matches that are counted in no performance sketch: their reference tells of no classes or targets to count them in.
Beside the others, for they are `matched` too."""
COMPARED, NOT_RECOMPUTED, RECOMPUTED_ORPHAN = "features_compared", "features_not_recomputed", "features_orphan"
DUPLICATE_FEATURES, FEATURES_OVERDUE, FEATURES_TOO_LATE = "duplicate_features", "features_overdue", "features_too_late"
OF_FEATURES: Final = {
    MATCHED: COMPARED, EXPIRED: NOT_RECOMPUTED, ORPHAN: RECOMPUTED_ORPHAN, DUPLICATE: DUPLICATE_FEATURES,
    OVERDUE: FEATURES_OVERDUE, TOO_LATE: FEATURES_TOO_LATE,
}  # fmt: skip
"""What the same is called of features that are computed again, closed too. `features_compared`: ids with a pair.
`duplicate_features`: events of a side that is there. `features_overdue`: pairs further apart than the horizon.
`features_too_late`: what came after its horizon had passed. `features_not_recomputed`: predictions whose features were
not computed again until then; `features_orphan`: ids that no prediction with features came for."""
LEFT_OUT: Final = frozenset(
    {DUPLICATE, EARLY, OVERDUE, TOO_LATE, ORPHAN, UNKNOWN_MODEL, DUPLICATE_FEATURES, FEATURES_OVERDUE,
     FEATURES_TOO_LATE, RECOMPUTED_ORPHAN}
)  # fmt: skip
"""Outcomes that count in no performance and no comparison, although something came."""
COUNTS: Final = (
    MATCHED, REPEATED, CORRECTED, SUPERSEDED, DUPLICATE, EARLY, OVERDUE, TOO_LATE, EXPIRED, ORPHAN, UNKNOWN_MODEL
)  # fmt: skip
"""What became of predictions and labels, a closed set.

`matched`: ids with a match, less those that lost it. `repeated`: labels that say what a kept one says. `corrected`:
other labels that changed the match; `superseded`: that did not. `duplicate_prediction`: predictions of an id that has
one. `label_before_prediction`, `label_overdue`: labels outside [prediction, prediction + horizon]. `too_late`: what
came after its horizon had passed. `expired`: predictions that no label matched until then; `orphan`: ids of labels
that no prediction came for. `unknown_model`: of a model that has no labels here.
"""
