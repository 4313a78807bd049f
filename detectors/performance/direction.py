"""Which way a metric of performance, or of how labels come, is better."""

from typing import Final, Literal

Direction = Literal["less", "more", "zero", "neither"]
"""What is better: less, more, or nearer to zero; `neither` of what is only described."""

LESS: Final = ("log_loss", "brier", "ece", "mae", "rmse", "labels_missing", "label_delay_psi", "label_delay_ms")
MORE: Final = ("roc_auc", "pr_auc", "macro_f1", "accuracy", "f1", "precision", "recall", "r2")
ZERO: Final = ("bias",)
_BETTER: Final[tuple[tuple[tuple[str, ...], Direction], ...]] = ((LESS, "less"), (MORE, "more"), (ZERO, "zero"))


def direction(metric: str) -> Direction:
    """What is better of a metric; of one of a family as of its family.

    >>> direction("recall:late"), direction("log_loss"), direction("bias"), direction("residual:0.5")
    ('more', 'less', 'zero', 'neither')
    """
    family = metric.partition(":")[0]
    return next((better for names, better in _BETTER if family in names), "neither")
