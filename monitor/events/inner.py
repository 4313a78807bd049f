"""Features that lie in objects inside of the features: each has the dotted path to it as its name."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, Generic, NamedTuple, TypeVar

Value = TypeVar("Value")

MAX_DEPTH: Final = 4
"""Keys that a name is made of; an object that lies deeper stays a value, which no column can hold."""


class Opened(NamedTuple, Generic[Value]):
    """Features by name, those of inner objects included.

    Attributes
    ----------
    values
        by name; of a key that has the dots itself and an inner path the key, else the path of fewer keys, else that
        whose first key is the longer. Opened objects are among them, for a column may be called so.
    objects
        the names of those that are opened objects.
    hidden
        by an inner path whose name another one has, as `customer > age`: these values are left out.
    """

    values: Mapping[str, Value]
    objects: frozenset[str]
    hidden: Mapping[str, Value]

    @property
    def leaves(self) -> dict[str, Value]:
        """Those that are no opened objects."""
        return {name: value for name, value in self.values.items() if name not in self.objects}

    def without(self, names: Collection[str]) -> "Opened[Value]":
        """All but those of these names."""
        return self._replace(values={name: value for name, value in self.values.items() if name not in names})


def opened(features: Mapping[str, Value], inside: Callable[[Value], Mapping[str, Value] | None]) -> Opened[Value]:
    """Open the objects among features.

    Parameters
    ----------
    features
        by key.
    inside
        what an object holds; None: it is none.
    """
    values = dict(features)
    paths: dict[str, tuple[str, ...]] = {key: (key,) for key in features}
    objects, hidden = set[str](), dict[str, Value]()
    level: list[tuple[tuple[str, ...], Value]] = [((key,), value) for key, value in features.items()]
    for _ in range(MAX_DEPTH - 1):
        below: list[tuple[tuple[str, ...], Value]] = []
        for above, value in level:
            held = inside(value)
            if held is None:
                continue
            if paths[".".join(above)] == above:
                objects.add(".".join(above))
            below += [((*above, key), one) for key, one in held.items()]
        for path, value in below:
            name = ".".join(path)
            rival = paths.get(name)
            if rival is not None and (len(rival) < len(path) or rival > path):
                hidden[" > ".join(path)] = value
                continue
            if rival is not None:
                hidden[" > ".join(rival)] = values[name]
            values[name], paths[name] = value, path
        level = below
    return Opened(values, frozenset(objects), hidden)


def opened_object(features: Mapping[str, Any]) -> Opened[Any]:
    """Open the objects among the features of an event in JSON."""
    if not any(isinstance(value, dict) for value in features.values()):
        return Opened(features, frozenset(), {})
    return opened(features, _held)


def _held(value: Any) -> Mapping[str, Any] | None:
    return value if isinstance(value, dict) else None
