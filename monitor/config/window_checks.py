"""The rules between the keys of a model's windows."""

from monitor.config.durations import format_duration
from monitor.config.report import Report, check_repeats
from monitor.config.schema import Model, WindowSettings
from monitor.config.spans import Span
from monitor.eventtime.windows import longest_ms

MIN_PANE_MS = 1_000
"""Shorter panes hold a handful of events each and cost a sketch each."""

MAX_PANES_A_WINDOW = 10_000
"""A window is the sum of its panes, and all of them are kept: 3 KB a column and pane."""

MAX_PANES_KEPT = 50_000
"""Panes of one version that live at a time, for late events: each has a value of its own in the state. 14 days of
minutes are 20,160."""


def check_windows(model: Model, path: str, report: Report) -> None:
    """Report every rule that a model's windows, or its retention beside them, break."""
    if not model.windows:
        report(f"{path}.windows", "at least one window is needed")
        return
    sound = [_check_window(window, f"{path}.windows[{i}]", report) for i, window in enumerate(model.windows)]
    if not all(sound):
        check_repeats(f"{path}.windows", model.windows, "this window", report)
        return
    shapes = [window.shape for window in model.windows]
    check_repeats(f"{path}.windows", shapes, "this window", report)
    pane_ms = model.pane_ms
    pane = format_duration(pane_ms)
    if pane_ms < MIN_PANE_MS:
        report(
            f"{path}.windows",
            f"sizes, steps and offsets have only {pane} in common, and at least {format_duration(MIN_PANE_MS)} is "
            "needed; choose times that divide each other",
        )
        return
    zones = any(window.timezone for window in model.windows)
    common = f"what all sizes, steps{', offsets and time zones' if zones else ' and offsets'} have in common"
    short = True
    for i, shape in enumerate(shapes):
        n_panes = shape.longest_ms // pane_ms
        if n_panes > MAX_PANES_A_WINDOW:
            report(
                f"{path}.windows[{i}].size",
                f"is {n_panes:,} panes of {pane} ({common}), and at most "
                f"{MAX_PANES_A_WINDOW:,} are possible; take longer steps or a shorter window",
            )
            short = False
    n_kept = (model.retention_ms + longest_ms(shapes)) // pane_ms
    if short and n_kept > MAX_PANES_KEPT:
        report(
            f"{path}.retention",
            f"{format_duration(model.retention_ms)} beside the longest window are {n_kept:,} panes of {pane} "
            f"({common}), and at most {MAX_PANES_KEPT:,} are kept; shorten it or take longer steps",
        )


def _check_window(window: WindowSettings, path: str, report: Report) -> bool:
    """Whether a window's own keys make a shape."""
    size, every = window.size, window.every
    if window.is_calendar:
        whole = True
        for key, span in (("size", size), ("every", every)):
            # A step that is left out is the size, which has been told.
            if span.days is None and span.months is None and (key == "size" or span != size):
                report(f"{path}.{key}", "must be whole days, weeks or months in a window of the calendar; "
                       "shorter ones are the same in every time zone")  # fmt: skip
                whole = False
        if not whole:
            return False
        if (size.months is None) != (every.months is None):
            report(
                f"{path}.every", f"must be in {'days or weeks' if size.months is None else 'months'}, as the size is"
            )
            return False
    sound = True
    if every.shortest_ms > size.shortest_ms:
        report(f"{path}.every", f"must be at most the size ({size}), or events fall between windows")
        sound = False
    first, what = (every, "the step") if every.months is None else (Span(n=1, unit="mo"), "the shortest month")
    if window.offset_ms >= first.shortest_ms:
        report(f"{path}.offset", f"must be less than {what} ({every if first is every else '28d'})")
        sound = False
    return sound
