"""Which parts of an address are secret: for forms (`sinks.settings.Form.secrets`) of addresses.

They are told of text that may hold placeholders anywhere, and need not be an address at all: what is none is judged by
the form itself.
"""

import re
from collections.abc import Mapping
from typing import Final

_ADDRESS: Final = re.compile(r"[^/?#@]*://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?P<query>.*)", re.DOTALL)


def password(text: str) -> Mapping[str, str]:
    """Of ``scheme://user:password@host/...``: the password. The user's name is none."""
    found = _ADDRESS.fullmatch(text)
    user_part = found["authority"].rpartition("@")[0] if found else ""
    return {"the password": user_part.partition(":")[2]}


def options(text: str) -> Mapping[str, str]:
    """The password, and what follows ``?``, where receivers look for tokens."""
    found = _ADDRESS.fullmatch(text)
    return {**password(text), "what follows '?'": found["query"] if found else ""}


def behind_host(text: str) -> Mapping[str, str]:
    """The password, path and options: of an address that lets in whoever knows it."""
    found = _ADDRESS.fullmatch(text)
    behind = {} if found is None else {"what follows the host": found["path"].rstrip("/") + found["query"]}
    return {**password(text), **behind} if found else {"a secret": text}
