"""`driftline init`: a first configuration from rows."""

import json
import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from monitor.cli.account import show_rejects
from monitor.cli.progress import bar, results
from monitor.config.load import parse
from monitor.errors import ConfigError, InputError
from monitor.events.json.forgiving import Refused
from monitor.events.times import TimeRule
from monitor.files.report import FileReport, nothing_usable, rejected
from monitor.wording import counted, listed

_MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_DATE = re.compile(rf"\b\d{{1,4}}[./-]\d{{1,2}}[./-]\d{{2,4}}\b|\b({_MONTHS})[a-z]*\b.*\d", re.IGNORECASE)

if TYPE_CHECKING:
    from monitor.guess.roles import Roles
    from monitor.guess.sample import Sample
    from monitor.guess.serving import ServingForm
    from monitor.guess.windows import Rate


def init(
    data: Path | None, topic: str, servers: str, output: Path, name: str, messages: int, keep: Path | None
) -> None:
    """Look at rows, write a configuration, and say what was guessed and what comes next.

    The events of a topic are kept in a file, which a reference can be built from; `keep`: another than `TOPIC.jsonl`
    beside the configuration.

    Raises
    ------
    InputError
        The output exists, neither or both of `data` and `topic` are given, or the rows cannot be used.
    NothingScored
        No row is an event.
    """
    if output.exists():
        raise InputError(f"{output} exists", hint="name another file with -o, or remove it")
    if not output.parent.is_dir():
        raise InputError(f"no such folder: {output.parent}")
    if (data is None) == (not topic):
        raise InputError("give one of --data FILE and --topic NAME", hint="driftline init --data january.csv")
    if data is not None:
        report = FileReport()
        _write(output, *_from_file(data, name, report), data=str(data), kafka=None, report=report)
    else:
        kept = keep or output.parent / f"{topic}.jsonl"
        if kept.exists():
            raise InputError(f"{kept} exists", hint="name another file with --keep, or remove it")
        report = FileReport()
        events, guessed = _from_topic(topic, servers, name, messages, report)
        _write(output, *guessed, data=str(kept), kafka=(servers, topic), report=report)
        _keep(events, kept)


def _from_file(data: Path, name: str, report: FileReport) -> "tuple[str, Roles, Rate, str]":
    from monitor.guess.roles import guessed
    from monitor.guess.sample import ROWS, events_of, sampled
    from monitor.guess.serving import serving_form

    with bar(f"looking at {data.name}") as show:
        form = serving_form(islice(events_of(data, show)[0], ROWS))
        read = _reader(form, report)
        events, nested, found = events_of(data, show)
        sample = sampled(_some(read(events), data, [found, report]), nested=nested or form is not None, what=str(data))
        roles = _expected(_of_form(guessed(sample), form), str(data), sample)
        again: Iterable[dict[str, Any]] = _rows(sample.columns, sample.n)
        if sample.n == ROWS:
            report.clear()
            again, _, found = events_of(data, show)
            again = read(again)
        rate = _rate(again, roles, str(data))
        report.add(found)
    stem = re.sub(r"(\.[A-Za-z]+)+$", "", data.resolve().name)
    return name or _model_name(roles, stem), roles, rate, f"{counted(sample.n, 'row')} of {data.name}"


def _reader(
    form: "ServingForm | None", report: FileReport
) -> Callable[[Iterable[dict[str, Any]]], Iterable[dict[str, Any]]]:
    """What takes records apart into events, and reports those that it cannot."""

    def refuse(refused: Refused, record: dict[str, Any]) -> None:
        report.reject(rejected(refused, json.dumps(record, default=str).encode()))

    return (lambda events: events) if form is None else partial(form.events, refuse=refuse)


def _some(events: Iterable[dict[str, Any]], what: Path | str, reports: list[FileReport]) -> Iterator[dict[str, Any]]:
    """The same events. Raises `NothingScored` where there are none, but rows that are not."""
    n = 0
    for event in events:
        n += 1
        yield event
    report = FileReport(reports)
    if not n and report.rejects:
        raise nothing_usable(what, report)


def _keep(events: list[dict[str, Any]], path: Path) -> None:
    """Write events as they came, those without a time with that of their message."""
    from monitor.guess.serving import kept

    try:
        with path.open("x", encoding="utf-8") as file:
            file.writelines(json.dumps(kept(event)) + "\n" for event in events)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error


def _from_topic(
    topic: str, servers: str, name: str, messages: int, report: FileReport
) -> "tuple[list[dict[str, Any]], tuple[str, Roles, Rate, str]]":
    from monitor.guess.roles import guessed
    from monitor.guess.sample import sampled
    from monitor.guess.serving import serving_form
    from monitor.kafka.peek import first_events

    where = f"topic {topic} at {servers}"
    events = first_events(servers, topic, messages, report)
    if not events and report.rejects:
        raise nothing_usable(where, report)
    if not events:
        raise InputError(f"{where} has no message that is a JSON object", hint="send some, or use --data FILE")
    read = events
    form = serving_form(events)
    if form is not None:
        events = list(_reader(form, report)(events))
    sample = sampled(events, nested=True, what=where)
    roles = _expected(_of_form(guessed(sample), form), where, sample)
    what = f"{sample.n:,} events of {where}"
    return read, (name or _model_name(roles, topic), roles, _rate(events, roles, where), what)


def _of_form(roles: "Roles", form: "ServingForm | None") -> "Roles":
    if form is None:
        return roles
    names = [form.name] if form.name else []
    return msgspec.structs.replace(roles, preset=form.preset, model_names=names, apart=form.apart)


def _rows(columns: dict[str, list[Any]], n: int) -> Iterator[dict[str, Any]]:
    for row in range(n):
        yield {path: values[row] for path, values in columns.items()}


def _expected(roles: "Roles", what: str, sample: "Sample") -> "Roles":
    """The roles; refused where there is nothing to work with."""
    columns = sample.columns
    if roles.timestamp is None:
        hint = "windows need the time of each prediction: add a column `timestamp`, such as 2026-03-01T10:00:00Z"
        if not sample.nested and len(columns) == 1:
            hint = "the first line must name the columns, and nothing stand before it: no title, no comment"
        elif sample.nested and sample.n == 1:
            hint = "it is one object: an array of objects, or an object a line, is read, each an event"
        elif spelled := _spelled_otherwise(columns):
            hint = f"{spelled}, if it is one: times are written as 2026-03-01T10:00:00Z, of 2000 to 2100"
        raise InputError(f"no column of {what} holds times; it has {listed(list(columns)) or 'none'}", hint=hint)
    if not roles.names and roles.task == "none":
        raise InputError(f"{what} has times and nothing else to watch", hint="it needs features, a score or a label")
    return roles


def _spelled_otherwise(columns: dict[str, list[Any]]) -> str:
    """A column of dates as people write them, and its first value; "" for none."""
    for name, values in columns.items():
        value = next((one for one in values if one is not None), None)
        if isinstance(value, str) and _DATE.search(value):
            return f"{name} ({value[:40]!r})"
    return ""


def _rate(events: Iterable[dict[str, Any]], roles: "Roles", what: str) -> "Rate":
    from monitor.guess.sample import at, time_reader
    from monitor.guess.windows import Rate

    assert roles.timestamp is not None
    rule = TimeRule(unit=roles.unit)
    read = time_reader(rule.read, rule.from_local)
    n, first_ms, last_ms = 0, 0, 0
    for event in events:
        time_ms = read(at(event, roles.timestamp))
        if time_ms is not None:
            first_ms, last_ms = min(first_ms or time_ms, time_ms), max(last_ms, time_ms)
            n += 1
    if not n:
        raise InputError(f"no value of {roles.timestamp} in {what} is a time")
    return Rate(n=n, first_ms=first_ms, last_ms=last_ms)


def _model_name(roles: "Roles", otherwise: str) -> str:
    text = roles.model_names[0] if roles.model_names else otherwise
    return "".join(character if character.isprintable() else "-" for character in text).strip()[:200] or "model"


def _write(
    output: Path,
    name: str,
    roles: "Roles",
    rate: "Rate",
    source: str,
    *,
    data: str,
    kafka: tuple[str, str] | None,
    report: FileReport,
) -> None:
    from monitor.guess.windows import window_size
    from monitor.guess.written import configuration, told

    size = window_size(rate)
    text = configuration(name, roles, size, rate, source, kafka=kafka)
    try:
        parse(text, str(output), folder=output.parent)
    except ConfigError as error:  # names in the data that no configuration takes
        raise InputError(f"a configuration for {source} would not be right: {error}", hint="rename it") from error
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise InputError(f"cannot write {output}: {error.strerror or error}") from error
    console = results()
    console.print(f"{source}:")
    for line in told(name, roles, size, rate):
        console.print(f"  {line}")
    show_rejects(console, report.rejects, report.examples)
    for note in report.notes:
        console.print(note)
    console.print(f"written: {output}. It has a comment on every guess: read it, and mend what is wrong.")
    config, quoted = shlex.quote(str(output)), shlex.quote(data)
    if kafka is not None:
        console.print(f"These events are kept in {data}: build the reference from them, or from others.")
    console.print(f"Next: driftline reference build {config} --data {quoted}")
    replay = f"driftline replay {config} --predictions LATER --out results"
    console.print(f"Then: {replay if kafka is None else f'driftline up {config} --own-kafka'}")
    if roles.task != "none" and roles.prediction_id is not None:
        give = "--labels FILE to both" if kafka is None else "topics.labels, and --labels FILE to reference build"
        console.print(f"How good the model is: label_horizon in {config}, then {give}.")
