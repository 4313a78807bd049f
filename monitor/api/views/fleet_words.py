"""Cells of the fleet's table in words."""

from collections.abc import Sequence

from monitor.api.metrics import metric_name
from monitor.api.queries.fleet import METRICS, Headline
from monitor.wording import figure, instant


def ago(age_ms: int) -> str:
    """``22 min``, ``3 h``, ``4 days``."""
    for name, length_ms in (("days", 86_400_000), ("h", 3_600_000), ("min", 60_000)):
        if age_ms >= 2 * length_ms:
            return f"{age_ms // length_ms} {name}"
    return f"{max(age_ms, 0) // 1_000} s"


def performance_words(headlines: Sequence[Headline], newest_ms: int = 0) -> str:
    """``AUC 0.71 [0.69, 0.73] (ref 0.74, est 0.72, 64 % labelled)``, and until when, where that is before the end of
    the newest window; "" without any."""
    measured = {one.metric: one for one in headlines if not one.estimated}
    estimated = {one.metric: one for one in headlines if one.estimated}
    metric = next((name for name in METRICS if name in measured or name in estimated), None)
    if metric is None:
        return ""
    one, guess = measured.get(metric), estimated.get(metric)
    main = one or guess
    assert main is not None
    known = [f"ref {figure('', main.reference_value)}"] if main.reference_value is not None else []
    later = one is not None and guess is not None and guess.window_end_ms > one.window_end_ms
    if one is not None and guess is not None:
        known.append(f"est {'of the newest window ' if later else ''}{figure('', guess.value)}")
    if one is None:
        known.append("estimated, no labels yet")
    elif one.maturity is not None:
        known.append(f"{100 * one.maturity:.0f} % labelled")
    text = f"{metric_name(metric)} {figure('', main.value)}"
    if main.ci_low is not None and main.ci_high is not None:
        text += f" [{figure('', main.ci_low)}, {figure('', main.ci_high)}]"
    if main.window_end_ms < newest_ms:
        text += f" until {instant(main.window_end_ms)}"
    return text + (f" ({', '.join(known)})" if known else "")
