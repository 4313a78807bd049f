"""Every method, found by itself: a module in `detectors/methods/` that registers a class is a method."""

import functools
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, Protocol, TypeVar

import msgspec

from detectors.arrays import Floats
from detectors.columns import Kind
from detectors.comparison import Comparison
from detectors.errors import UnknownMethod, nearest


class Scores(msgspec.Struct, frozen=True, kw_only=True):
    """What a method says of the rows of a comparison.

    Attributes
    ----------
    statistic: (rows,) at least 0; NaN where a side has no value.
    p_value: (rows,) in [0, 1] under "both sides are samples of one distribution"; NaN where the statistic is, and where
        the comparison is not testable and the method spares itself the work.
    error_bound: (rows,) how far the statistic of the raw values can be from this one; 0 when it is exact, whether there
        is a statistic or not, and NaN where a bound that is not always 0 has no statistic.
    """

    statistic: Floats
    p_value: Floats
    error_bound: Floats


class Method(Protocol):
    """One way to say how far a live window is from the reference.

    Attributes
    ----------
    name: in configurations and results.
    kinds: the columns it applies to.
    grid: which counts it compares: "bins" (deciles or `bins`; categories), "cells" (the whole grid), "rates", or
        "events": what whole events speak of, one row of three cells for all columns together. Its kinds are none.
    default_threshold: where the module's documentation says that an effect begins to matter.
    symmetric: whether exchanging the two sides leaves the statistic as it is.
    """

    @property
    def name(self) -> str:
        """In configurations and results."""
        ...

    @property
    def kinds(self) -> frozenset[Kind]:
        """The columns it applies to."""
        ...

    @property
    def grid(self) -> Literal["bins", "cells", "rates", "events"]:
        """Which counts it compares."""
        ...

    @property
    def default_threshold(self) -> float:
        """Where an effect begins to matter."""
        ...

    @property
    def symmetric(self) -> bool:
        """Whether the two sides may change places."""
        ...

    def score(self, comparison: Comparison) -> Scores:
        """Score all rows at once; a row's result depends on no other row."""
        ...


_T = TypeVar("_T", bound=Callable[[], Method])
_methods: dict[str, Method] = {}


def register(method: _T) -> _T:
    """Class decorator: make the method known under its name."""
    instance = method()
    if instance.name in _methods:
        raise ValueError(f"two methods are named {instance.name!r}")
    _methods[instance.name] = instance
    return method


@functools.cache
def methods() -> Mapping[str, Method]:
    """All methods by name, in alphabetical order."""
    import detectors.methods as package  # its modules import this one

    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)
    return MappingProxyType(dict(sorted(_methods.items())))


def get(name: str) -> Method:
    """The method of this name.

    Raises
    ------
    UnknownMethod: names the nearest.
    """
    try:
        return methods()[name]
    except KeyError:
        raise UnknownMethod(f"no method {name!r}; {nearest(name, methods())}") from None
