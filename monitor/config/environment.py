"""Variables of the environment in text, ``${NAME}`` and ``${NAME:-default}``, and texts of files, ``${file:/path}``.

``$${`` stands for a literal ``${``. As in a shell, the default serves when the variable is unset or empty; without a
default an unset variable is an error and an empty one is empty text. What a variable holds is never expanded again, and
a default holds no variable. A file's text goes without the line break at its end; its path is absolute.

In the user part of a URL (``clickhouse://default:${CLICKHOUSE_PASSWORD}@host``) both hold the plain password: it
is percent-encoded as it is put in. Put in raw, one with ``@`` or ``/`` would become part of the host's name, and be
printed in the first message that says which host cannot be reached.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote

FILLED: Final = "\ufdd0"
"""Stands in `written` for what a variable or a file brings: a code point that is no character."""

_MOST_BYTES: Final = 64 * 1024

_VARIABLE = re.compile(
    r"(?P<literal>\$\$\{)|\$\{file:(?P<file>/[^}$\0]+)\}|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>(?:[^}$]|\$(?!\{))*))?\}|(?P<bad>\$\{)"
)
_USER_PART = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*@")


def has_variable(text: str) -> bool:
    """Whether `expand` would change the text, or refuse it."""
    return "${" in text


def written(text: str) -> str:
    """What of the text stands in the file itself: each variable and file is `FILLED`, a default that is not empty is
    as it is written."""

    def keep(match: re.Match[str]) -> str:
        return "${" if match["literal"] or match["bad"] else match["default"] or FILLED

    return _VARIABLE.sub(keep, text.replace(FILLED, "\ufffd"))


def expand(text: str, environ: Mapping[str, str]) -> str:
    """The text with its variables filled in.

    Raises
    ------
    ValueError
        A variable is unset or a file cannot be read (the message names it), or ``${`` begins neither. No message holds
        a value.
    """
    user_part = _USER_PART.match(_VARIABLE.sub(lambda match: "x" * len(match[0]), text))
    encode_before = user_part.end() if user_part else 0

    def fill(match: re.Match[str]) -> str:
        if match["literal"]:
            return "${"
        if match["bad"]:
            raise ValueError(
                "a variable is written ${NAME} or ${NAME:-default}, a file ${file:/path}, and a literal ${ as $${"
            )
        if match["file"]:
            filled = _text_of(match["file"])
            return quote(filled, safe="") if match.start() < encode_before else filled
        name, default = match["name"], match["default"]
        value = environ.get(name)
        if value is None and default is None:
            raise ValueError(f"the environment variable {name} is not set")
        filled = value or default or ""
        if not filled.isascii() and any("\ud800" <= character <= "\udfff" for character in filled):
            raise ValueError(f"the environment variable {name} does not hold UTF-8 text")
        return quote(filled, safe="") if match.start() < encode_before else filled

    return _VARIABLE.sub(fill, text)


def _text_of(path: str) -> str:
    """A file's text without its last line break."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ValueError(f"the file {path} cannot be read: {error.strerror}") from None
    if len(content) > _MOST_BYTES:
        raise ValueError(f"the file {path} is longer than {_MOST_BYTES:,} bytes")
    try:
        return content.decode("utf-8-sig").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise ValueError(f"the file {path} does not hold UTF-8 text") from None
