"""What of decoded events is in no sketch, by model and pane: rejects, and unknown features. Pure.

It adds up like sketches do: the same counts for any batches. A reject without a time is counted in no pane; that is one
without a time of its own in a file, or in a message for which Kafka holds none.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping

from monitor.events.batch import Decoded, Rejected
from monitor.events.looked import MOST_NAMES
from monitor.events.times import MAX_TIMESTAMP_MS
from monitor.sketching.deltas import Cut
from monitor.sketching.messages import UnreadCounts


def unread_counts(
    decoded: Decoded, cuts: Mapping[str, Cut], time_of: Callable[[Rejected], int | None]
) -> list[UnreadCounts]:
    """The counts, by model and pane.

    Parameters
    ----------
    cuts
        By model: how its events are cut into panes. A reject that names none of them is that of the only model; where
        there are several it may be anybody's, and counts with each of them, apart from its own. One that names a model
        that is not configured is then nobody's: others may share the topic.
    time_of
        When a reject counts, milliseconds since 1970; None, or not after 1970: nowhere.
    """
    only = next(iter(cuts)) if len(cuts) == 1 else ""
    rejects: dict[tuple[str, int], Counter[str]] = defaultdict(Counter)
    nameless: dict[tuple[str, int], Counter[str]] = defaultdict(Counter)
    for reject in decoded.rejects:
        model, at_ms = reject.model or only, time_of(reject)
        if at_ms is None or not 0 < at_ms <= MAX_TIMESTAMP_MS:
            continue
        if model in cuts:
            rejects[model, _pane(cuts[model], at_ms)][str(reject.reason)] += 1
        elif not (model or reject.foreign):
            for name, cut in cuts.items():
                nameless[name, _pane(cut, at_ms)][str(reject.reason)] += 1
    n_looked: Counter[tuple[str, int]] = Counter()
    features: dict[tuple[str, int], Counter[str]] = defaultdict(Counter)
    for model, looked in decoded.looked.items():
        n_looked.update((model, _pane(cuts[model], at_ms)) for at_ms in looked.times_ms)
        for name, times_ms in looked.features.items():
            for at_ms in times_ms:
                features[model, _pane(cuts[model], at_ms)][name] += 1
    return [
        UnreadCounts(
            model=key[0],
            pane_start_ms=key[1],
            rejects=dict(sorted(rejects[key].items())) if key in rejects else {},
            n_looked=n_looked[key],
            features=dict(sorted(features[key].items())[:MOST_NAMES]) if key in features else {},
            nameless=dict(sorted(nameless[key].items())) if key in nameless else {},
        )
        for key in sorted({*rejects, *n_looked, *nameless})
    ]


def _pane(cut: Cut, at_ms: int) -> int:
    return at_ms // cut.pane_ms * cut.pane_ms
