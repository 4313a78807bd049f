"""The windows that a message leads to a score of, compared with their baselines: several at once, which costs less."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from detectors.baseline import Counts
from detectors.panes import PaneStudy
from detectors.reference import Reference
from detectors.stack import Stack
from monitor.evaluation.baselines import Baselines, study_of
from monitor.evaluation.compared import ComparedWindow
from monitor.evaluation.results import Results, RowGroup
from monitor.evaluation.watched import Watched
from monitor.evaluation.window_columns import WindowColumns

_CELLS_AT_ONCE: Final = 500_000  # of all segments of the windows that are held together: 4 MB


@dataclass(frozen=True, slots=True, kw_only=True)
class DueWindow:
    """A window to be scored.

    Attributes
    ----------
    part: what its rows have in common.
    whole: its panes, added up.
    partial: see `WindowColumns`.
    """

    part: RowGroup
    whole: Stack
    partial: bool

    @property
    def length_ms(self) -> int:
        """How long it is."""
        return self.part.interval.end_ms - self.part.interval.start_ms


def together(due: Iterable[DueWindow]) -> Iterator[list[DueWindow]]:
    """The windows in their order, as many at a time as are held together."""
    held: list[DueWindow] = []
    for window in due:
        held.append(window)
        if sum(one.whole.counts.size for one in held) >= _CELLS_AT_ONCE:
            yield held
            held = []
    if held:
        yield held


def compare_windows(
    due: Sequence[DueWindow],
    model: Watched,
    reference_of: Callable[[str], Reference],
    baselines: Baselines,
    results: Results,
) -> None:
    """Add to `results` what is said of the windows, in their order, and of each in the order of the comparisons.

    `reference_of` finds a reference by its digest.
    """
    pinned = _pinned(due, model, reference_of) if any(compare.pinned for compare in model.compare) else []
    for place, own in enumerate(due):
        reference, interval = reference_of(own.part.group[1]), own.part.interval
        scores = None
        for compare in model.compare:
            if compare.pinned:
                compared = pinned[place]
            else:
                side = baselines.side(compare, reference, own.part.group, interval)
                if side is None:
                    continue
                study = study_of(compare, reference, own.length_ms)
                [compared] = _compared(model, reference, [own.whole], study, side)
            results.compared.append((replace(own.part, compare=compare.name), compared))
            scores = scores or compared.scores
        results.windows.append((own.part, WindowColumns.of(own.whole, scores, partial=own.partial)))


def _pinned(due: Sequence[DueWindow], model: Watched, reference_of: Callable[[str], Reference]) -> list[ComparedWindow]:
    """Each window beside its reference: those of one length at once."""
    alike: dict[tuple[str, int], list[int]] = defaultdict(list)
    for place, own in enumerate(due):
        alike[own.part.group[1], own.length_ms].append(place)
    found: dict[int, ComparedWindow] = {}
    for (digest, length_ms), places in alike.items():
        reference = reference_of(digest)
        windows = [due[place].whole for place in places]
        found |= zip(places, _compared(model, reference, windows, reference.study(length_ms), None), strict=True)
    return [found[place] for place in range(len(due))]


def _compared(
    model: Watched, reference: Reference, windows: Sequence[Stack], study: PaneStudy | None, baseline: Counts | None
) -> list[ComparedWindow]:
    return ComparedWindow.each(
        reference,
        windows,
        model.settings,
        min_samples=model.min_samples,
        alpha=model.alpha,
        study=study,
        baseline=baseline,
    )
