"""What the score role knows of a model."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from detectors.performance.model_space import space_of
from detectors.performance.space import PerformanceSpace
from detectors.reference import REST, Reference, segment_name
from detectors.sequential_registry import SequentialDetector
from detectors.settings import Setting
from monitor.config.schema import MATURE_AT, FeatureSkew
from monitor.evaluation.compare import Compare
from monitor.evaluation.pane_cache import PaneCache, SumCache
from monitor.evaluation.sketch_cache import SketchCache
from monitor.eventtime.windows import WindowShape, longest_ms, pane_length_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What the score role knows of one model.

    `references` are by digest: older ones stay while windows need them. `max_versions` are told apart at a time: see
    `Panes.told_apart`. `label_horizon_ms`: how long after a prediction its label may come; None: it has no labels, and
    its performance is not measured. `task`, `positive` and `threshold` say what a label and a score mean.
    `mature_at`: the share of a window's predictions that must have labels, so that it is no longer provisional.
    `concept_drift`: what reads its losses in label time. `feature_skew`: how features that are computed again are
    compared with those that were served; None: they are not. `labels_read`: False where a replay is given none, and
    label time is that of features alone. `cache` keeps what was last read of its panes.
    """

    name: str
    shapes: tuple[WindowShape, ...]
    lateness_ms: int
    retention_ms: int
    min_samples: int
    settings: tuple[Setting, ...]
    alpha: float
    compare: tuple[Compare, ...] = (Compare(),)
    references: Mapping[str, Reference]
    max_versions: int = 50
    label_horizon_ms: int | None = None
    task: str = "none"
    positive: str | None = None
    threshold: float | None = None
    mature_at: float = MATURE_AT
    concept_drift: tuple[SequentialDetector, ...] = ()
    feature_skew: FeatureSkew | None = None
    labels_read: bool = True
    cache: PaneCache = field(default_factory=PaneCache, compare=False, repr=False)
    sums: SumCache = field(default_factory=SumCache, compare=False, repr=False)
    matched: SketchCache = field(default_factory=SketchCache, compare=False, repr=False)
    _spaces: dict[str, PerformanceSpace | None] = field(default_factory=dict, compare=False, repr=False)

    @property
    def pane_ms(self) -> int:
        """The length of a pane in milliseconds."""
        return pane_length_ms(self.shapes)

    @property
    def horizon_ms(self) -> int:
        """How long a pane lives behind the watermark: as long as a late event may still re-open a window with it.

        Such a window ended within the retention, so whatever lies in it began within the retention and its length.
        """
        return self.retention_ms + longest_ms(self.shapes)

    @property
    def performance_life_ms(self) -> int:
        """How long a pane of predictions is kept, behind the time of labels, for those that still come."""
        return (self.label_horizon_ms or 0) + self.horizon_ms

    @property
    def skew_life_ms(self) -> int:
        """Likewise a pane of predictions whose features are compared."""
        return (self.feature_skew.horizon_ms if self.feature_skew is not None else 0) + self.horizon_ms

    @property
    def joined(self) -> bool:
        """Whether anything of it depends on label time."""
        return self.label_horizon_ms is not None or self.feature_skew is not None

    def space_of(self, reference: Reference) -> PerformanceSpace | None:
        """In what cells the matches on a reference are counted; None where its performance cannot be measured."""
        if self.label_horizon_ms is None:
            return None
        if reference.digest not in self._spaces:
            self._spaces[reference.digest] = space_of(reference, self.task, self.positive)
        return self._spaces[reference.digest]


def segments_of(reference: Reference) -> tuple[str, ...]:
    """Every segment that events may fall in: the whole, then each dimension's values and its rest."""
    named = (segment_name(name, value) for name, values in reference.dimensions.items() for value in (*values, REST))
    return ("", *named)
