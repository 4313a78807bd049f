"""`driftline schema`."""

import sys
from pathlib import Path

from monitor.config.json_schema import text
from monitor.errors import InputError


def write_schema(output: Path | None) -> None:
    """Write the JSON Schema of the configuration, with the destinations that are installed.

    Raises
    ------
    InputError
        The file cannot be written.
    """
    if output is None:
        sys.stdout.write(text(installed=True))
        return
    try:
        output.write_text(text(installed=True), encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {output}: {error.strerror or error}") from error
    sys.stdout.write(
        f"written: {output}\nNext: begin your configuration with: # yaml-language-server: $schema={output}\n"
    )
