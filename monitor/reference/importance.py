"""How much features matter to a model, from a file: what training tools write of a model is quickly brought to either.

JSON, `{"amount": 0.4, "age": 0.1}`, or CSV of two columns, a feature and its number a line, with or without a header.
"""

import csv
import io
import math
from pathlib import Path

import msgspec

from detectors.reference import Reference
from monitor.config.nearest import nearest
from monitor.errors import InputError

_HINT = 'JSON, {"amount": 0.4, "age": 0.1}, or lines of CSV, amount,0.4'


def read_importance(path: Path, reference: Reference) -> dict[str, float]:
    """By feature of the reference, how much it matters: any unit, from 0 on.

    Raises `InputError` where the file cannot be read, or names what the reference does not have as a feature.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        because = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise InputError(f"cannot read {path}: {because}", hint=_HINT) from error
    found = _json(path, text) if text.lstrip().startswith("{") else _csv(path, text)
    if not found:
        raise InputError(f"{path} names no feature", hint=_HINT)
    layout = reference.layout
    features = {layout.columns[index].name for index in layout.features}
    for name, value in found.items():
        if name not in features:
            meant = nearest(name, features)
            hint = f"did you mean {meant!r}?" if meant else "features are the columns of --data without an @"
            raise InputError(f"{path}: the reference has no feature {name!r}", hint=hint)
        if not (math.isfinite(value) and value >= 0.0):
            raise InputError(f"{path}: the importance of {name!r} is {value}", hint="a number from 0 on")
    return found


def _json(path: Path, text: str) -> dict[str, float]:
    try:
        return msgspec.json.decode(text, type=dict[str, float])
    except msgspec.MsgspecError as error:
        raise InputError(f"{path}: {error}", hint=_HINT) from error


def _csv(path: Path, text: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for number, row in enumerate(csv.reader(io.StringIO(text)), start=1):
        if not row:
            continue
        try:
            name, value = row
            found[name] = float(value)
        except ValueError:
            if number == 1 and len(row) == 2:  # the header
                continue
            raise InputError(f"{path}, line {number}: not a feature and a number", hint=_HINT) from None
    return found
