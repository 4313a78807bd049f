"""What roles need, looked at before anything starts: files, ports, services. One line, never a trace."""

import errno
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from monitor.config.addresses import Address
from monitor.config.schema import Config
from monitor.errors import ConfigError, InputError, Problem, Unavailable

_FILES: Final = ".location"
"""How librdkafka's settings that name files end."""

_PROBE: Final = "probe"  # of `ssl.ca.location`: look in the usual places


def check_files(config: Config, *, state: bool) -> None:
    """Look for certificates and keys; with `state`, whether `state_dir` can be written to.

    Raises
    ------
    ConfigError
        A setting of `kafka.client` names no file that can be read. Its value is not told.
    InputError
        The folder cannot be written to.
    """
    problems = list(_missing_files(config))
    if problems:
        raise ConfigError(problems, hint="mend kafka.client, or put the files where it says")
    if state:
        try:
            config.state_dir.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=config.state_dir):
                pass
        except OSError as error:
            raise InputError(
                f"cannot write to state_dir {config.state_dir}: {error.strerror or error}",
                hint="name a folder that can be written to under `state_dir`",
            ) from error


def check_ports(wanted: Mapping[str, Address | None]) -> None:
    """Try every address that will be listened at, by what for; all that cannot be had are one message.

    Raises
    ------
    Unavailable
        Another process has a port, two of the names want one, or the host is none of this machine.
    """
    problems, owners = [], dict[tuple[str, int], str]()
    for what, address in wanted.items():
        if address is None or not address.port:
            continue
        other = owners.setdefault((address.host, address.port), what)
        if other != what:
            problems.append(f"port {address.port} of {address.host} is wanted twice, for {other} and for {what}")
        elif because := _refusal(address):
            problems.append(f"port {address.port} of {address.host} {because} ({what})")
    if problems:
        raise Unavailable(
            "; ".join(problems),
            hint="choose others (metrics.listen, from which on each role has the next port; ui.listen; --port), "
            "or end who has them",
        )


def check_services(config_path: Path, config: Config, check: Callable[[], None]) -> None:
    """Reach the broker and every destination once, within seconds. `check` is called meanwhile; what it raises ends it.

    Raises
    ------
    Unavailable
        One of them does not answer.
    StoppedError
        One of them refuses: the credentials, or a schema that is not of this release.
    """
    from monitor.embedded.preparation import reach_destinations
    from monitor.kafka.clients import reach_broker

    reach_broker(config.kafka)
    check()
    reach_destinations(config_path, check)


def _refusal(address: Address) -> str:
    """Why nobody can listen there now; "" if one can."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that linger do not count
            probe.bind(("" if address.host == "*" else address.host, address.port))
    except OverflowError:
        return "is no port: there are 65535, and each role takes the next"
    except OSError as error:
        return "is in use" if error.errno == errno.EADDRINUSE else f"cannot be had: {error.strerror or error}"
    return ""


def _missing_files(config: Config) -> Iterator[Problem]:
    for key, value in config.kafka.client_settings().items():
        if not key.lower().endswith(_FILES) or not value or value == _PROBE:
            continue
        path = Path(str(value))
        try:
            if path.is_file():
                path.open("rb").close()
            elif not path.is_dir():  # a folder of certificates is one, too
                yield Problem(path=f"kafka.client.{key}", message="names a file that does not exist")
        except OSError as error:
            yield Problem(path=f"kafka.client.{key}", message=f"names a file that cannot be read: {error.strerror}")
