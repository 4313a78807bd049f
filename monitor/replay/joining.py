"""The join in a replay: the blocks that ingest would have sent to one partition, and a dictionary for the state.

What matches is handed on; the rest is counted. Labels come by their time, so that label time goes on as they do and few
matches wait for it: the files themselves may be in any order.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from monitor.events.batch import Batch
from monitor.events.label_batch import LabelBatch
from monitor.eventtime.watermark import Clock
from monitor.join.block import JoinMessage, decode, encode
from monitor.join.feature_blocks import FeatureBlocks, features_by_partition
from monitor.join.joiner import Joiner
from monitor.join.matches import Matches
from monitor.join.outgoing import PredictionBlocks, blocks_by_partition
from monitor.join.state import DictStore, read_seal
from monitor.join.step import JoinModel, JoinStep

PREDICTIONS_WAITING: Final = "predictions_waiting"
LABELS_WAITING: Final = "labels_waiting"
_TOPIC: Final = "replay"


class JoinReplay:
    """Joins the labels of a file with the predictions of another.

    Parameters
    ----------
    on_matches
        is given what matches, also what is taken back (`Matches.sign`).
    on_step
        is given all that each step leads to, and how far label time is complete.
    features
        what makes blocks of features, of models that have them compared.

    Attributes
    ----------
    counts
        by model and one of `monitor.join.outcomes.COUNTS`.
    """

    def __init__(
        self,
        models: Sequence[JoinModel],
        blocks: Mapping[str, PredictionBlocks],
        on_matches: Callable[[Matches], None] = lambda _matches: None,
        *,
        on_step: Callable[[JoinStep], None] = lambda _step: None,
        features: Mapping[str, FeatureBlocks] | None = None,
    ) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self._joiner = Joiner(models)
        self._of_labels = frozenset(model.name for model in models if not model.features_of)
        self._blocks = blocks
        self._features = features or {}
        self._on_matches = on_matches
        self._on_step = on_step
        self._store = DictStore()
        self._offset = 0
        self._latest_ms = 0
        self._label_ms: int | None = None

    def feed(self, batches: Iterable[Batch], labels: Iterable[LabelBatch]) -> None:
        """Take in predictions, or labels, or both; in any order."""
        batches, labels = list(batches), list(labels)
        times = [int(batch.timestamps_ms.max()) for batch in batches]
        times += [int(batch.timestamps_ms.max()) for batch in labels]
        self._latest_ms = max([self._latest_ms, *times])
        for predictions, of_labels in blocks_by_partition(batches, labels, self._blocks, 1).values():
            self._advance(JoinMessage(predictions=predictions, labels=of_labels))
        for features in features_by_partition(batches, self._features, 1).values():
            self._advance(JoinMessage(features=features))

    def end_labels(self) -> None:
        """No label is left: label time is complete as far as anything came."""
        self.pass_to(self._latest_ms)

    def close_label_time(self, after_ms: int) -> None:
        """Label time is complete this long after the latest event of all."""
        self.pass_to(self._latest_ms + after_ms)

    def close(self) -> None:
        """Let time go to the latest event of all: what no label can come to any more is counted as expired."""
        clock = Clock(topic=_TOPIC, partition=0, max_event_ms=self._latest_ms)
        self._advance(JoinMessage(clocks=[clock], n_partitions={_TOPIC: 1}))
        before = -1
        while len(self._store.rows) != before:
            before = len(self._store.rows)
            self._advance(JoinMessage())

    @property
    def waiting(self) -> Counter[tuple[str, str]]:
        """By model, what may still be joined: `predictions_waiting` for a label, and `labels_waiting`, ids of labels
        that no prediction has come for."""
        found: Counter[tuple[str, str]] = Counter()
        seal = read_seal(self._store)
        for code, name in enumerate(seal.models):
            if name in self._of_labels:
                for stretch in seal.stretches.get(code, {}).values():
                    found[name, PREDICTIONS_WAITING] += stretch.unlabelled
                    found[name, LABELS_WAITING] += stretch.waiting
        return +found

    @property
    def latest_ms(self) -> int:
        """The time of the latest event of all, milliseconds since 1970; 0 before any."""
        return self._latest_ms

    @property
    def state(self) -> dict[bytes, bytes]:
        """What is kept now."""
        return self._store.rows

    def pass_to(self, until_ms: int) -> None:
        """Tell how far label time is complete. The join itself need not know: no prediction expires before `close`, so
        that what comes of a label does not depend on where it stands."""
        self._advance(JoinMessage(), until_ms)

    def _advance(self, message: JoinMessage, until_ms: int | None = None) -> None:
        step = self._joiner.advance(self._store, decode(encode(message)), self._offset)
        assert step is not None
        self._offset += 1
        before_ms = self._label_ms
        if until_ms is not None:
            self._label_ms = until_ms if before_ms is None else max(before_ms, until_ms)
        step = replace(step, before_ms=before_ms, after_ms=self._label_ms)
        for matches in step.matches:
            self._on_matches(matches)
        self._on_step(step)
        self.counts.update(step.counts)
        step.apply(self._store.rows)
