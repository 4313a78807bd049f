"""A replay in which time goes on as on the stream: windows close one after the other, and labels come when they came.

An alert from labels is told when they were there, and a request to retrain knows of those alone that were. With all
labels after all predictions a loss would be told at the end of the file, or never where it was mended by then.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from monitor.events.batch import Batch
from monitor.events.label_batch import LabelBatch
from monitor.replay.waiting_labels import WaitingLabels
from sinks.records import record_of

if TYPE_CHECKING:
    from monitor.replay.replay import Replay


MEASURED: Final = 12
"""Windows that labels have measured again for each that is over, about: a bound on the work where labels take long."""
_WINDOW: Final = ["model", "version", "window_start_ms", "window_end_ms"]


class InTime:
    """Feeds predictions to a replay, and labels as event time comes to them.

    Each method gives the results of one step after the other: a window is measured at most once in each.

    Parameters
    ----------
    labels: all there are, in any order.
    """

    def __init__(self, replay: "Replay", labels: Sequence[LabelBatch]) -> None:
        self._replay = replay
        self._waiting = WaitingLabels(labels, replay.models)
        self._owed = 0

    def feed(self, batches: Iterable[Batch], complete_ms: int | None) -> Iterator[list[pa.RecordBatch]]:
        """Count one group of batches, with time as before; then let it go on, as `Replay.feed` does at once."""
        batches = list(batches)
        before_ms = self._replay.clock_ms
        if before_ms is None and batches:
            before_ms = min(int(batch.timestamps_ms.min()) for batch in batches)
        yield self._replay.feed(batches, before_ms)
        until_ms = self._replay.latest_ms if complete_ms is None else complete_ms
        if before_ms is not None and until_ms is not None:
            yield from self._pass(before_ms, until_ms)
            yield self._replay.pass_to(until_ms)

    def finish(self, *, close: bool) -> Iterator[list[pa.RecordBatch]]:
        """No row is left: event time goes to the latest, but for the last step where `close` will take it further; then
        label time to the last label, and as far as anything came."""
        clock_ms, latest_ms = self._replay.clock_ms, self._replay.latest_ms
        if clock_ms is not None and latest_ms is not None:
            yield from self._pass(clock_ms, latest_ms)
        if not close:
            yield self._replay.finish()
        last_ms = self._waiting.latest_ms
        if last_ms is not None:
            for at_ms in self._due(last_ms if latest_ms is None else latest_ms, last_ms):
                yield self._labels(at_ms)
            yield self._labels(last_ms)
        yield self._replay.end_labels()

    def _pass(self, after_ms: int, until_ms: int) -> Iterator[list[pa.RecordBatch]]:
        for at_ms in self._due(after_ms, until_ms):
            yield self._replay.pass_to(at_ms)
            yield self._labels(at_ms)

    def _due(self, after_ms: int, until_ms: int) -> Iterator[int]:
        """The instants at which labels are taken in: where many windows are measured each time, every few of them."""
        for at_ms in self._waiting.instants(after_ms, until_ms):
            self._owed = max(self._owed - MEASURED, 0)
            if not self._owed:
                yield at_ms

    def _labels(self, until_ms: int) -> list[pa.RecordBatch]:
        results = self._replay.take_labels(self._waiting.take(until_ms), until_ms)
        self._owed = sum(
            batch.select(_WINDOW).group_by(_WINDOW).aggregate([]).num_rows
            for batch in (pa.Table.from_batches([one]) for one in results if record_of(one).name == "performance")
        )
        return results
