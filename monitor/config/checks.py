"""The rules between keys: what no single value can break by itself."""

from collections.abc import Callable, Iterable

from monitor.config.durations import format_duration
from monitor.config.methods import looks_at_events
from monitor.config.schema import Config, Drift, Model
from monitor.events.mapping import Mapping

MIN_PANE_MS = 1_000
"""Shorter panes hold a handful of events each and cost a sketch each."""

MAX_PANES_A_WINDOW = 10_000
"""A window is the sum of its panes, and all of them are kept: 3 KB a column and pane."""

MAX_PANES_KEPT = 50_000
"""Panes of one version that live at a time, for late events: each has a value of its own in the state. 14 days of
minutes are 20,160."""

Report = Callable[[str, str], None]
"""Called with the path and the message of each problem."""


def check(config: Config, report: Report) -> None:
    """Report every rule that is broken. Messages name places and times, never other values."""
    if not config.models:
        report("models", "at least one model is needed")
    _check_repeats("models", [model.name for model in config.models], "this name", report, key=".name")
    for i, model in enumerate(config.models):
        _check_windows(model, f"models[{i}]", report)
        _check_times(model, f"models[{i}]", report)
        _check_mapping(model.mapping, f"models[{i}].mapping", report)
        _check_drift(model.drift, f"models[{i}].drift", report)
        _check_repeats(f"models[{i}].segments", model.segments, "this dimension", report)
    _check_topics(config, report)


def _check_windows(model: Model, path: str, report: Report) -> None:
    if not model.windows:
        report(f"{path}.windows", "at least one window is needed")
        return
    sound = True
    for i, window in enumerate(model.windows):
        if window.every_ms > window.size_ms:
            sound = False
            size = format_duration(window.size_ms)
            report(f"{path}.windows[{i}].every", f"must be at most the size ({size}), or events fall between windows")
        if window.offset_ms >= window.every_ms:
            sound = False
            step = format_duration(window.every_ms)
            report(f"{path}.windows[{i}].offset", f"must be less than the step ({step})")
    _check_repeats(f"{path}.windows", model.windows, "this window", report)
    if not sound:
        return
    pane_ms = model.pane_ms
    pane = format_duration(pane_ms)
    if pane_ms < MIN_PANE_MS:
        report(
            f"{path}.windows",
            f"sizes, steps and offsets have only {pane} in common, and at least {format_duration(MIN_PANE_MS)} is "
            "needed; choose times that divide each other",
        )
        return
    for i, window in enumerate(model.windows):
        n_panes = window.size_ms // pane_ms
        if n_panes > MAX_PANES_A_WINDOW:
            report(
                f"{path}.windows[{i}].size",
                f"is {n_panes:,} panes of {pane} (what all sizes, steps and offsets have in common), and at most "
                f"{MAX_PANES_A_WINDOW:,} are possible; take longer steps or a shorter window",
            )
            sound = False
    n_kept = (model.retention_ms + max(window.size_ms for window in model.windows)) // pane_ms
    if sound and n_kept > MAX_PANES_KEPT:
        report(
            f"{path}.retention",
            f"{format_duration(model.retention_ms)} beside the longest window are {n_kept:,} panes of {pane} (what all "
            f"sizes, steps and offsets have in common), and at most {MAX_PANES_KEPT:,} are kept; shorten it or take "
            "longer steps",
        )


def _check_times(model: Model, path: str, report: Report) -> None:
    if model.retention_ms < model.lateness_ms:
        retention, lateness = format_duration(model.retention_ms), format_duration(model.lateness_ms)
        report(f"{path}.retention", f"must be at least the lateness: {retention} is less than {lateness}")


def _check_mapping(mapping: Mapping, path: str, report: Report) -> None:
    places: dict[str, str] = {}
    for key in mapping.__struct_fields__:
        place: str = getattr(mapping, key)
        if "" in place.split("."):
            report(f"{path}.{key}", "expected names with single dots between, such as prediction.score")
        elif (other := places.setdefault(place, key)) != key:
            report(f"{path}.{key}", f"names the same place as {other}")


def _check_drift(drift: tuple[Drift, ...], path: str, report: Report) -> None:
    for i, entry in enumerate(drift):
        if entry.columns is not None and looks_at_events(entry.method):
            report(f"{path}[{i}].columns", f"{entry.method} looks at whole events; leave the key out")
        elif entry.columns is not None:
            if not entry.columns:
                report(f"{path}[{i}].columns", "names no column; leave the key out for all of them")
            _check_repeats(f"{path}[{i}].columns", entry.columns, "this column", report)
        for j, earlier in enumerate(drift[:i]):
            if earlier.method == entry.method and _overlap(earlier.columns, entry.columns):
                report(f"{path}[{i}]", f"looks at columns that {path}[{j}] looks at with the same method")
                break


def _overlap(a: tuple[str, ...] | None, b: tuple[str, ...] | None) -> bool:
    return a is None or b is None or not set(a).isdisjoint(b)


def _check_topics(config: Config, report: Report) -> None:
    topics = config.kafka.topics
    roles = {"predictions": topics.predictions, "features": topics.features, "labels": topics.labels}
    if not topics.predictions and not topics.features:
        report("kafka.topics", "at least one topic of predictions or features is needed")
    own = f"{config.kafka.topic_prefix}."
    role_of: dict[str, str] = {}
    for role, names in roles.items():
        _check_repeats(f"kafka.topics.{role}", names, "this topic", report)
        for i, name in enumerate(names):
            other = role_of.setdefault(name, role)
            if other != role:
                report(f"kafka.topics.{role}[{i}]", f"this topic is also under {other}; a topic has one role")
            if name.startswith(own):
                report(f"kafka.topics.{role}[{i}]", "topics that begin with kafka.topic_prefix are Driftline's own")


def _check_repeats(path: str, values: Iterable[object], what: str, report: Report, key: str = "") -> None:
    first: dict[object, int] = {}
    for i, value in enumerate(values):
        j = first.setdefault(value, i)
        if j != i:
            report(f"{path}[{i}]{key}", f"{what} is already at {path}[{j}]{key}")
