"""What a role needs of this machine's files, looked at before anything starts: one line, never a trace."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from monitor.config.schema import Config
from monitor.errors import ConfigError, InputError, Problem

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
