"""How many of the events that were counted lie in no window that is over. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from monitor.evaluation.watched import Watched
from monitor.events.batch import Batch


class LiveEvents:
    """Events by model and pane; holds a number a pane, no rows.

    Attributes
    ----------
    n
        Events that were counted in sketches, late ones among them.
    """

    def __init__(self, models: Sequence[Watched]) -> None:
        self._models = {model.name: model for model in models}
        self._panes = Counter[tuple[str, int]]()
        self.n = 0

    def add(self, batches: Iterable[Batch]) -> None:
        """Count them."""
        for batch in batches:
            self.n += batch.n
            panes, n = np.unique(batch.timestamps_ms // self._models[batch.model].pane_ms, return_counts=True)
            self._panes.update({(batch.model, pane): k for pane, k in zip(panes.tolist(), n.tolist(), strict=True)})

    def n_open(self, watermarks_ms: Mapping[str, int]) -> int:
        """How many lie in panes of which no window has ended, event time being complete to the watermarks, by model."""
        n_open = 0
        for (name, pane), n in self._panes.items():
            model, until_ms = self._models[name], watermarks_ms.get(name)
            start_ms = pane * model.pane_ms
            over = until_ms is not None and any(
                window.end_ms <= until_ms for shape in model.shapes for window in shape.containing(start_ms)
            )
            n_open += 0 if over else n
        return n_open
