"""Commands that tell a running Driftline something: silences, acknowledgements, rollouts, outcomes of retraining.

Each writes one event to `drift.controls` and returns. Ingest reads it within a second or so, and decisions take it in
with what they read next. Keys and ids are looked up on `drift.alerts` and `drift.retraining`, so no database is needed.
"""

import getpass
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from monitor import wiring
from monitor.cli.progress import results
from monitor.config.load import load
from monitor.config.schema import Config
from monitor.decisions.controls import Removed, Rollout
from monitor.decisions.request import RetrainingRequest
from monitor.decisions.said import acknowledgement_of, expect_model, silence_of, silenced, span_of
from monitor.decisions.wire import AlertEvent, BadEvent, RetrainingEvent, decode_alert, decode_retraining
from monitor.decisions.words import safe
from monitor.embedded.session import last_session
from monitor.errors import InputError
from monitor.kafka import topics
from monitor.kafka.clients import reach_broker
from monitor.kafka.controls import send_control
from monitor.kafka.read_all import read_all
from monitor.reference.folder import load_reference
from monitor.sketching.control_events import OutcomeEvent, outcome_control
from monitor.wording import counted, instant

_OUTCOMES = ("succeeded", "failed", "cancelled")


def silence(
    config_path: Path,
    *,
    model: str,
    column: str,
    segment: str | None,
    cause: str,
    since: str,
    until: str,
    reason: str,
    remove: str,
) -> None:
    """Silence alerts of a model for a time, or end a silence."""
    config, now_ms = _running(config_path), _now_ms()
    models = [one.name for one in config.models]
    if remove:
        expect_model(model, models)
        send_control(config.kafka, Removed(id=remove, model=model, at_ms=now_ms, by=_user(), reason=reason))
        results().print(f"The silence {safe(remove)} of {safe(model)} ends.")
        return
    control = silence_of(
        model, models=models, column=column, segment=segment, cause=cause, since=since, until=until, reason=reason,
        by=_user(), now_ms=now_ms,
    )  # fmt: skip
    send_control(config.kafka, control)
    console = results()
    span = f"{instant(control.from_ms)} to {instant(control.until_ms)}"
    console.print(f"Silent from {span} in event time: {safe(silenced(control))}.")
    console.print(
        f"Next: driftline silence {config_path} --model {safe(model)} --remove '{safe(control.id)}' ends it sooner."
    )


def acknowledge(config_path: Path, key: str, *, by: str, reason: str) -> None:
    """Say who has an alert in hand: its dedupe key, or the id of one of its events."""
    config = _running(config_path)
    found = [event for event in _alerts(config) if key in (event.id, event.subject)]
    if not found:
        raise InputError(
            f"no alert has the id or key {key!r} on {config.kafka.own_topic(topics.ALERTS)}",
            hint="alerts.dedupe_key in ClickHouse, dedupe_key in the message itself",
        )
    last = found[-1]
    who = by or _user()
    said = acknowledgement_of(last.data.model, last.subject, by=who, reason=reason, now_ms=_now_ms())
    send_control(config.kafka, said)
    console = results()
    console.print(f"{safe(who)} has it in hand: {safe(last.data.summary)}")
    if last.data.state == "resolved":
        console.print("It is resolved already, so nothing more is told of it.")
    else:
        console.print("It is told again only when it becomes critical, or is resolved.")


def rollout(config_path: Path, *, model: str, version: str, since: str, until: str, reason: str) -> None:
    """Mark that a version is being rolled out: no retraining is asked for meanwhile."""
    config, now_ms = _running(config_path), _now_ms()
    expect_model(model, [one.name for one in config.models])
    from_ms, until_ms = span_of(since, until, now_ms)
    send_control(
        config.kafka,
        Rollout(
            id=f"rollout {model} {version}"[:200], model=model, at_ms=now_ms, by=_user(), reason=reason,
            from_ms=from_ms, until_ms=until_ms, version=version,
        ),
    )  # fmt: skip
    results().print(
        f"No retraining of {safe(model)} is asked for from {instant(from_ms)} to {instant(until_ms)} in event time. "
        "The same command with another --until moves the end."
    )


def report_retraining(config_path: Path, key: str, *, status: str, version: str, model: str, reason: str) -> None:
    """Report what became of a request to retrain: its dedupe key, or the id of its event."""
    config = _running(config_path)
    if status not in _OUTCOMES:
        raise InputError(f"no status {status!r}", hint=f"one of: {', '.join(_OUTCOMES)}")
    if model:
        expect_model(model, [one.name for one in config.models])
    else:
        found = [event for event in _requests(config) if key in (event.id, event.subject)]
        if not found:
            raise InputError(
                f"no request has the id or key {key!r} on {config.kafka.own_topic(topics.RETRAINING)}",
                hint=f"driftline retraining list {config_path} shows them; --model M reports one that is older",
            )
        model, key = found[-1].data.model, found[-1].subject
    outcome = OutcomeEvent(dedupe_key=key, status=status, version=version, model=model, by=_user(), reason=reason)  # type: ignore[arg-type]  # checked above
    send_control(config.kafka, outcome_control(outcome, _now_ms()))
    named = f", version {safe(version)}" if version else ""
    results().print(f"The retraining {safe(key)} of {safe(model)} has {_verb(status)}{named}.")
    if status == "succeeded" and version:
        results().print(_reference_of(config, config_path, model, version))


def _reference_of(config: Config, config_path: Path, model_name: str, version: str) -> str:
    """Whether the new version has its reference, and how it gets one."""
    model = next(one for one in config.models if one.name == model_name)
    try:
        current = load_reference(model.reference).version
    except InputError:
        current = ""
    if current == version:
        return f"Its reference is in place: {model.reference}; events are compared with it."
    return (
        f"Next: driftline reference build {config_path} --data FILE --version {safe(version)}, from what it was "
        "trained on, once it answers most events: running roles compare all versions with it."
    )


def list_retraining(config_path: Path, *, model: str) -> None:
    """Show the requests to retrain, the last state of each."""
    config = _running(config_path)
    last: dict[tuple[str, str], RetrainingRequest] = {}
    for event in _requests(config):
        if model in ("", event.data.model):
            last[event.data.model, event.data.dedupe_key] = event.data
    console = results()
    if not last:
        console.print(f"No request to retrain is on {config.kafka.own_topic(topics.RETRAINING)}.")
        return
    _table(console, sorted(last.values(), key=lambda one: (one.at_ms, one.model, one.dedupe_key)))
    n_open = sum(one.status == "requested" for one in last.values())
    console.print(f"{counted(len(last), 'request')}, {n_open:,} without an outcome.")
    if n_open:
        console.print(f"Next: driftline retraining report {config_path} KEY --status succeeded --version V")


def _table(console: Console, requests: list[RetrainingRequest]) -> None:
    table = Table(show_lines=False)
    for title in ("at", "status", "key"):
        table.add_column(title, no_wrap=True)
    table.add_column("why", overflow="fold")
    for one in requests:
        dry = " (dry run)" if one.dry_run else ""
        table.add_row(instant(one.at_ms), one.status, safe(one.dedupe_key), safe(one.reason) + dry)
    console.print(table)


def _running(config_path: Path) -> Config:
    """The configuration, or that of the session of `up` that runs; its broker answers, and our topics are there."""
    config = load(config_path)
    session = last_session(config)
    if session is not None and session.runs:
        config = load(Path(session.config))
    reach_broker(config.kafka)
    wiring.prepare_topics(config)
    return config


def _alerts(config: Config) -> Iterator[AlertEvent]:
    for message in read_all(config.kafka, config.kafka.own_topic(topics.ALERTS)):
        try:
            yield decode_alert(message.value() or b"")
        except BadEvent:  # of another release: nothing is looked up in it
            continue


def _requests(config: Config) -> Iterator[RetrainingEvent]:
    for message in read_all(config.kafka, config.kafka.own_topic(topics.RETRAINING)):
        try:
            yield decode_retraining(message.value() or b"")
        except BadEvent:
            continue


def _verb(status: str) -> str:
    return {"succeeded": "succeeded", "failed": "failed", "cancelled": "been cancelled"}[status]


def _now_ms() -> int:
    return int(time.time() * 1000)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return ""
