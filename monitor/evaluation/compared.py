"""One window compared with one baseline: the evidence, the verdicts, and what changed."""

from collections.abc import Sequence
from dataclasses import dataclass

from detectors.baseline import Counts
from detectors.change import ChangeColumns, changes
from detectors.panes import PaneStudy
from detectors.reference import Reference
from detectors.score import ScoreColumns, score_stacks
from detectors.settings import Setting
from detectors.stack import Stack
from detectors.verdict import VerdictColumns, verdicts


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedWindow:
    """All that is said of a window beside one baseline."""

    scores: ScoreColumns
    verdicts: VerdictColumns
    changes: ChangeColumns

    @classmethod
    def of(
        cls,
        reference: Reference,
        window: Stack,
        settings: Sequence[Setting],
        *,
        min_samples: int,
        alpha: float,
        study: PaneStudy | None,
        baseline: Counts | None = None,
    ) -> "ComparedWindow":
        """`window` is in the cells of `reference`, which is the baseline where there is no other."""
        [found] = cls.each(
            reference, [window], settings, min_samples=min_samples, alpha=alpha, study=study, baseline=baseline
        )
        return found

    @classmethod
    def each(
        cls,
        reference: Reference,
        windows: Sequence[Stack],
        settings: Sequence[Setting],
        *,
        min_samples: int,
        alpha: float,
        study: PaneStudy | None,
        baseline: Counts | None = None,
    ) -> "list[ComparedWindow]":
        """As `of`, each of several windows beside the same baseline, which takes less time than one by one."""
        compared = []
        scored = score_stacks(reference, windows, settings, min_samples, study=study, baseline=baseline)
        for window, scores in zip(windows, scored, strict=True):
            found = verdicts(scores, alpha)
            told = changes(reference, window, baseline, scores, found)
            compared.append(cls(scores=scores, verdicts=found, changes=told))
        return compared
