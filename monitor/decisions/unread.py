"""What of a model's events is in no sketch: those that were rejected, and features that the reference does not know.

Pure. Counts add up by window, and are looked at when the window is over, so that it does not matter in which parts they
came.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from monitor.config.decisions import AlertSettings
from monitor.decisions.alert import MovedColumn
from monitor.decisions.cause import NAMELESS
from monitor.decisions.finding import QUIET_PANES, Finding
from monitor.decisions.moved import RejectCount
from monitor.decisions.tiling import Tiling
from monitor.decisions.usual import LOOKED_AT, Usual
from monitor.sketching.messages import UnreadCounts

FEWEST_REJECTS: Final = 20
"""Rejected events of a window from which on their share says anything."""
MOST_WINDOWS: Final = 10_000
"""Windows with counts that are not over yet: of rejects whose messages are dated far ahead of the events, say."""
WINDOWS_BEFORE: Final = 3
"""Windows with events that were looked at, the first: what these have was always there."""
FEWEST_EVENTS: Final = 3
"""Events that were looked at and have a feature, from which on it is no slip."""
MOST_NAMES: Final = 100
"""Features that the reference does not know; where there are more, names are no names of features."""
NEW: Final = "new feature"
"""The direction of one that is new."""


class UnreadWindow(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The counts of a window; see `UnreadCounts`."""

    start_ms: int
    end_ms: int
    rejects: dict[str, int] = {}
    n_looked: int = 0
    features: dict[str, int] = {}
    nameless: dict[str, int] = {}


class Unknown(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A feature that the reference does not know.

    Attributes
    ----------
    first_ms: the start of the first window that had it.
    n, n_looked: events that have it, of those that were looked at since.
    sure_ms: the end of the window with which these were enough; None before.
    """

    first_ms: int
    n: int = 0
    n_looked: int = 0
    sure_ms: int | None = None


class Unread(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered.

    Attributes
    ----------
    windows: those that are not over, and the last that are, of which rejects are kept.
    n_windows, last_ms: how many with events that were looked at are over, and the end of the last.
    new_from_ms: the end of the first `WINDOWS_BEFORE` of them; None before.
    features: by name, at most `MOST_NAMES`.
    crowded: there were more.
    """

    windows: tuple[UnreadWindow, ...] = ()
    n_windows: int = 0
    last_ms: int = 0
    new_from_ms: int | None = None
    features: dict[str, Unknown] = {}
    crowded: bool = False


def take(unread: Unread, counts: Sequence[UnreadCounts], tiling: Tiling) -> Unread:
    """With more counts."""
    known = {(one.end_ms, one.start_ms): one for one in unread.windows}
    for count in counts:
        window = tiling.containing(count.pane_start_ms)
        if window is None:
            continue
        key = (window.end_ms, window.start_ms)
        before = known.get(key, UnreadWindow(start_ms=window.start_ms, end_ms=window.end_ms))
        known[key] = msgspec.structs.replace(
            before,
            rejects=_sum(before.rejects, count.rejects),
            n_looked=before.n_looked + count.n_looked,
            features=_sum(before.features, count.features),
            nameless=_sum(before.nameless, count.nameless),
        )
    windows = tuple(known[key] for key in sorted(known)[:MOST_WINDOWS])
    return msgspec.structs.replace(unread, windows=windows)


def starts_in(counts: Sequence[UnreadCounts], until_ms: int) -> bool:
    """Whether some are of the time before."""
    return any(one.pane_start_ms < until_ms for one in counts)


def close(unread: Unread, end_ms: int, tiling: Tiling) -> Unread:
    """Once windows are over that end by `end_ms`."""
    windows, features = [], dict(unread.features)
    n_windows, last_ms, new_from_ms = unread.n_windows, unread.last_ms, unread.new_from_ms
    for window in unread.windows:
        if window.end_ms > end_ms:
            windows.append(window)
            continue
        if window.n_looked and window.start_ms >= last_ms:
            n_windows, last_ms = n_windows + 1, window.end_ms
            if n_windows == WINDOWS_BEFORE:
                new_from_ms = window.end_ms
        for name, n in window.features.items():
            own = features.get(name, Unknown(first_ms=window.start_ms))
            features[name] = Unknown(
                first_ms=min(own.first_ms, window.start_ms), n=own.n + n, n_looked=own.n_looked, sure_ms=own.sure_ms
            )
        for name, own in features.items() if window.n_looked else ():
            if window.start_ms >= own.first_ms:
                features[name] = msgspec.structs.replace(own, n_looked=own.n_looked + window.n_looked)
        for name, own in features.items():
            if own.sure_ms is None and own.n >= FEWEST_EVENTS:
                features[name] = msgspec.structs.replace(own, sure_ms=end_ms)
        if (window.rejects or window.nameless) and window.end_ms > end_ms - LOOKED_AT * tiling.pane_ms:
            windows.append(
                UnreadWindow(
                    start_ms=window.start_ms, end_ms=window.end_ms, rejects=window.rejects, nameless=window.nameless
                )
            )
    return Unread(
        windows=tuple(windows),
        n_windows=n_windows,
        last_ms=last_ms,
        new_from_ms=new_from_ms,
        features={name: features[name] for name in sorted(features)[:MOST_NAMES]},
        crowded=unread.crowded or len(features) > MOST_NAMES,
    )


def new_features(
    unread: Unread, settings: AlertSettings, end_ms: int, tiling: Tiling, silenced: Callable[[str], bool]
) -> Finding | None:
    """Features that came after the first windows, for as long as they are news: `resolve_after`, and five windows."""
    new_from_ms = unread.new_from_ms
    if new_from_ms is None or unread.crowded:
        return None
    hold_ms = max(settings.resolve_after_ms, QUIET_PANES * tiling.pane_ms)
    found = {
        name: one
        for name, one in unread.features.items()
        if one.sure_ms is not None and one.first_ms >= new_from_ms and end_ms - one.sure_ms < hold_ms
    }
    if not found:
        return None
    ranked = sorted(found, key=lambda name: (-found[name].n, name))
    columns = tuple(_new(name, found[name]) for name in ranked)
    return Finding(
        cause="schema",
        columns=columns,
        onset_ms=min(one.since_ms for one in columns),
        raises=any(not silenced(name) for name in ranked),
        at_once=True,
        n_windows=1,
    )


def beside(found: Finding | None, new: Finding | None) -> Finding | None:
    """One finding of both: a feature that is gone, and one that is new, may be one that was renamed."""
    if found is None or new is None:
        return found or new
    return msgspec.structs.replace(
        found,
        columns=(*found.columns, *new.columns),
        onset_ms=min(found.onset_ms, new.onset_ms),
        raises=found.raises or new.raises,
        at_once=found.at_once or new.raises,
    )


def rejects_finding(unread: Unread, usual: Usual, settings: AlertSettings, end_ms: int) -> Finding | None:
    """What the shares of rejected events come to, in the last windows that end by `end_ms`.

    Those that name no model count as if all were this model's, where its own are not many by themselves: a warning, for
    they may be another's.
    """

    def much(one: RejectCount) -> bool:
        return (
            one.n_rejected >= FEWEST_REJECTS
            and settings.most_rejects < 1.0
            and one.n_rejected > settings.most_rejects * max(one.n_events, 1)
        )

    known = {(one.start_ms, one.end_ms): one for one in unread.windows}
    counts: list[RejectCount] = []
    together: list[RejectCount] = []
    for window in usual.recent[-LOOKED_AT:]:
        if window.end_ms <= end_ms:
            key = (window.start_ms, window.end_ms)
            found = known.get(key, UnreadWindow(start_ms=key[0], end_ms=key[1]))
            n = sum(found.rejects.values())
            for n_rejected, into in ((n, counts), (n + sum(found.nameless.values()), together)):
                into.append(
                    RejectCount(
                        start_ms=key[0], end_ms=key[1], n_rejected=n_rejected, n_events=window.total + n_rejected
                    )
                )
    bad = [place for place, one in enumerate(together) if much(one)]
    if not bad or not any(map(much, together[-2:])):
        return None
    its_own = much(counts[bad[-1]])
    last = (counts if its_own else together)[bad[-1]]
    window_of_last = known[last.start_ms, last.end_ms]
    reasons = window_of_last.rejects if its_own else _sum(window_of_last.rejects, window_of_last.nameless)
    share, onset_ms = last.n_rejected / last.n_events, together[bad[0]].start_ms
    column = MovedColumn(
        column="@rejects",
        segment="",
        direction="more rejected" if its_own else NAMELESS,
        quantity=f"share rejected (most: {max(sorted(reasons), key=lambda reason: reasons[reason])})",
        before=None,
        after=share,
        effect=share,
        threshold=max(settings.most_rejects, 1e-9),
        method="rejects",
        since_ms=onset_ms,
    )
    return Finding(
        cause="rejects",
        columns=(column,),
        onset_ms=onset_ms,
        raises=much(together[-1]),
        at_once=True,
        severity="critical" if its_own and share >= 0.5 else "warning",
        n_windows=len(bad),
    )


def _sum(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    """One more than `MOST_NAMES`, the first: as they are cut where they are counted (`monitor.events.looked`)."""
    total = Counter(one)
    total.update(other)
    return {name: total[name] for name in sorted(total)[: MOST_NAMES + 1]}


def _new(name: str, one: Unknown) -> MovedColumn:
    share = min(one.n / max(one.n_looked, 1), 1.0)
    return MovedColumn(
        column=name,
        segment="",
        direction=NEW,
        quantity="share of events with a value",
        before=0.0,
        after=share,
        effect=share,
        threshold=0.0,
        method="unread",
        since_ms=one.first_ms,
    )
