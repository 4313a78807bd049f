"""What to score, and by which rule a column drifts."""

import math
from collections.abc import Sequence

import msgspec

from detectors.columns import Kind
from detectors.errors import InvalidSetting
from detectors.grid import BINS
from detectors.layout import Layout
from detectors.registry import get


class Setting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One method on some columns.

    Attributes
    ----------
    method: a registered method's name.
    threshold: the smallest effect that matters, at least 0, in the method's own unit.
    verdict: whether it has a say in the column's verdict; else it is evidence alone.
    bins: cells of a numeric column for methods on "bins": 10, or a power of two up to 256.
    columns: the columns; None for all that the method applies to.
    """

    method: str
    threshold: float
    verdict: bool = True
    bins: int = 10
    columns: tuple[str, ...] | None = None

    def chosen(self, layout: Layout, kind: Kind) -> tuple[int, ...]:
        """The columns of one kind that this setting scores, as indices in layout order."""
        if kind not in get(self.method).kinds:
            return ()
        of_kind = layout.numeric if kind is Kind.NUMERIC else layout.categorical
        if self.columns is None:
            return of_kind
        named = {layout.index(name) for name in self.columns}
        return tuple(index for index in of_kind if index in named)


def check_settings(layout: Layout, settings: Sequence[Setting]) -> None:
    """Refuse what cannot be scored.

    Raises
    ------
    UnknownMethod, UnknownColumn: each names the nearest.
    InvalidSetting: a value is out of range, or a method scores one column twice.
    """
    taken: dict[str, set[int]] = {}
    for setting in settings:
        if not (math.isfinite(setting.threshold) and setting.threshold >= 0.0):
            raise InvalidSetting(f"{setting.method}: threshold must be at least 0, not {setting.threshold}")
        if setting.bins not in BINS:
            raise InvalidSetting(f"{setting.method}: bins must be one of {BINS}, not {setting.bins}")
        for name in setting.columns or ():
            layout.index(name)
        if get(setting.method).grid == "events" and (setting.columns is not None or setting.method in taken):
            raise InvalidSetting(f"{setting.method} scores whole events: name it once, and no columns")
        chosen = {*setting.chosen(layout, Kind.NUMERIC), *setting.chosen(layout, Kind.CATEGORICAL)}
        twice = chosen & taken.setdefault(setting.method, set())
        if twice:
            raise InvalidSetting(f"{setting.method} scores the column {layout.columns[min(twice)].name!r} twice")
        taken[setting.method] |= chosen
