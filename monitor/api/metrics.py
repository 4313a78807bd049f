"""Metrics of performance as people read them: names, order, units, and which way is worse."""

from collections.abc import Sequence
from typing import Final

import msgspec

from detectors.performance.direction import direction
from monitor.api.queries.performance import Figure
from monitor.api.wording import clip

_NAMES: Final = {
    "roc_auc": "AUC",
    "pr_auc": "average precision",
    "macro_f1": "macro F1",
    "accuracy": "accuracy",
    "f1": "F1",
    "precision": "precision",
    "recall": "recall",
    "recall:": "recall of {}",
    "log_loss": "log loss",
    "brier": "Brier score",
    "ece": "calibration error",
    "mae": "mean absolute error",
    "rmse": "root mean squared error",
    "bias": "mean error (prediction less truth)",
    "r2": "R²",
    "residual:": "{} of the residual (truth less prediction)",
    "value": "mean of the labels' value",
    "labels_missing": "share of due labels missing",
    "label_delay_psi": "PSI of the label delay",
    "label_delay_ms:": "{} of the label delay in hours",
}
"""In the order in which they are offered; what ends with a colon is a family, of which a member says what of."""
_HOUR_MS: Final = 3_600_000.0
_PLACES: Final = {name: place for place, name in enumerate(_NAMES)}


def _family(metric: str) -> tuple[str, str]:
    name, colon, of = metric.partition(":")
    return name + colon, of


def offered(metrics: Sequence[str]) -> list[str]:
    """Those that screens show, each once, in their order."""
    known = {metric: _family(metric) for metric in metrics}
    found = [(_PLACES[family], of, metric) for metric, (family, of) in known.items() if family in _PLACES]
    return [metric for _, _, metric in sorted(found)]


def is_quality(metric: str) -> bool:
    """Whether a metric says how good the model is, and not how labels come."""
    return not metric.startswith("label") and direction(metric) != "neither"


def metric_name(metric: str) -> str:
    """What people call a metric."""
    family, of = _family(metric)
    name = _NAMES.get(family)
    if name is None:
        return clip(metric.replace("_", " "))
    if family in ("residual:", "label_delay_ms:"):
        of = "median" if of == "0.5" else f"{100 * float(of):.3g} % quantile"
    return name.format(clip(of))


def in_words_units(one: Figure) -> Figure:
    """A figure in the unit that its metric's name says: delays in hours."""
    if not one.metric.startswith("label_delay_ms:"):
        return one
    scaled = {
        name: None if (own := getattr(one, name)) is None else own / _HOUR_MS
        for name in ("value", "ci_low", "ci_high", "reference_value", "spread_low", "spread_high")
    }
    return msgspec.structs.replace(one, **scaled)


def is_worse(one: Figure) -> bool:
    """Whether all of the figure's interval is worse than the reference's value."""
    least = surely_worse_by(one)
    return least is not None and least > 0.0 and direction(one.metric) != "neither"


def worse_by(one: Figure) -> float | None:
    """By how much a figure is worse than the reference's, in the metric's unit; below 0 where it is better. Of a metric
    that knows no worse, how far it is from it. None where one of them is not known."""
    if one.value is None or one.reference_value is None:
        return None
    return _worse(one.metric, one.value, one.value, one.reference_value)


def surely_worse_by(one: Figure) -> float | None:
    """As `worse_by`, of that end of the 95 % interval which is the better one; None where there is no interval."""
    if one.ci_low is None or one.ci_high is None or one.reference_value is None:
        return None
    return _worse(one.metric, one.ci_low, one.ci_high, one.reference_value)


def _worse(metric: str, low: float, high: float, reference: float) -> float:
    better = direction(metric)
    if better == "less":
        return low - reference
    if better == "more":
        return reference - high
    if better == "zero":
        return max(low, -high, 0.0) - abs(reference)
    return max(low - reference, reference - high)
