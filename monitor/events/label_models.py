"""Which model a label is of: by a path in it, a header of its message, or the topic it came by."""

from collections.abc import Callable, Mapping, Sequence

from monitor.events.json.forgiving import UNSET, Refused
from monitor.events.mapping import MODEL, is_origin, path
from monitor.events.origin import Origins
from monitor.events.reasons import Reason

Read = Callable[[tuple[str, ...]], object]
"""Takes the path at which a label may name its model; gives what is there."""


class LabelModels:
    """The models that have labels, by where labels name them.

    Parameters
    ----------
    places
        By model, `label_mapping.model`.
    n_models
        How many models there are: with one, labels need not name it where `model` would.
    must_name
        Whether labels must name it in any other place; False where all are of one model.
    """

    def __init__(self, places: Mapping[str, str], n_models: int, *, must_name: bool = True) -> None:
        self._told = {name: place for name, place in places.items() if is_origin(place)}
        named = {name: (MODEL,) if name in self._told else path(place) for name, place in places.items()}
        self._in_files = _by_place(named)  # where there are no headers and no topic
        self._others = _by_place({name: place for name, place in named.items() if name not in self._told})
        self._only = next(iter(places)) if n_models == 1 and places else None
        self._may_be_silent = not must_name or all(place == (MODEL,) for place in named.values())

    @property
    def paths(self) -> Sequence[tuple[str, ...]]:
        """All that labels may name their model at."""
        return tuple(self._in_files)

    def told(self, message: int, origins: Origins | None) -> str | None:
        """The model that a message's header or topic tells; None: none does, and each label may name its own.

        Raises
        ------
        Refused
            Nothing tells it, and no label could.
        """
        if origins is None or not self._told:
            return None
        for name, place in self._told.items():
            if origins.value(place, message) == name:
                return name
        if self._others:
            return None
        found = {place: origins.value(place, message) for place in dict.fromkeys(self._told.values())}
        shown = ", ".join(f"no {place}" if value is None else f"{place} {value!r}" for place, value in found.items())
        raise Refused(Reason.UNKNOWN_MODEL, f"{shown}: no model of this name (label_mapping.model)")

    def named(self, read: Read, origins: Origins | None) -> str:
        """The model that a label names.

        Raises
        ------
        Refused
            It names none that has labels.
        """
        others = [value for place in self.paths if (value := read(place)) is not UNSET and value is not None]
        for place, models in (self._in_files if origins is None else self._others).items():
            name = read(place)
            if isinstance(name, str) and name in models:
                return name
        if others:
            shown = f"model {str(others[0])[:80]!r}"
            raise Refused(Reason.UNKNOWN_MODEL, f"{shown} is not configured with a label_horizon")
        if self._only is not None and self._may_be_silent:
            return self._only
        elsewhere = [".".join(place) for place in self.paths if place != (MODEL,)]
        if elsewhere:
            detail = f"no {elsewhere[0]}, where label_mapping.model says that the model is named"
            raise Refused(Reason.UNKNOWN_MODEL, detail)
        raise Refused(Reason.UNKNOWN_MODEL, "the label names no model, and several are configured")


def _by_place(named: Mapping[str, tuple[str, ...]]) -> dict[tuple[str, ...], set[str]]:
    found: dict[tuple[str, ...], set[str]] = {}
    for name, place in named.items():
        found.setdefault(place, set()).add(name)
    return found
