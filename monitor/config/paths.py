"""Places in the configuration file, spelt as a person would: ``models[0].windows[1].every``.

A key that does not look like one is not repeated: ``{dsn:clickhouse://user:password@host}`` lacks a space, which makes
the whole of it a key. The line and column beside the path say where it is.
"""

import json
import re

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_HARMLESS = re.compile(r"[^\s:/@\"\\{}]{1,40}")


def of_key(parent: str, key: str, *, free: bool = False) -> str:
    """The path of a key of the mapping at `parent`; a free one is the user's own choice and may look like anything."""
    if _NAME.fullmatch(key):
        return f"{parent}.{key}" if parent else key
    if free and _HARMLESS.fullmatch(key):
        return f"{parent}[{json.dumps(key)}]"
    return of_no_key(parent)


def of_no_key(parent: str) -> str:
    """The path of what stands in the place of a key and is better not repeated."""
    return f"{parent}[?]"


def of_item(parent: str, index: int) -> str:
    """The path of an item, counted from 0, of the list at `parent`."""
    return f"{parent}[{index}]"
