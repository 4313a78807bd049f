"""What became of the rows of a file: read, rejected, without a value; kept while it is read, told at its end."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from detectors.columns import CODE_INVALID, INVALID
from detectors.layout import Layout
from monitor.events.batch import Batch, Decoded, Rejected
from monitor.events.models import ModelSpec


class Account:
    """Takes in decoded parts; holds counts and an example of each kind, no rows.

    Parameters
    ----------
    layouts
        By model: the columns that events have.
    models
        Whose segments are looked at.

    Attributes
    ----------
    n_events, n_counted
        Rows read, and those that are in batches. The others are `rejects`.
    first_ms, last_ms
        The earliest and the latest time of a row that was counted; None before there is one.
    rejects
        How many, by reason.
    examples
        By reason: the first.
    notes
        What else is to be said of the file, in sentences; each once.
    """

    def __init__(self, layouts: Mapping[str, Layout], models: Sequence[ModelSpec] = ()) -> None:
        self._layouts = layouts
        self._waiting = {name: set(range(len(layout.columns))) for name, layout in layouts.items()}
        self._invalid = Counter[tuple[str, int]]()
        self._seen: set[str] = set()
        self._segments = {model.name: dict(model.dimensions) for model in models}
        self._dimensions = {model.name: dict(model.dimensions) for model in models}
        self.n_events = 0
        self.n_counted = 0
        self.first_ms: int | None = None
        self.last_ms: int | None = None
        self.rejects = Counter[str]()
        self.examples: dict[str, Rejected] = {}
        self.notes: dict[str, None] = {}

    def take(self, decoded: Decoded) -> None:
        """Count a part."""
        self.n_events += decoded.n_events
        for reject in decoded.rejects:
            self.rejects[reject.reason] += 1
            self.examples.setdefault(reject.reason, reject)
        for batch in decoded.batches:
            self._batch(batch)

    def empty_columns(self) -> list[tuple[str, str, int]]:
        """Model, column and number of invalid values of each column that no row had a value for."""
        return [
            (name, self._layouts[name].columns[index].name, self._invalid[name, index])
            for name in self._layouts
            if name in self._seen
            for index in sorted(self._waiting[name])
        ]

    def absent_segments(self) -> list[str]:
        """The dimensions of which every row was in the rest."""
        return [name for model, waiting in self._segments.items() if model in self._seen for name in waiting]

    def _batch(self, batch: Batch) -> None:
        waiting_segments = self._segments.get(batch.model, {})
        if waiting_segments:
            dimensions = self._dimensions[batch.model]
            for row, name in enumerate(dimensions):
                if name in waiting_segments and (batch.segments[row] < len(dimensions[name])).any():
                    del waiting_segments[name]
        self._seen.add(batch.model)
        self.n_counted += batch.n
        first_ms, last_ms = int(batch.timestamps_ms.min()), int(batch.timestamps_ms.max())
        self.first_ms = first_ms if self.first_ms is None else min(self.first_ms, first_ms)
        self.last_ms = last_ms if self.last_ms is None else max(self.last_ms, last_ms)
        layout, waiting = self._layouts[batch.model], self._waiting[batch.model]
        if not waiting:  # the usual case from the second part on
            return
        for rows, indices in ((batch.numeric, layout.numeric), (batch.codes, layout.categorical)):
            for row, index in enumerate(indices):
                if index not in waiting:
                    continue
                values = rows[row]
                is_number = values.dtype.kind == "f"
                if bool(np.isfinite(values).any()) if is_number else bool((values >= 0).any()):
                    waiting.discard(index)
                else:
                    bad = values == (INVALID if is_number else CODE_INVALID)
                    self._invalid[batch.model, index] += int(np.count_nonzero(bad))


def watched(parts: Iterable[Decoded], account: Account) -> Iterable[Decoded]:
    """The same parts, each counted."""
    for part in parts:
        account.take(part)
        yield part
