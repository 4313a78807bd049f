"""What the join sends of a step: performance to the partition of its model, and how far label time is complete. Pure.

The clock goes to every partition of `drift.sketches`, after what the step matched, whenever time passed the end of a
pane of some model's: windows are measured at these instants also where nothing matched.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Protocol

from detectors.performance.space import PerformanceSpace
from detectors.reference import Reference
from monitor.config.schema import FeatureSkew
from monitor.errors import Unavailable
from monitor.eventtime.watermark import Clock
from monitor.join.feature_counts import skew_deltas
from monitor.join.matches import Matches
from monitor.join.outcomes import UNMEASURED
from monitor.join.performance import MatchCounter
from monitor.join.step import JoinStep
from monitor.sketching.feature_skew import FeatureSkewDelta
from monitor.sketching.messages import BlockName, PerformanceDelta, SketchMessage
from monitor.sketching.own_topics import JOINS, partition_of_model

LABEL_CLOCK: Final = JOINS
"""What clocks of label time give as their topic."""


class Measured(Protocol):
    """What must be known of a model: `monitor.evaluation.watched.Watched` has it."""

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def pane_ms(self) -> int: ...  # noqa: D102

    @property
    def lateness_ms(self) -> int: ...  # noqa: D102

    @property
    def threshold(self) -> float | None: ...  # noqa: D102

    @property
    def feature_skew(self) -> FeatureSkew | None: ...  # noqa: D102

    @property
    def references(self) -> Mapping[str, Reference]: ...  # noqa: D102

    def space_of(self, reference: Reference) -> PerformanceSpace | None: ...  # noqa: D102


class PerformanceMessages:
    """Makes messages of what steps matched.

    Parameters
    ----------
    models
        those that have labels, or features that are compared when they are computed again.
    n_partitions
        of `drift.sketches`.
    n_sources
        partitions of `drift.joins`.
    """

    def __init__(self, models: Sequence[Measured], n_partitions: int, n_sources: int) -> None:
        self._models = {model.name: model for model in models}
        self._n_partitions = n_partitions
        self._n_sources = n_sources
        self._counters: dict[tuple[str, str], MatchCounter | None] = {}

    def of(self, step: JoinStep, partition: int) -> Iterator[tuple[int, SketchMessage]]:
        """Partition of `drift.sketches` and message, in the order in which they are sent; what is not measured is
        counted in `step.counts`.

        Raises
        ------
        Unavailable: the file of a reference is missing. Nothing may be committed of the step then.
        """
        by_partition: dict[int, list[PerformanceDelta | FeatureSkewDelta]] = defaultdict(list)
        for matches in step.matches:
            target = partition_of_model(matches.shape.model, self._n_partitions)
            by_partition[target] += self._deltas(matches, step.counts)
        for pairs in step.pairs:
            settings = self._models[pairs.served_shape.model].feature_skew
            if settings is not None:
                target = partition_of_model(pairs.served_shape.model, self._n_partitions)
                by_partition[target] += skew_deltas(pairs, settings)
        for target, deltas in sorted(by_partition.items()):
            for part, delta in enumerate(deltas):
                block = BlockName(partition=partition, offset=step.offset, part=part)
                if isinstance(delta, PerformanceDelta):
                    yield target, SketchMessage(performance=[delta], block=block)
                else:
                    yield target, SketchMessage(features=[delta], block=block)
        if self._passed(step.before_ms, step.after_ms):
            clock = Clock(topic=LABEL_CLOCK, partition=partition, max_event_ms=step.after_ms)
            message = SketchMessage(label_clocks=[clock], n_label_partitions={LABEL_CLOCK: self._n_sources})
            for target in range(self._n_partitions):
                yield target, message

    def _deltas(self, matches: Matches, counts: Counter[tuple[str, str]]) -> list[PerformanceDelta]:
        counter = self._counter(matches.shape.model, matches.shape.reference)
        if counter is None:
            counts[matches.shape.model, UNMEASURED] += int(matches.sign.sum(dtype=int))
            return []
        return list(counter.deltas(matches))

    def _counter(self, model: str, digest: str) -> MatchCounter | None:
        if (model, digest) not in self._counters:
            reference = self._models[model].references.get(digest)
            if reference is None:
                raise Unavailable(
                    f"labels came for predictions of model {model!r} on the reference {digest[:12]}..., whose file is "
                    "not beside the configured one",
                    hint="put the file back beside it: what waits is counted then, and nothing is lost",
                )
            space, threshold = self._models[model].space_of(reference), self._models[model].threshold
            self._counters[model, digest] = None if space is None else MatchCounter(reference, space, threshold)
        return self._counters[model, digest]

    def _passed(self, before_ms: int | None, after_ms: int | None) -> bool:
        """Whether time passed the end of a pane of some model."""
        if after_ms is None or before_ms == after_ms:
            return False
        return before_ms is None or any(
            (before_ms - model.lateness_ms) // model.pane_ms < (after_ms - model.lateness_ms) // model.pane_ms
            for model in self._models.values()
        )
