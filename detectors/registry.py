"""Every method, found by itself: a module in `detectors/methods/` that registers a class is a method."""

import functools
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, Protocol, TypeVar

import msgspec
import numpy as np

from detectors.arrays import Bools, Floats
from detectors.columns import Kind
from detectors.comparison import Comparison
from detectors.dependence import DesignEffect
from detectors.errors import UnknownMethod, nearest


class Scores(msgspec.Struct, frozen=True, kw_only=True):
    """What a method says of the rows of a comparison.

    Attributes
    ----------
    statistic: (rows,) NaN where a side has no value. At least 0, but of methods that are `signed`: positive where the
        live side has more.
    effect: (rows,) its size, debiased in squares: sqrt(statistic^2 - mean of statistic^2 under the null hypothesis), at
        least 0, in the unit of the statistic. What thresholds are compared with.
    p_value: (rows,) in [0, 1] under "both sides are independent samples of one distribution"; NaN where the statistic
        is, and where the comparison is not testable and the method spares itself the work.
    p_panes: (rows,) likewise, when rows depend on each other as much as the design effect says; NaN where it says they
        do not, or none was given.
    dispersion: (rows,) at least 0, with mean 1 under the null hypothesis of `p_value`: the squared statistic over its
        mean. NaN of methods that panes do not calibrate.
    freedom: (rows,) degrees of freedom of a statistic like a chi-square under the null hypothesis of `p_value`,
        2 mean^2 / variance; NaN of others.
    silent: (rows,) True where neither side holds anything of what the method counts: no evidence, and no row.
    error_bound: (rows,) how far the statistic of the raw values can be from this one; 0 when it is exact, whether there
        is a statistic or not, and NaN where a bound that is not always 0 has no statistic.
    """

    statistic: Floats
    effect: Floats
    p_value: Floats
    p_panes: Floats
    dispersion: Floats
    freedom: Floats
    silent: Bools
    error_bound: Floats

    @classmethod
    def of(
        cls,
        comparison: Comparison,
        *,
        statistic: Floats,
        effect: Floats,
        p_value: Floats,
        p_panes: Floats | None = None,
        dispersion: Floats | None = None,
        freedom: Floats | None = None,
        silent: Bools | None = None,
        error_bound: Floats | None = None,
    ) -> "Scores":
        """With NaN where a side is empty, and nothing said for what is left out; an error bound left out is 0."""
        rows = comparison.reference.n.size
        unknown, empty = np.full(rows, np.nan), comparison.empty
        some_empty = bool(empty.any())

        def known(values: Floats | None) -> Floats:
            if values is None:
                return unknown
            return np.where(empty, np.nan, values) if some_empty else values

        return cls(
            statistic=known(statistic),
            effect=known(effect),
            p_value=known(p_value),
            p_panes=known(p_panes),
            dispersion=known(dispersion),
            freedom=known(freedom),
            silent=np.zeros(rows, dtype=np.bool_) if silent is None else silent,
            error_bound=np.zeros(rows) if error_bound is None else known(error_bound),
        )


def debiased(squared: Floats, null_mean: Floats) -> Floats:
    """sqrt(squared - null_mean), 0 where that is negative: a distance without what unchanged data make of it.
    Subtracting from the distance itself would take most of the power of a threshold."""
    root: Floats = np.sqrt(np.maximum(squared - null_mean, 0.0))
    return root


class Method(Protocol):
    """One way to say how far a live window is from the reference.

    Attributes
    ----------
    name: in configurations and results.
    kinds: the columns it applies to.
    grid: which counts it compares: "bins" (deciles or `bins`; categories), "cells" (the whole grid), "rates", or
        "events": what whole events speak of, one row of three cells for all columns together. Its kinds are none.
    default_threshold: where the module's documentation says that an effect begins to matter.
    symmetric: whether exchanging the two sides leaves the size of the statistic as it is.
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

    def score(self, comparison: Comparison, design: DesignEffect) -> Scores:
        """Score all rows at once; a row's result depends on no other. `design` is the method's own design effect."""
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
