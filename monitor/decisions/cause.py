"""What an alert is about: which verdicts belong together.

The causes in order, those upstream first: what breaks a column moves what is computed from it.
"""

from typing import Final, get_args

from monitor.config.decisions import Cause

CAUSES: Final[tuple[Cause, ...]] = get_args(Cause)
"""All of them. Of two that would list the same, the one that comes first here does."""

INPUTS: Final[tuple[Cause, ...]] = ("schema", "data_quality", "data_drift")
"""What lies upstream of the model."""
GONE: Final = 0.99
"""A column of which at least this share is missing, or invalid, is gone, or of another type."""

_RATES: Final = frozenset(
    {"more missing", "fewer missing", "more invalid", "fewer invalid", "new category", "above range", "below range"}
)
SKEWED: Final = "skewed"
"""The direction of a feature whose served values are not those that are computed again."""
NAMELESS: Final = "more without a model"
"""The direction of rejects of which most name no model, where several are configured."""
_SHARP: Final = frozenset({"more missing", "more invalid", "fewer features", "fewer predictions", SKEWED})
_BETTER: Final = frozenset({"fewer missing", "fewer invalid", "better", "sooner"})
_COVERAGE: Final = frozenset({"fewer features", "fewer predictions"})
_RATE_METHODS: Final = frozenset({"missing", "invalid", "unseen", "out_of_range", "coverage", "pairs"})
_SPECIAL: Final[dict[str, Cause]] = {
    "@loss": "performance",
    "@relation": "concept_drift",
    "@delay": "label_delay",
    "@labels_missing": "label_delay",
    "@labels_selective": "label_delay",
    "@subgroup": "subgroup",
}
_DERIVED: Final = ("@joint", "@distance", "@residual")


def cause_of(*, column: str, segment: str, method: str, direction: str, after: float) -> Cause:
    """What a verdict on a column speaks of; the parameters are fields of the record `drift_verdict`."""
    if column in _SPECIAL:
        return _SPECIAL[column]
    if direction in ("more missing", "more invalid") and after >= GONE and not segment:
        return "schema"
    if direction in (*_RATES, *_COVERAGE, SKEWED) or (direction == "none" and method in _RATE_METHODS):
        return "data_quality"
    if is_prediction(column):
        return "prediction_drift"
    return "data_drift"


def rests_on_labels(column: str) -> bool:
    """Whether its verdicts come once labels do, long after the window's others."""
    return column in _SPECIAL


def is_prediction(column: str) -> bool:
    """Whether a column is the model's own output."""
    return column in ("@score", "@label") or column.startswith("@score.")


def is_derived(column: str) -> bool:
    """Whether a column is computed from all features together."""
    return column.startswith(_DERIVED)


def is_sharp(direction: str) -> bool:
    """Whether it breaks at once, and is mended at once: fewer quiet windows resolve it."""
    return direction in _SHARP


def is_improvement(direction: str) -> bool:
    """Whether the change is one that nobody needs to mend."""
    return direction in _BETTER
