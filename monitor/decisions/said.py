"""Control events of what a person says, in a command or on the page, checked. Pure: the clock is handed in."""

from collections.abc import Collection
from typing import TypeVar, get_args

from monitor.config import forms
from monitor.config.decisions import Cause
from monitor.config.durations import parse_duration
from monitor.decisions.controls import Acknowledgement, BadControl, Control, Silence, decode_control, encode_control
from monitor.errors import InputError
from sinks.settings import FormError

_Said = TypeVar("_Said", bound=Control)


def silence_of(
    model: str,
    *,
    models: Collection[str],
    column: str,
    segment: str | None,
    cause: str,
    since: str,
    until: str,
    reason: str,
    by: str,
    now_ms: int,
    options: str = "--",
) -> Silence:
    """A silence.

    Parameters
    ----------
    models
        Those of the configuration; `model` must be one.
    column, cause
        Empty: all.
    segment
        None: all; empty: all rows together only.
    since, until
        A time with its offset or a duration, of events; empty `since`: `now_ms`. A duration in `until` counts from
        `since` on.
    options
        What names of options begin with in errors.

    Raises
    ------
    InputError
        Where that cannot be said.
    """
    expect_model(model, models)
    if cause and cause not in get_args(Cause):
        raise InputError(f"no cause {cause!r}", hint=f"one of: {', '.join(get_args(Cause))}")
    if not reason.strip():
        raise InputError(f"a silence needs a {options}reason", hint="those who miss the alert will want to know")
    from_ms, until_ms = span_of(since, until, now_ms, options)
    name = f"silence {model} {cause or '*'} {segment if segment is not None else '*'} {column or '*'} {from_ms}"[:200]
    return checked(
        Silence(
            id=name, model=model, at_ms=now_ms, by=by, reason=reason, from_ms=from_ms, until_ms=until_ms,
            column=column or None, segment=segment, cause=cause or None,  # type: ignore[arg-type]  # checked above
        )
    )  # fmt: skip


def acknowledgement_of(model: str, dedupe_key: str, *, by: str, reason: str, now_ms: int) -> Acknowledgement:
    """That somebody has an alert in hand. Raises `InputError` where that cannot be said."""
    return checked(
        Acknowledgement(
            id=f"acknowledgement {dedupe_key}"[:200], model=model, at_ms=now_ms, by=by, reason=reason,
            dedupe_key=dedupe_key,
        )
    )  # fmt: skip


def checked(control: _Said) -> _Said:
    """The control as it is, when those who read it will take it. Raises `InputError`: ingest would drop it."""
    try:
        decode_control(encode_control(control)[1])
    except BadControl as error:
        raise InputError(f"this cannot be told: {error}", hint="names and reasons have at most 1,000 characters") from (
            error
        )
    return control


def silenced(control: Silence) -> str:
    """What a silence covers, in words: ``m, all causes, column distance``."""
    parts = [control.model, control.cause or "all causes"]
    parts += [f"column {control.column}"] if control.column else []
    parts += [f"segment {control.segment or 'of all rows'}"] if control.segment is not None else []
    return ", ".join(parts)


def expect_model(model: str, models: Collection[str]) -> None:
    """Raise `InputError` where the configuration has no such model."""
    if model not in models:
        raise InputError(f"no model {model!r}", hint=f"models: {', '.join(models)}")


def span_of(since: str, until: str, now_ms: int, options: str = "--") -> tuple[int, int]:
    """From and until, milliseconds since 1970. Raises `InputError`."""
    from_ms = _time(since, f"{options}from", now_ms) if since else now_ms
    until_ms = _time(until, f"{options}until", from_ms)
    if until_ms <= from_ms:
        raise InputError(
            f"{options}until must come after {options}from",
            hint=f"times are those of events: {options}from says since when",
        )
    return from_ms, until_ms


def _time(text: str, option: str, base_ms: int) -> int:
    """A time, or a duration from `base_ms` on."""
    try:
        return base_ms + parse_duration(text)
    except ValueError:
        pass
    try:
        return forms.instant(text)
    except FormError:
        raise InputError(
            f"{option} is no time", hint=f"a time with its offset, {option} 2026-03-01T12:00:00Z, a day, or 4h"
        ) from None
