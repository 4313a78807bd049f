"""What people and pipelines said, from a file: JSON lines, each the value of a message of `drift.controls`."""

from collections.abc import Collection
from pathlib import Path

from monitor.decisions.controls import BadControl, Control, decode_control
from monitor.errors import InputError

_HINT = "a line is what `drift.controls` holds: the value of a message"


def read_control_lines(path: Path, models: Collection[str]) -> list[Control]:
    """The controls in a file, in its order; blank lines are passed over.

    Raises `InputError` where the file cannot be read, or a line is no control, or of a model that is not in `models`.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", hint=_HINT) from error
    found = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            control = decode_control(line)
        except BadControl as error:
            raise InputError(f"{path}, line {number}: {error}", hint=_HINT) from error
        if control.model and control.model not in models:
            raise InputError(f"{path}, line {number}: no model {control.model!r}", hint=f"models: {', '.join(models)}")
        found.append(control)
    return found
