"""What raises no alert meanwhile: silences of the configuration, and those that were said. Pure."""

from collections.abc import Sequence
from typing import Final

from monitor.config.decisions import Cause, SilenceSettings
from monitor.decisions.controls import Silence
from monitor.decisions.track import Track

AnySilence = SilenceSettings | Silence
_OF_CELLS: Final[tuple[Cause, ...]] = (
    "schema", "data_quality", "data_drift", "prediction_drift", "subgroup", "performance", "concept_drift",
    "label_delay",
)  # fmt: skip


def is_silenced(silences: Sequence[AnySilence], cause: Cause, segment: str, column: str, at_ms: int) -> bool:
    """Whether one of the silences is about this column of this segment and this cause, at a moment of event time."""
    return any(
        one.from_ms <= at_ms < one.until_ms
        and one.cause in (None, cause)
        and one.segment in (None, segment)
        and one.column in (None, column)
        for one in silences
    )


def silenced_cells(silences: Sequence[AnySilence], tracks: Sequence[Track], at_ms: int) -> set[tuple[str, str, str]]:
    """(cause, segment, column) of the tracks' cells that raise nothing."""
    if not silences:
        return set()
    return {
        (cause, *cell.place)
        for track in tracks
        for cell in track.cells
        for cause in _OF_CELLS
        if is_silenced(silences, cause, *cell.place, at_ms)
    }
