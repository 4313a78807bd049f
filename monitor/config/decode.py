"""From the tree of the document to the structs, guided by their types; every problem is kept, not only the first.

msgspec's own `convert` stops at the first error and knows neither line nor nearest key, so its field lists and type
annotations are walked here.
"""

import functools
import types
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec

from monitor.config import paths
from monitor.config.document import Node
from monitor.config.environment import expand, has_variable
from monitor.config.forms import FORMS, form_of
from monitor.config.literal_secrets import Secrets, literal_secret
from monitor.config.nearest import nearest
from monitor.config.scalars import WORDS, found, read_scalar
from monitor.config.sections import sections_of_keys
from monitor.config.variants import TAG, Variants, variants_of
from monitor.errors import Problem
from sinks.errors import BadDestination
from sinks.secret import Secret
from sinks.settings import FormError

_BAD: Any = object()
"""Stands for a value that could not be read and whose problem has been noted."""

_NO_META = msgspec.Meta()

_SECRET_TEXT = Annotated[str, msgspec.Meta(extra={"form": "secret"})]


class SettingsDecoder:
    """Reads one tree.

    Parameters
    ----------
    environ
        The environment's variables.
    folder
        What relative paths are relative to.

    Attributes
    ----------
    problems
        What is wrong, as found.
    places
        The node at each path that was read.
    """

    def __init__(self, environ: Mapping[str, str], folder: Path) -> None:
        self._environ = environ
        self._folder = folder
        self.problems: list[Problem] = []
        self.places: dict[str, Node] = {}

    def decode(self, node: Node, type_: Any) -> Any:
        """The tree as a `type_` (a Struct); None when it cannot be, and `problems` says why."""
        decoded = self._value(node, type_, "")
        return None if self.problems or decoded is _BAD else decoded

    def report(self, path: str, message: str, nearest: str = "") -> None:
        """Note a problem at a path; its line is looked up, that of the nearest part above it when it has none."""
        place, above = self.places.get(path), path
        while place is None and above:
            above = above[: max(above.rfind("."), above.rfind("["), 0)]
            place = self.places.get(above)
        line, column = (place.line, place.column) if place else (0, 0)
        self.problems.append(Problem(message=message, path=path, line=line, column=column, nearest=nearest))

    def _value(
        self,
        node: Node,
        type_: Any,
        path: str,
        *,
        meta: msgspec.Meta = _NO_META,
        hidden: bool = False,
        secrets: Secrets | None = None,
    ) -> Any:
        """The node as `type_` within `meta`; a hidden one is never quoted. `secrets`: what is secret of a `Secret`,
        where its own form does not say."""
        self.places[path] = node
        if node.broken:
            return _BAD
        if variants := variants_of(type_):
            return (
                None
                if node.value is None and types.NoneType in get_args(type_)
                else self._variant(node, variants, path)
            )
        if get_origin(type_) is Annotated:
            type_, meta = get_args(type_)[:2]
        form = form_of(meta)
        if form is None and get_origin(type_) in (Union, types.UnionType):
            options = get_args(type_)
            if types.NoneType in options:
                if node.value is None:
                    return None
                (type_,) = (option for option in options if option is not types.NoneType)
            else:
                return self._any_of(node, options, path, hidden=hidden)
        origin, arguments = get_origin(type_) or type_, get_args(type_)
        if origin is Secret:
            if literal := literal_secret(node, arguments[0], secrets):
                self.report(path, literal)
                return _BAD
            inner = self._value(node, _SECRET_TEXT if arguments[0] is str else arguments[0], path, hidden=True)
            return inner if inner is _BAD else Secret(inner)
        if origin is tuple:
            return self._list(node, arguments[0], path)
        if origin is dict:
            return self._dict(node, arguments[0], arguments[1], path)
        # A struct with a form may also be written as a text.
        if (
            isinstance(type_, type)
            and issubclass(type_, msgspec.Struct)
            and (form is None or isinstance(node.value, dict))
        ):
            return self._struct(node, type_, path)
        return self._scalar(node, type_, path, meta, hidden=hidden)

    def _variant(self, node: Node, variants: Variants, path: str, default: str = "") -> Any:
        """The struct that the mapping's `type` names; `default` stands in for a key that is left out."""
        self.places[path] = node
        if not isinstance(node.value, dict):
            return self._unexpected(path, "expected a mapping (key: value)", node)
        tag, place = node.value.get(TAG), paths.of_key(path, TAG)
        name = default if tag is None else self._value(tag, str, place)
        if name is _BAD:
            return _BAD
        known = variants.names()
        if name not in known:
            near = nearest(name, known)
            if tag is not None:
                return self._unexpected(place, f"expected one of {', '.join(known)}", tag, near, hidden=False)
            if slip := nearest(TAG, node.value):
                self._unknown_key(node.value[slip], slip, paths.of_key(path, slip), TAG, ())
                return _BAD
            named = f", and there is none named '{default}'" if default and "[?]" not in path else ""
            self.report(path, f"the key '{TAG}' is missing{named}; it is one of {', '.join(known)}", near)
            return _BAD
        try:
            struct = variants.struct_of(name)
        except BadDestination as error:
            self.report(place if tag else path, str(error))
            return _BAD
        return self._struct(node, struct, path, tag=TAG)

    def _struct(self, node: Node, type_: type[msgspec.Struct], path: str, *, tag: str = "") -> Any:
        """The mapping as a struct; `tag` is a key of it that has been read already."""
        if not isinstance(node.value, dict):
            return self._unexpected(path, "expected a mapping (key: value)", node)
        known = {field.encode_name: field for field in msgspec.structs.fields(type_)}
        keys = [*([tag] if tag else []), *known]
        meant = set()
        for key, child in node.value.items():
            if key not in keys:
                near = nearest(key, keys)
                meant.add(near)
                bare = not near and child.value is None  # as in {dsn, clickhouse://...}: perhaps a value, not a key
                place = paths.of_no_key(path) if bare else paths.of_key(path, key)
                self._unknown_key(child, key, place, near, keys)
        values = {}
        complete = True
        for key, field in known.items():
            if key in node.value:
                value = self._value(node.value[key], field.type, paths.of_key(path, key))
                values[field.name] = value
                complete = complete and value is not _BAD
            elif field.required:
                complete = False
                if key not in meant:
                    self.report(path, f"the key '{key}' is missing")
            elif isinstance(field.default, Path):
                values[field.name] = self._folder / field.default
        if not complete:
            return _BAD
        try:
            return type_(**values)
        except ValueError as error:  # of the struct's own `__post_init__`: rules between its keys
            self.report(path, str(error))
            return _BAD

    def _unknown_key(self, node: Node, key: str, path: str, near: str, known: Iterable[str]) -> None:
        self.places[path] = node
        if near:
            self.report(path, "unknown key", near)
        elif path.endswith("[?]"):
            self.report(path, "not a key; is a colon missing, or the space after one?")
        elif sections := sections_of_keys().get(key):
            places = " or ".join(f"under {section}" if section else "at the top of the file" for section in sections)
            self.report(path, f"unknown key here; it belongs {places}")
        else:
            self.report(path, f"unknown key; the keys here are {', '.join(known)}")

    def _list(self, node: Node, item_type: Any, path: str) -> Any:
        if not isinstance(node.value, list):
            if get_origin(item_type) is Annotated and form_of(get_args(item_type)[1]) is FORMS["compare"]:
                item = self._value(node, item_type, path)  # one comparison needs no list
                return item if item is _BAD else (item,)
            return self._unexpected(path, "expected a list ([a, b])", node)
        items = tuple([self._value(item, item_type, paths.of_item(path, i)) for i, item in enumerate(node.value)])
        return _BAD if any(item is _BAD for item in items) else items

    def _dict(self, node: Node, key_type: Any, value_type: Any, path: str) -> Any:
        if not isinstance(node.value, dict):
            return self._unexpected(path, "expected a mapping (key: value)", node)
        form = form_of(get_args(key_type)[1]) if get_origin(key_type) is Annotated else None  # any text is a key
        variants = variants_of(value_type)
        values = {}
        for key, child in node.value.items():
            # Beside secrets a key that cannot be one, or has no value, may be what is left of a secret.
            doubtful = get_origin(value_type) is Secret and ("." not in key or child.value is None)
            doubtful = doubtful or (variants is not None and not isinstance(child.value, dict))
            free = get_origin(value_type) is not Secret
            place = paths.of_no_key(path) if doubtful else paths.of_key(path, key, free=free)
            secrets = functools.partial(form.secret_keys, key) if form is not None else None
            values[key] = (
                self._variant(child, variants, place, key)
                if variants
                else self._value(child, value_type, place, secrets=secrets)
            )
            try:
                if form is not None:
                    form.read(key)  # type: ignore[arg-type]  # the forms of keys read text
            except FormError as error:
                self.report(place, str(error), error.nearest)
        return _BAD if any(value is _BAD for value in values.values()) else values

    def _any_of(self, node: Node, options: tuple[Any, ...], path: str, *, hidden: bool) -> Any:
        """A scalar of any of several types; a number that is none of them is the text that was written."""
        value = self._expanded(node, path)
        if value is _BAD or type(value) in options:
            return value
        if isinstance(value, float) and str in options:
            return node.text
        return self._unexpected(
            path, f"expected {' or '.join(WORDS[option] for option in options)}", node, hidden=hidden
        )

    def _scalar(self, node: Node, type_: Any, path: str, meta: msgspec.Meta, *, hidden: bool) -> Any:
        value = self._expanded(node, path)
        if value is _BAD:
            return _BAD
        try:
            read = read_scalar(value, type_, meta, from_variable=has_variable(node.text))
        except FormError as error:
            return self._unexpected(path, str(error), node, error.nearest, hidden=hidden)
        return self._folder / read if isinstance(read, Path) else read

    def _expanded(self, node: Node, path: str) -> Any:
        """A scalar with its variables filled in."""
        if not isinstance(node.value, str):
            return node.value
        if not node.value.isascii() and any("\ud800" <= character <= "\udfff" for character in node.value):
            self.report(path, "the text holds half a surrogate pair, which is no character")
            return _BAD
        try:
            return expand(node.value, self._environ)
        except ValueError as error:
            self.report(path, str(error))
            return _BAD

    def _unexpected(self, path: str, expected: str, node: Node, near: str = "", *, hidden: bool = True) -> Any:
        self.report(path, f"{expected}, found {found(node, quote=not hidden)}", near)
        return _BAD
