"""Reading a configuration: text to `Config`, or one `ConfigError` that names everything wrong with it."""

import os
from collections.abc import Mapping
from pathlib import Path

from monitor.config import document
from monitor.config.checks import check
from monitor.config.decisions import PolicyFile
from monitor.config.decode import SettingsDecoder
from monitor.config.schema import Config
from monitor.errors import ConfigError, Problem


def load(path: Path, *, environ: Mapping[str, str] | None = None) -> Config:
    """Read a configuration file.

    Parameters
    ----------
    path
        A YAML file in UTF-8. Relative paths in it are relative to its folder.
    environ
        The variables for ``${VAR}``; None takes those of the process.

    Raises
    ------
    ConfigError
        The file cannot be read, is not YAML, or is not a configuration. Names every problem found, and no secret.
    """
    text = _read(path, "driftline.example.yaml is a complete example to copy")
    return parse(text, str(path), folder=path.parent, environ=environ)


def load_policy(path: Path, *, environ: Mapping[str, str] | None = None) -> PolicyFile:
    """Read a file that has the keys `alerts` and `retraining` of a model. Raises `ConfigError`, as `load`."""
    hint = "a file with the keys alerts and retraining, as a model has them in driftline.example.yaml"
    root, problems = document.read(_read(path, hint))
    decoder = SettingsDecoder(os.environ if environ is None else environ, path.parent)
    policy: PolicyFile | None = decoder.decode(root, PolicyFile) if root else None
    problems = sorted([*problems, *decoder.problems], key=lambda problem: (problem.line, problem.column))
    if problems or policy is None:
        raise ConfigError(problems or "the file is empty", source=str(path), hint=hint)
    return policy


def _read(path: Path, hint: str) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError([Problem(message="the file is not UTF-8 text", line=line)], source=str(path)) from None
    except (OSError, ValueError) as error:  # ValueError: a path with a null character in it
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a path"
        raise ConfigError(f"cannot be read: {reason}", source=str(path), hint=hint) from error


def parse(
    text: str,
    source_name: str = "configuration",
    *,
    folder: Path = Path(),
    environ: Mapping[str, str] | None = None,
) -> Config:
    """Read a configuration from text.

    Parameters
    ----------
    text
        YAML.
    source_name
        What errors call it.
    folder
        What relative paths in it are relative to; the default leaves them as they are.
    environ
        The variables for ``${VAR}``; None takes those of the process.

    Raises
    ------
    ConfigError
        As `load`.
    """
    root, problems = document.read(text)
    decoder = SettingsDecoder(os.environ if environ is None else environ, folder)
    config: Config | None = decoder.decode(root, Config) if root else None
    if config is not None:
        check(config, decoder.report)
    problems = sorted([*problems, *decoder.problems], key=lambda problem: (problem.line, problem.column))
    if problems or config is None:
        raise ConfigError(problems, source=source_name)
    return config
