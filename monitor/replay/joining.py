"""The join in a replay: the blocks that ingest would have sent to one partition, and a dictionary for the state.

What matches is handed on; the rest is counted.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from monitor.events.batch import Batch
from monitor.events.label_batch import LabelBatch
from monitor.eventtime.watermark import Clock
from monitor.join.block import JoinMessage, decode, encode
from monitor.join.joiner import Joiner
from monitor.join.matches import Matches
from monitor.join.outgoing import PredictionBlocks, blocks_by_partition
from monitor.join.state import DictStore
from monitor.join.step import JoinModel

_TOPIC = "replay"


class JoinReplay:
    """Joins the labels of a file with the predictions of another.

    Parameters
    ----------
    on_matches
        is given what matches, also what is taken back (`Matches.sign`).

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
    ) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self._joiner = Joiner(models)
        self._blocks = blocks
        self._on_matches = on_matches
        self._store = DictStore()
        self._offset = 0
        self._latest_ms = 0

    def feed(self, batches: Iterable[Batch], labels: Iterable[LabelBatch]) -> None:
        """Take in predictions, or labels, or both; in any order."""
        batches, labels = list(batches), list(labels)
        times = [int(batch.timestamps_ms.max()) for batch in batches]
        times += [int(batch.timestamps_ms.max()) for batch in labels]
        self._latest_ms = max([self._latest_ms, *times])
        for predictions, of_labels in blocks_by_partition(batches, labels, self._blocks, 1).values():
            self._advance(JoinMessage(predictions=predictions, labels=of_labels))

    def close(self) -> None:
        """Let time go to the latest event of all: what no label can come to any more is counted as expired."""
        clock = Clock(topic=_TOPIC, partition=0, max_event_ms=self._latest_ms)
        self._advance(JoinMessage(clocks=[clock], n_partitions={_TOPIC: 1}))
        before = -1
        while len(self._store.rows) != before:
            before = len(self._store.rows)
            self._advance(JoinMessage())

    @property
    def latest_ms(self) -> int:
        """The time of the latest event of all, milliseconds since 1970; 0 before any."""
        return self._latest_ms

    @property
    def state(self) -> dict[bytes, bytes]:
        """What is kept now."""
        return self._store.rows

    def _advance(self, message: JoinMessage) -> None:
        step = self._joiner.advance(self._store, decode(encode(message)), self._offset)
        assert step is not None
        self._offset += 1
        self.counts.update(step.counts)
        for matches in step.matches:
            self._on_matches(matches)
        step.apply(self._store.rows)
