"""By how much a metric is worse than the reference's, in SQL: for statements of the page and of dashboards."""

from typing import Final

from detectors.performance.direction import LESS, MORE, ZERO


def _sql(low: str, high: str) -> str:
    def among(names: tuple[str, ...]) -> str:
        return f"splitByChar(':', metric)[1] IN ({', '.join(repr(name) for name in names)})"

    return (
        f"multiIf({among(LESS)}, {low} - reference_value, {among(MORE)}, reference_value - {high}, "
        f"{among(ZERO)}, greatest({low}, -{high}, 0.) - abs(reference_value), "
        f"greatest({low} - reference_value, reference_value - {high}))"
    )


WORSE_BY: Final = _sql("value", "value")
"""`monitor.api.metrics.worse_by` of a row of `performance_latest`; NaN where something is not known."""
SURELY_WORSE_BY: Final = _sql("ci_low", "ci_high")
"""`monitor.api.metrics.surely_worse_by`, likewise."""
