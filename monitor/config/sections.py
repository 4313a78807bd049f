"""Where each key of the configuration belongs: for errors about a key in the wrong place."""

import functools
from collections.abc import Iterator, Mapping
from typing import Annotated, get_args, get_origin

import msgspec

from monitor.config import paths
from monitor.config.schema import Config
from monitor.config.variants import TAG, variants_of


@functools.cache
def sections_of_keys() -> Mapping[str, tuple[str, ...]]:
    """For each key the sections that have it, as in ``{"every": ("models[].windows[]",)}``; "" is the top."""
    sections: dict[str, tuple[str, ...]] = {}
    for section, key in walk(Config):
        sections[key] = (*sections.get(key, ()), section)
    return sections


def walk(type_: type[msgspec.Struct], section: str = "") -> Iterator[tuple[str, str]]:
    """Each key under a section, with the section it is in, outermost first."""
    for field in msgspec.structs.fields(type_):
        yield section, field.encode_name
        inner, path = field.type, paths.of_key(section, field.encode_name)
        if get_origin(inner) is dict and (variants := variants_of(get_args(inner)[1])):
            # A name that the user chooses, and that is the type when the file does not say.
            for name in variants.own():
                yield path, name
                yield f"{path}.{name}", TAG
                yield from walk(variants.struct_of(name), f"{path}.{name}")
        while get_origin(inner) in (Annotated, tuple):
            path += "[]" if get_origin(inner) is tuple else ""
            inner = get_args(inner)[0]
        if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
            yield from walk(inner, path)
