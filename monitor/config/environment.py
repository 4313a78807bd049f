"""Variables of the environment in text: ``${NAME}`` and ``${NAME:-default}``.

``$${`` stands for a literal ``${``. As in a shell, the default serves when the variable is unset or empty; without a
default an unset variable is an error and an empty one is empty text. What a variable holds is never expanded again, and
a default holds no variable.

In the user part of a URL (``clickhouse://default:${CLICKHOUSE_PASSWORD}@host``) a variable holds the plain password: it
is percent-encoded as it is put in. Put in raw, one with ``@`` or ``/`` would become part of the host's name, and be
printed in the first message that says which host cannot be reached.
"""

import re
from collections.abc import Mapping
from urllib.parse import quote

_VARIABLE = re.compile(
    r"(?P<literal>\$\$\{)|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>(?:[^}$]|\$(?!\{))*))?\}|(?P<bad>\$\{)"
)
_USER_PART = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*@")


def has_variable(text: str) -> bool:
    """Whether `expand` would change the text, or refuse it."""
    return "${" in text


def expand(text: str, environ: Mapping[str, str]) -> str:
    """The text with its variables filled in.

    Raises
    ------
    ValueError
        A variable is unset (the message names it), or ``${`` begins no variable. No message holds a value.
    """
    user_part = _USER_PART.match(_VARIABLE.sub(lambda match: "x" * len(match[0]), text))
    encode_before = user_part.end() if user_part else 0

    def fill(match: re.Match[str]) -> str:
        if match["literal"]:
            return "${"
        if match["bad"]:
            raise ValueError("a variable is written ${NAME} or ${NAME:-default}, and a literal ${ as $${")
        name, default = match["name"], match["default"]
        value = environ.get(name)
        if value is None and default is None:
            raise ValueError(f"the environment variable {name} is not set")
        filled = value or default or ""
        if not filled.isascii() and any("\ud800" <= character <= "\udfff" for character in filled):
            raise ValueError(f"the environment variable {name} does not hold UTF-8 text")
        return quote(filled, safe="") if match.start() < encode_before else filled

    return _VARIABLE.sub(fill, text)
