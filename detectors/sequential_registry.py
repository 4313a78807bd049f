"""Every sequential detector, found by itself: a module in `detectors/sequential/` that registers a class is one."""

import functools
import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Protocol, TypeVar

import msgspec

from detectors.arrays import Floats
from detectors.errors import InvalidSetting, UnknownDetector, nearest


class SequentialDetector(Protocol):
    """Reads losses one by one, and says after which of them the mean loss is another.

    A detector is its parameters, a frozen struct; its state is a vector of floats beside it, a function of the
    parameters and of what was read, whole and alone.

    Attributes
    ----------
    name: in configurations and results.
    errors_only: whether it is defined for losses of 0 and 1 only.
    """

    name: ClassVar[str]
    errors_only: ClassVar[bool]

    def initial(self) -> Floats:
        """The state of a detector that has read nothing."""
        ...

    def advance(self, state: Floats, losses: Floats, evidence: Floats) -> int:
        """Read losses, (n,), up to the first after which there is a change; `state` changes in place.

        Returns its index, with `evidence` (4,) filled: number and mean loss before the change, and after it, as the
        detector places it; -1 if all were read without one. After a change a detector begins anew.
        """
        ...


_T = TypeVar("_T", bound=type[SequentialDetector])
_detectors: dict[str, type[SequentialDetector]] = {}


def register(detector: _T) -> _T:
    """Class decorator: make the detector known under its name."""
    if detector.name in _detectors:
        raise ValueError(f"two sequential detectors are named {detector.name!r}")
    _detectors[detector.name] = detector
    return detector


@functools.cache
def sequential_detectors() -> Mapping[str, type[SequentialDetector]]:
    """All detectors by name, in alphabetical order."""
    import detectors.sequential as package  # its modules import this one

    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)
    return MappingProxyType(dict(sorted(_detectors.items())))


def sequential_detector(name: str, parameters: Mapping[str, object] | None = None) -> SequentialDetector:
    """The detector of this name, with its defaults where `parameters` says nothing.

    Raises
    ------
    UnknownDetector: names the nearest.
    InvalidSetting: a parameter that it has not, of another type, or out of its range.
    """
    try:
        found = sequential_detectors()[name]
    except KeyError:
        raise UnknownDetector(f"no sequential detector {name!r}; {nearest(name, sequential_detectors())}") from None
    try:
        return msgspec.convert(dict(parameters or {}), found)
    except msgspec.ValidationError as error:
        raise InvalidSetting(f"{name}: {error}") from error
