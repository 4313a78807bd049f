"""A configuration file with some of its keys set anew, and everything else as its user wrote it.

Placeholders such as ``${VAR}`` stay placeholders, so that no secret is written. The result is read by the same rules as
the file was (`monitor.config.document`): any other YAML reader or writer would make a boolean of ``off``, or a number
of ``0123``.
"""

from collections.abc import Callable
from typing import Any

import yaml

from monitor.config.document import Node, read


class _Written(str):
    """A number, a boolean or null, as it stands in the file."""

    __slots__ = ()


def rewrite(text: str, edit: Callable[[dict[str, Any]], None]) -> str:
    """The configuration `text`, which must be a sound one, after `edit` has changed its document in place.

    The document is of dictionaries, lists and text. What `edit` sets may also be numbers, booleans and None.
    """
    root, problems = read(text)
    assert root is not None, problems
    document = _plain(root)
    edit(document)
    return _yaml(document) + "\n"


def literal(text: str) -> str:
    """Text in which nothing is taken for a variable."""
    return text.replace("${", "$${")


def _plain(node: Node) -> Any:
    if isinstance(node.value, dict):
        return {key: _plain(child) for key, child in node.value.items()}
    if isinstance(node.value, list):
        return [_plain(child) for child in node.value]
    return node.value if isinstance(node.value, str) else _Written(node.text)


def _yaml(value: Any) -> str:
    """YAML in one line."""
    match value:
        case dict():
            return "{" + ", ".join(f"{_yaml(key)}: {_yaml(child)}" for key, child in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(_yaml, value)) + "]"
        case _Written():
            return str(value) or "null"
        case str():
            return yaml.dump(value, default_style='"', width=float("inf"), allow_unicode=True).rstrip("\n")
        case bool():
            return "true" if value else "false"
        case None:
            return "null"
    return repr(value)
