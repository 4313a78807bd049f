"""YAML text to a tree of nodes that know their line: stricter than PyYAML, and without YAML 1.1's surprises.

- A key given twice is an error (PyYAML silently takes the last).
- Only ``true`` and ``false`` are booleans and only ``null``, ``~`` and nothing are null, as in YAML 1.2: a column may
  be called ``no``. A number is a number only when it is written as it would be printed; ``0123``, which YAML 1.1 reads
  as octal 83, stays text, and so do dates.
- Keys are text as written.
- Errors never quote the file: what stands beside a mistake may be a password.

PyYAML's pure Python loader is meant here: the one in C overflows its stack on deep nesting.
"""

import re
from dataclasses import dataclass

import yaml

from monitor.config import paths
from monitor.errors import Problem

MAX_DOCUMENT_CHARACTERS = 1024 * 1024
MAX_NODES = 100_000
"""With aliases written out, so that a few lines of nested aliases cannot fill the memory."""

Scalar = str | int | float | bool | None

_PREFIX = "tag:yaml.org,2002:"
_PLAIN = "plain"
_INT = re.compile(r"0|-?[1-9][0-9]{0,17}")
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,30})?(?:[eE][-+]?[0-9]{1,3})?")
_QUOTED = re.compile(r"""\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A value and its place. `text` is a scalar as written, without its quotes; line and column count from 1.

    The place of a mapping's value is that of its key. A broken node has no value, and its problem has been noted.
    """

    value: "Scalar | list[Node] | dict[str, Node]" = None
    text: str = ""
    line: int
    column: int
    broken: bool = False


def read(text: str) -> tuple[Node | None, list[Problem]]:
    """The tree, and what is wrong with it; no tree when the text is not YAML at all, or empty."""
    if len(text) > MAX_DOCUMENT_CHARACTERS:
        return None, [Problem(message=f"the file is longer than {MAX_DOCUMENT_CHARACTERS:,} characters")]
    try:
        root = _Loader(text).get_single_node()
        if root is None:
            return None, [Problem(message="the file is empty; it needs at least `models`")]
        builder = _Builder()
        return builder.build(root, ""), builder.problems
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        place = before.count("\n") + 1, error.position - before.rfind("\n")
        return None, [_syntax("a character that YAML does not allow", *place)]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = _without_quotes(", ".join(filter(None, (error.context, error.problem))))
        return None, [_syntax(reason, mark.line + 1, mark.column + 1) if mark else _syntax(reason)]
    except _TooManyNodes:
        return None, [Problem(message=f"the file holds more than {MAX_NODES:,} values")]
    except RecursionError:
        return None, [Problem(message="the file is nested too deeply")]
    except (yaml.YAMLError, ValueError, OverflowError):  # numbers out of range in escapes and directives
        return None, [_syntax("an escape or a directive that cannot be read")]


def scalar_of(text: str) -> Scalar:
    """What a plain (unquoted) scalar means."""
    if text in ("", "~", "null"):
        return None
    if text in ("true", "false"):
        return text == "true"
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _without_quotes(message: str) -> str:
    """PyYAML's message without what it quotes of the file, but for single characters and the names of tokens."""

    def keep(match: re.Match[str]) -> str:
        quoted = match[1] or match[2] or ""
        return match[0] if len(quoted) <= 2 or quoted.startswith("<") else ""

    return _QUOTED.sub(keep, message)


def _syntax(reason: str, line: int = 0, column: int = 0) -> Problem:
    return Problem(message=f"not valid YAML: {reason}", line=line, column=column)


class _TooManyNodes(Exception):  # noqa: N818 - a signal inside this file
    pass


class _Loader(yaml.SafeLoader):
    """Composes nodes; what plain scalars mean is decided by `scalar_of`, not by YAML 1.1."""

    def resolve(self, kind: type[yaml.Node], value: str | None, implicit: bool | tuple[bool, bool]) -> str:  # noqa: ARG002 - PyYAML's signature
        """The tag of a node that has none of its own; `implicit` says of a scalar whether it is plain."""
        if kind is yaml.ScalarNode:
            return _PLAIN if isinstance(implicit, tuple) and implicit[0] else _PREFIX + "str"
        return _PREFIX + ("seq" if kind is yaml.SequenceNode else "map")


class _Builder:
    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._n_nodes = 0
        self._open: set[int] = set()

    def build(self, node: yaml.Node, path: str, key: yaml.Node | None = None) -> Node:
        """The tree under `node`, whose place is its key's when it has one."""
        self._n_nodes += 1
        if self._n_nodes > MAX_NODES:
            raise _TooManyNodes
        mark = (key or node).start_mark
        line, column = mark.line + 1, mark.column + 1
        if id(node) in self._open:
            self._report("an alias inside what it stands for", path, line, column)
            return Node(line=line, column=column, broken=True)
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode) and self._tagged(node, "map", path):
                return Node(value=self._mapping(node, path), line=line, column=column)
            if isinstance(node, yaml.SequenceNode) and self._tagged(node, "seq", path):
                items = [self.build(item, paths.of_item(path, i)) for i, item in enumerate(node.value)]
                return Node(value=items, line=line, column=column)
            if isinstance(node, yaml.ScalarNode) and (node.tag == _PLAIN or self._tagged(node, "str", path)):
                value = scalar_of(node.value) if node.tag == _PLAIN else node.value
                return Node(value=value, text=node.value, line=line, column=column)
            return Node(line=line, column=column, broken=True)
        finally:
            self._open.discard(id(node))

    def _mapping(self, node: yaml.MappingNode, path: str) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        for key, value in node.value:
            mark = key.start_mark
            if not isinstance(key, yaml.ScalarNode):
                self._report("a key must be text, not a list or a mapping", path, mark.line + 1, mark.column + 1)
                continue
            place = paths.of_key(path, key.value)
            if key.value == "<<":
                self._report("merge keys are not supported; write the keys out", path, mark.line + 1, mark.column + 1)
                continue
            if key.value in entries:
                first = entries[key.value].line
                self._report(f"given twice, first on line {first}", place, mark.line + 1, mark.column + 1)
            entries[key.value] = self.build(value, place, key)
        return entries

    def _tagged(self, node: yaml.Node, kind: str, path: str) -> bool:
        if node.tag == _PREFIX + kind:
            return True
        self._report("tags (!...) are not supported; write the plain value", path, *_place(node))
        return False

    def _report(self, message: str, path: str, line: int, column: int) -> None:
        self.problems.append(Problem(message=message, path=path, line=line, column=column))


def _place(node: yaml.Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1
