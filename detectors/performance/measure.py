"""The metrics of a performance sketch, whatever its task."""

from detectors.performance.binary import binary_metrics
from detectors.performance.intervals import Metric, of_mean
from detectors.performance.multiclass import multiclass_metrics
from detectors.performance.regression import regression_metrics
from detectors.performance.sketch import PerformanceSketch
from detectors.performance.space import Task


def measure(sketch: PerformanceSketch) -> dict[str, Metric]:
    """All metrics by name; `value`, the mean of the business number, where some came. None at all of a sketch that is
    not settled: corrections of labels that are not in it."""
    if not sketch.settled:
        return {}
    metrics = {
        Task.BINARY: binary_metrics,
        Task.MULTICLASS: multiclass_metrics,
        Task.REGRESSION: regression_metrics,
    }[sketch.space.task](sketch)
    found = {metric.name: metric for metric in metrics}
    value = sketch.moment("value")
    if value.n > 0:
        found["value"] = of_mean("value", value.mean, value.variance, value.n)
    return found
