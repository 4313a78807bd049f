"""Which way a metric of performance is worse, for Python and for SQL."""

from typing import Final, Literal

Direction = Literal["less", "more", "zero", "neither"]
"""What is better: less, more, or nearer to zero; `neither` of what is only described."""

_LESS: Final = ("log_loss", "brier", "ece", "mae", "rmse", "labels_missing", "label_delay_psi", "label_delay_ms")
_MORE: Final = ("roc_auc", "pr_auc", "macro_f1", "accuracy", "f1", "precision", "recall", "r2")
_ZERO: Final = ("bias",)


def direction(metric: str) -> Direction:
    """What is better of a metric; of one of a family (`recall:late`) as of its family."""
    family = metric.partition(":")[0]
    for names, better in ((_LESS, "less"), (_MORE, "more"), (_ZERO, "zero")):
        if family in names:
            return better  # type: ignore[return-value]  # one of the literals above
    return "neither"


def _sql(low: str, high: str) -> str:
    def among(names: tuple[str, ...]) -> str:
        return f"splitByChar(':', metric)[1] IN ({', '.join(repr(name) for name in names)})"

    return (
        f"multiIf({among(_LESS)}, {low} - reference_value, {among(_MORE)}, reference_value - {high}, "
        f"{among(_ZERO)}, greatest({low}, -{high}, 0.) - abs(reference_value), "
        f"greatest({low} - reference_value, reference_value - {high}))"
    )


WORSE_BY: Final = _sql("value", "value")
"""`monitor.api.metrics.worse_by` of a row of `performance_latest`; NaN where something is not known."""
SURELY_WORSE_BY: Final = _sql("ci_low", "ci_high")
"""`monitor.api.metrics.surely_worse_by`, likewise."""
