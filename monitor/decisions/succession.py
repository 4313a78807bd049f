"""Which versions and references still count, once a new one has taken over. Pure.

A track has no windows any more once its version is replaced, or ingest counts on another reference. What it said last
must not keep an alert open: nobody serves that model, or compares with that reference, any longer.
"""

from collections.abc import Sequence
from typing import Final

from monitor.decisions.track import Track

TAKEN_OVER: Final = 2
"""Windows of the successor, all after the last of the other, from which on it has taken over."""


def current(tracks: Sequence[Track], successor: str) -> list[Track]:
    """The tracks that count, in the order given: all but those that another has taken over from.

    A track takes over from one of its family on another reference, or, if its version is `successor`, from those of
    other versions, by `TAKEN_OVER` windows that begin after the other's last. Two that go on side by side both count,
    and one whose windows come again counts again.

    Parameters
    ----------
    successor: the version that the last retraining made; "": none is known.
    """
    return [track for track in tracks if not any(_took_over(other, track, successor) for other in tracks)]


def _took_over(new: Track, old: Track, successor: str) -> bool:
    if new.family != old.family:
        return False
    retrained = bool(successor) and new.version == successor != old.version
    if new.reference == old.reference and not retrained:
        return False
    return sum(pane.start_ms >= old.last_ms for pane in new.panes[-TAKEN_OVER:]) == TAKEN_OVER


def succeeded_by(every: Sequence[Track], counting: Sequence[Track]) -> dict[tuple[str, str], str]:
    """By version and reference of which no track counts any more, the version whose windows began last."""
    serving = {(track.version, track.reference) for track in counting}
    latest = max(counting, key=lambda track: (track.first_ms, track.version), default=None)
    if latest is None:
        return {}
    gone = {(track.version, track.reference) for track in every} - serving
    return dict.fromkeys(sorted(gone), latest.version)


def newest_reference(tracks: Sequence[Track]) -> str:
    """The digest of the reference whose windows began last; "" without any."""
    return max(tracks, key=lambda track: (track.first_ms, track.reference)).reference if tracks else ""


def references_by_version(tracks: Sequence[Track]) -> dict[str, str]:
    """By version, the digest of the reference that it is compared with; of several the one whose windows began last."""
    latest = sorted(tracks, key=lambda track: (track.first_ms, track.reference))
    return {track.version: track.reference for track in latest}
