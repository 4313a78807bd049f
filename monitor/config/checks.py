"""The rules between keys: what no single value can break by itself."""

import math

from monitor.config.addresses import Address
from monitor.config.concept_drift_checks import check_concept_drift
from monitor.config.durations import format_duration
from monitor.config.mapping_checks import check_label_mapping, check_mapping
from monitor.config.methods import MAXIMA, looks_at_events
from monitor.config.report import Report, check_repeats
from monitor.config.schema import MATURE_AT, Config, Drift, Model
from monitor.config.window_checks import check_windows
from monitor.events.label_mapping import LabelMapping

LEAST_TOKEN = 16


def check(config: Config, report: Report) -> None:
    """Report every rule that is broken. Messages name places and times, never other values."""
    if not config.models:
        report("models", "at least one model is needed")
    check_repeats("models", [model.name for model in config.models], "this name", report, key=".name")
    for i, model in enumerate(config.models):
        check_windows(model, f"models[{i}]", report)
        _check_times(model, f"models[{i}]", report)
        check_mapping(model, f"models[{i}].mapping", report)
        _check_columns(model, f"models[{i}].columns", report)
        check_label_mapping(model.label_mapping, f"models[{i}].label_mapping", report)
        _check_labels(model, f"models[{i}]", report)
        _check_decisions(model, f"models[{i}]", report)
        _check_drift(model.drift, f"models[{i}].drift", report)
        check_concept_drift(model, f"models[{i}].concept_drift", report)
        if model.feature_skew is not None and model.feature_skew.columns is not None:
            _check_names(model.feature_skew.columns, f"models[{i}].feature_skew.columns", report)
        check_repeats(f"models[{i}].segments", model.segments, "this dimension", report)
        check_repeats(f"models[{i}].compare", model.compare, "this comparison", report)
        if not model.compare:
            report(f"models[{i}].compare", "names nothing to compare with; leave the key out for the pinned reference")
    _check_topics(config, report)
    if problem := page_problem(config.ui.listen, config.ui.token.reveal()):
        report("ui.token", problem)


def page_problem(listen: Address | None, token: str) -> str:
    """Why the page must not be served at this address with this token; empty where it may."""
    if token and len(token) < LEAST_TOKEN:
        return f"needs at least {LEAST_TOKEN} characters, which nobody guesses"
    if listen is not None and not token and not listen.is_loopback:
        return f"is needed where the page listens on {listen}, which others can reach"
    return ""


def _check_times(model: Model, path: str, report: Report) -> None:
    if model.retention_ms < model.lateness_ms:
        retention, lateness = format_duration(model.retention_ms), format_duration(model.lateness_ms)
        report(f"{path}.retention", f"must be at least the lateness: {retention} is less than {lateness}")


def _check_labels(model: Model, path: str, report: Report) -> None:
    if model.label_horizon_ms is None:
        if model.label_mapping != LabelMapping():
            report(f"{path}.label_horizon", "labels are joined for as long as it says, such as 30d; without it, never")
        if model.label_is != "latest":
            report(f"{path}.label_is", "says which label counts, but without a label_horizon none is joined")
        if model.mature_at != MATURE_AT:
            report(
                f"{path}.mature_at", "says how many labels must have come, but without a label_horizon none is joined"
            )
    if model.task != "binary":
        if model.positive is not None:
            report(f"{path}.positive", "belongs to a binary model's score; say task: binary, or leave it out")
        if model.threshold is not None:
            report(f"{path}.threshold", "belongs to a binary model's score; say task: binary, or leave it out")


def _check_decisions(model: Model, path: str, report: Report) -> None:
    check_repeats(f"{path}.alerts.silences", model.alerts.silences, "this silence", report)
    check_repeats(f"{path}.retraining.causes", model.retraining.causes, "this cause", report)
    budget = model.retraining.budget
    if budget.per_ms < model.retraining.cooldown_ms:
        report(f"{path}.retraining.budget", "is over a shorter time than the cooldown, which already allows less")


def _check_columns(model: Model, path: str, report: Report) -> None:
    for name in model.columns:
        if name in model.mapping.of_events.reserved:
            report(f"{path}.{name}", "is a field of the event, and no feature; rename it, or map the field elsewhere")


def _check_drift(drift: tuple[Drift, ...], path: str, report: Report) -> None:
    for i, entry in enumerate(drift):
        most = MAXIMA.get(entry.method, math.inf)
        if entry.threshold > most:
            report(f"{path}[{i}].threshold", f"{entry.method} is never more than {most:g}: nothing would ever drift")
        if entry.columns is not None and looks_at_events(entry.method):
            report(f"{path}[{i}].columns", f"{entry.method} looks at whole events; leave the key out")
        elif entry.columns is not None:
            _check_names(entry.columns, f"{path}[{i}].columns", report)
        for j, earlier in enumerate(drift[:i]):
            if earlier.method == entry.method and _overlap(earlier.columns, entry.columns):
                report(f"{path}[{i}]", f"looks at columns that {path}[{j}] looks at with the same method")
                break


def _check_names(columns: tuple[str, ...], path: str, report: Report) -> None:
    if not columns:
        report(path, "names no column; leave the key out for all of them")
    check_repeats(path, columns, "this column", report)


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
        check_repeats(f"kafka.topics.{role}", names, "this topic", report)
        for i, name in enumerate(names):
            other = role_of.setdefault(name, role)
            if other != role:
                report(f"kafka.topics.{role}[{i}]", f"this topic is also under {other}; a topic has one role")
            if name.startswith(own):
                report(f"kafka.topics.{role}[{i}]", "topics that begin with kafka.topic_prefix are Driftline's own")
