"""The JSON Schema of the configuration, for editors: made from the structs and forms that read it.

It knows keys, types, bounds, forms and choices, and what each key means; rules between keys are in
`monitor.config.checks`.
Any scalar may also be a text with a variable in it, `${VAR}`, which only the environment can judge.
"""

import ast
import functools
import inspect
import json
import re
import textwrap
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import msgspec

from monitor.config import durations, spans
from monitor.config.forms import FORMS, OWN_CLIENT_SETTINGS, form_of
from monitor.config.methods import detector_names, method_names
from monitor.config.schema import Config
from monitor.config.variants import TAG, Variants, variants_of
from sinks.secret import Secret

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_Schema = dict[str, Any]
_VARIABLE: Final = {"$ref": "#/$defs/variable"}
_TYPES: Final = {str: "string", int: "integer", float: "number", bool: "boolean", Path: "string"}
_DURATION: Final = "^[0-9]{1,15}(ms|s|m|h|d)$"
_RATE: Final = "^[0-9]{1,6} per [0-9]{1,15}(ms|s|m|h|d)$"
_FORMS: Final[Mapping[str, Callable[[], _Schema]]] = {
    "bins": lambda: {"enum": [10, *(2**power for power in range(1, 9))]},
    "class": lambda: {"type": "string", "minLength": 1, "maxLength": 200},
    "client_key": lambda: {"pattern": "^[a-z]+([._][a-z0-9]+)*$", "not": {"enum": sorted(OWN_CLIENT_SETTINGS)}},
    "column": lambda: {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[^@]"},
    "compare": lambda: {"const": "pinned"},
    "concept_drift": lambda: {"enum": sorted(detector_names())},
    "destination": lambda: {"pattern": "^[A-Za-z0-9._-]{1,64}$"},
    "detector": lambda: {"enum": sorted(detector_names())},
    "duration": lambda: {"anyOf": [{"type": "string", "pattern": _DURATION}, {"const": 0}]},
    "method": lambda: {"enum": sorted(method_names())},
    "name": lambda: {"type": "string", "minLength": 1, "maxLength": 200},
    "raise": lambda: {"type": "string", "pattern": "^(budget|verdicts(, [0-9]{1,4} of [0-9]{1,4})?)$"},
    "rate": lambda: {"type": "string", "pattern": _RATE},
    "segment": lambda: {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[^@=][^=]*$"},
    "span": lambda: {"type": "string", "pattern": f"{_DURATION}|^[1-9][0-9]{{0,3}}(w|mo)$"},
    "topic": lambda: {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,249}$"},
}
_EXAMPLES: Final = {"duration": durations.EXAMPLE, "span": spans.EXAMPLE}


def configuration_schema(*, installed: bool = False) -> _Schema:
    """The schema as an object; `installed`: with the types of destinations that plug-ins of this installation bring."""
    defs: dict[str, _Schema] = {
        "variable": {
            "type": "string",
            "pattern": r"\$\{",
            "description": "from the environment, ${VAR} or ${VAR:-default}, or a file, ${file:/path}",
        }
    }
    root = _Maker(defs, installed=installed).struct(Config)
    return {
        "$schema": DIALECT,
        "title": "Driftline's configuration",
        **defs.pop(root["$ref"].rpartition("/")[2]),
        "$defs": defs,
    }


def text(*, installed: bool = False) -> str:
    """The schema as it is written."""
    return json.dumps(configuration_schema(installed=installed), indent=1, ensure_ascii=False) + "\n"


class _Maker:
    """Fills `defs` with a definition a struct."""

    def __init__(self, defs: dict[str, _Schema], *, installed: bool) -> None:
        self._defs = defs
        self._installed = installed

    def struct(self, type_: type[msgspec.Struct], name: str = "", tag: str = "") -> _Schema:
        """A reference to the definition of a struct; with a `tag`, its mappings have the key `type`, too."""
        name = name or type_.__name__
        if name not in self._defs:
            self._defs[name] = {}  # of structs that lie in themselves there are none; but an order there is
            told = attribute_docs(type_)
            properties = {}
            for field in msgspec.structs.fields(type_):
                one = self._value(field.type)
                default = _default(field, one)
                words = [told.get(field.name, ""), one.pop("description", "")]
                description = "; ".join(word for word in words if word)
                properties[field.encode_name] = {
                    **one,
                    **({"description": description} if description else {}),
                    **default,
                }
            if tag:
                properties = {TAG: {"const": tag, "description": "the kind of destination"}, **properties}
            self._defs[name] = {
                "type": "object",
                "description": _first_paragraph(inspect.getdoc(type_) or ""),
                "properties": properties,
                "required": [field.encode_name for field in msgspec.structs.fields(type_) if field.required],
                "additionalProperties": False,
            }
        return {"$ref": f"#/$defs/{name}"}

    def _value(self, type_: Any, meta: msgspec.Meta | None = None) -> _Schema:
        if variants := variants_of(type_):
            return self._any_variant(variants)
        if get_origin(type_) is Annotated:
            type_, meta = get_args(type_)[:2]
        form = form_of(meta) if meta is not None else None
        origin, arguments = get_origin(type_) or type_, get_args(type_)
        if origin is Secret:
            return {**self._value(arguments[0]), "writeOnly": True}
        if form is None and origin in (Union, types.UnionType):
            own = [option for option in arguments if option is not types.NoneType]
            schemas = [self._value(option, meta) for option in own]
            return {"anyOf": [*schemas, {"type": "null"}]} if len(own) < len(arguments) else {"anyOf": schemas}
        if origin is tuple:
            items = self._value(arguments[0])
            if _form_name(arguments[0]) == "compare":  # one comparison needs no list
                return {"anyOf": [{"type": "array", "items": items}, items]}
            return {"type": "array", "items": items}
        if origin is dict:
            return self._dict(*arguments)
        if isinstance(type_, type) and issubclass(type_, msgspec.Struct) and form is None:
            return self.struct(type_)
        if form is None:
            choices = {"enum": list(arguments)} if origin is Literal else {"type": _TYPES[type_]}
            return {"anyOf": [{**choices, **_bounds(meta)}, _VARIABLE]} if type_ not in (str, Path) else choices
        name = next((name for name, one in FORMS.items() if one is form), "")
        found = _FORMS.get(name, lambda: {"type": _TYPES[form.of]})()
        options = [found, _VARIABLE]
        if name in ("compare", "concept_drift") and isinstance(type_, type) and issubclass(type_, msgspec.Struct):
            options.append(self.struct(type_))
        return {"anyOf": options, "description": _EXAMPLES.get(name, form.expected)}

    def _dict(self, key: Any, value: Any) -> _Schema:
        name = _form_name(key)
        names = {"propertyNames": _FORMS[name]()} if name in _FORMS else {}
        if variants := variants_of(value):
            own = {one: self._named_variant(variants, one) for one in variants.own()}
            return {"type": "object", **names, "properties": own, "additionalProperties": self._any_variant(variants)}
        return {"type": "object", **names, "additionalProperties": self._value(value)}

    def _named_variant(self, variants: Variants, name: str) -> _Schema:
        """Of a mapping whose name is a type: that, unless it says another."""
        own = self.struct(variants.struct_of(name), f"destination-{name}", name)
        return {"if": {"required": [TAG]}, "then": self._any_variant(variants), "else": own}

    def _any_variant(self, variants: Variants) -> _Schema:
        if "destination" not in self._defs:
            names = list(variants.names() if self._installed else variants.own())
            kinds = [
                {
                    "if": {"properties": {TAG: {"const": name}}},
                    "then": self.struct(variants.struct_of(name), f"destination-{name}", name),
                }
                for name in names
            ]
            self._defs["destination"] = {
                "type": "object",
                "properties": {TAG: {"type": "string", "examples": names}},
                "required": [TAG],
                "allOf": kinds,
            }
        return {"$ref": "#/$defs/destination"}


@functools.cache
def attribute_docs(type_: type[msgspec.Struct]) -> Mapping[str, str]:
    """What a struct says of its attributes, by their names: the texts below them, else the section `Attributes`."""
    told: dict[str, str] = {}
    for one in reversed(type_.__mro__):
        if not issubclass(one, msgspec.Struct) or one is msgspec.Struct:
            continue
        told |= _of_docstring(one.__doc__ or "")
        try:
            (node,) = ast.parse(textwrap.dedent(inspect.getsource(one))).body
        except (OSError, SyntaxError):
            continue
        assert isinstance(node, ast.ClassDef)
        for line, below in zip(node.body, node.body[1:], strict=False):
            match line, below:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(said))):
                    told[name] = _first_paragraph(inspect.cleandoc(said)).removesuffix(".")
    return told


def _of_docstring(docstring: str) -> dict[str, str]:
    lines = inspect.cleandoc(docstring).partition("Attributes\n----------\n")[2]
    parts = re.split(r"^(\w[\w, ]*)\n(?=    )", lines, flags=re.MULTILINE)[1:]
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return {name: " ".join(said.split()).removesuffix(".") for names, said in pairs for name in names.split(", ")}


def _first_paragraph(said: str) -> str:
    return " ".join(said.split("\n\n")[0].replace("``", "`").split())


def _form_name(type_: Any) -> str:
    meta = get_args(type_)[1] if get_origin(type_) is Annotated else None
    asked = (meta.extra or {}).get("form") if meta is not None else None
    return asked if isinstance(asked, str) else ""


def _default(field: msgspec.structs.FieldInfo, schema: _Schema) -> _Schema:
    """Plain defaults as the file spells them; the others are told in words, or follow from other keys."""
    value = field.default
    if type(value) is int and schema.get("description") == durations.EXAMPLE:
        return {"default": durations.format_duration(value)}
    return {"default": value} if type(value) in (bool, int, float, str) and value == value else {}


def _bounds(meta: msgspec.Meta | None) -> _Schema:
    if meta is None:
        return {}
    named = {
        "minimum": meta.ge, "exclusiveMinimum": meta.gt, "maximum": meta.le, "exclusiveMaximum": meta.lt,
        "minLength": meta.min_length, "maxLength": meta.max_length,
    }  # fmt: skip
    return {key: bound for key, bound in named.items() if bound is not None}
