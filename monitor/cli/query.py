"""`driftline query`: ask a destination's results in its own language, while the roles run and after."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Literal

import msgspec

from monitor import wiring
from monitor.cli.progress import results
from monitor.config.load import load
from monitor.config.schema import Config
from monitor.embedded.session import last_session
from monitor.errors import InputError, StoppedError, Unavailable
from sinks.destination import Queryable
from sinks.errors import BadRecord, SinkRejected, SinkUnavailable

Form = Literal["table", "json", "csv", "parquet"]


def query(config_path: Path, statement: str, destination: str, form: Form) -> None:
    """Print what a statement answers."""
    if statement == "-":
        statement = sys.stdin.read()
    with asked(load(config_path), destination) as source:
        answer = ask(source, statement, form)
    sys.stdout.flush()
    sys.stdout.buffer.write(answer)
    if not answer:
        results().print("no rows")


def ask(source: Queryable, statement: str, form: Form, parameters: Mapping[str, object] | None = None) -> bytes:
    """What a statement answers. Raises this package's errors."""
    try:
        return source.query(statement, form, parameters)
    except BadRecord as error:
        raise InputError(str(error), hint="docs/records.md lists tables and columns") from error
    except SinkUnavailable as error:
        raise Unavailable(str(error), hint="is the service up? `driftline status CONFIG` says") from error
    except SinkRejected as error:
        raise StoppedError(str(error)) from error


@contextmanager
def asked(config: Config, name: str = "") -> Iterator[Queryable]:
    """The destination of this name, or the only one that answers statements: where the session of `up` has it that runs
    or ran last, else where the configuration says.

    Raises `InputError` where there is none, or several and no name.
    """
    config = of_session(config)
    names = [name] if name else list(config.destinations)
    opened = {one: wiring.open_destination(config, one) for one in names}
    able = {one: found for one, found in opened.items() if isinstance(found, Queryable)}
    if len(able) != 1:
        known = ", ".join(able) or "none"
        raise InputError(
            f"{name!r} answers no statements" if name else f"the destinations that answer statements: {known}",
            hint="name one with --destination" if able else "a destination of type clickhouse answers SQL",
        )
    (found,) = able.values()
    with closing(opened[next(iter(able))]):
        yield found


def of_session(config: Config) -> Config:
    """The configuration with its destinations where the last session of `up` has put them."""
    session = last_session(config)
    if session is None:
        return config
    destinations = dict(config.destinations)
    for name, place in session.destinations.items():
        keys = place.running if session.runs else place.at_rest
        if name in destinations:
            kind = type(destinations[name])
            plain = msgspec.structs.asdict(destinations[name])
            names = {field.encode_name: field for field in msgspec.structs.fields(kind)}
            own = {names[key].name: _wrapped(plain[names[key].name], value) for key, value in keys.items()}
            destinations[name] = kind(**{**plain, **own})
    return msgspec.structs.replace(config, destinations=destinations)


def _wrapped(before: object, value: object) -> object:
    """A secret stays one."""
    return type(before)(value) if hasattr(before, "reveal") else value  # type: ignore[call-arg]  # sinks.secret.Secret
