"""The labels of a replay in order of time, and when they are taken in. Pure."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from monitor.evaluation.watched import Watched
from monitor.events.label_batch import LabelBatch

_MOST_EMPTY: Final = 2_000
"""Instants before a time that is far ahead of all before it; at those beyond nothing is looked at."""


class WaitingLabels:
    """Labels that have not been taken in.

    Parameters
    ----------
    labels: all there are, in any order; of `models`.
    """

    def __init__(self, labels: Sequence[LabelBatch], models: Sequence[Watched]) -> None:
        self._labels = labels
        times = np.concatenate([np.zeros(0, dtype=np.int64), *(batch.timestamps_ms for batch in labels)])
        self._order = np.argsort(times, kind="stable")
        self._times = times[self._order]
        self._batch_of = np.repeat(np.arange(len(labels)), [batch.n for batch in labels])
        self._row_of = np.concatenate([np.zeros(0, dtype=np.int64), *(np.arange(batch.n) for batch in labels)])
        self._taken = 0
        self._steps = sorted({(model.pane_ms, model.lateness_ms) for model in models if model.joined})

    @property
    def latest_ms(self) -> int | None:
        """The time of the last of all; None where there are none."""
        return int(self._times[-1]) if self._times.size else None

    def take(self, until_ms: int) -> list[LabelBatch]:
        """Those up to a time that have not been taken yet."""
        until = int(np.searchsorted(self._times, until_ms, side="right"))
        rows = self._order[self._taken : until]
        self._taken = max(self._taken, until)
        batch_of = self._batch_of[rows]
        return [self._labels[place].at(self._row_of[rows[batch_of == place]]) for place in np.unique(batch_of).tolist()]

    def instants(self, after_ms: int, until_ms: int) -> list[int]:
        """When some may be taken in while time goes on: as panes of a model are over, its lateness after their ends."""
        return sorted(
            {
                at_ms
                for step_ms, lateness_ms in self._steps
                for at_ms in _multiples(after_ms - lateness_ms, until_ms - lateness_ms, step_ms, lateness_ms)
            }
        )


def _multiples(after_ms: int, until_ms: int, step_ms: int, offset_ms: int) -> list[int]:
    """In `(after_ms, until_ms]`, each with the offset; the first of very many."""
    first, last = after_ms // step_ms + 1, until_ms // step_ms
    return [number * step_ms + offset_ms for number in range(first, min(last, first + _MOST_EMPTY) + 1)]
