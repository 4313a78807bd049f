"""Mappings that may be one of several structs, told apart by their key ``type``."""

import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec

TAG = "type"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variants:
    """Which structs a mapping may be.

    Attributes
    ----------
    names
        What ``type`` may say, for people.
    own
        Those of `names` that every installation has.
    struct_of
        The struct of one of `names`. Raises `sinks.errors.BadDestination` where what was installed for it is broken.
    """

    names: Callable[[], Sequence[str]]
    own: Callable[[], Sequence[str]]
    struct_of: Callable[[str], type[msgspec.Struct]]


def variants_of(type_: Any) -> Variants | None:
    """The variants of a field's type; None for a field that is of one type.

    A field has variants when it is a union of structs, whose tags are the names (``class A(Struct, tag="a")``), or when
    they are given (``Annotated[..., Meta(extra={"variants": Variants(...)})]``), as where others may add some.
    """
    if get_origin(type_) is Annotated:
        return (get_args(type_)[1].extra or {}).get("variants")
    if get_origin(type_) not in (Union, types.UnionType):
        return None
    options = [option for option in get_args(type_) if option is not types.NoneType]
    if len(options) < 2 or not all(isinstance(one, type) and issubclass(one, msgspec.Struct) for one in options):
        return None
    structs = {str(option.__struct_config__.tag): option for option in options}
    return Variants(names=lambda: list(structs), own=lambda: list(structs), struct_of=structs.__getitem__)
