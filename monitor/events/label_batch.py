"""What decoding labels gives: columns for the join, and rejects for the dead letters."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from detectors.arrays import Ints
from monitor.events.batch import Rejected


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelBatch:
    """The labels of one model, as columns.

    Attributes
    ----------
    model: its name.
    ids: (n, 2) uint64, as `monitor.events.identity` makes them.
    timestamps_ms: (n,) int64.
    numbers: (n,) float64; NaN where the label is a class.
    class_codes: (n,) int32 indices into `classes`; -1 where the label is a number.
    values: (n,) float64, what rides along; NaN for nothing.
    sources: (n,) int32, the message each came from, as an index into the input.
    """

    model: str
    ids: npt.NDArray[np.uint64]
    timestamps_ms: npt.NDArray[np.int64]
    numbers: npt.NDArray[np.float64]
    class_codes: npt.NDArray[np.int32]
    classes: tuple[str, ...]
    values: npt.NDArray[np.float64]
    sources: npt.NDArray[np.int32]

    @property
    def n(self) -> int:
        """How many."""
        return int(self.timestamps_ms.size)

    def at(self, rows: Ints) -> "LabelBatch":
        """Some rows, in the order given."""
        arrays = ("ids", "timestamps_ms", "numbers", "class_codes", "values", "sources")
        return replace(self, **{name: getattr(self, name)[rows] for name in arrays})


@dataclass(frozen=True, kw_only=True)
class DecodedLabels:
    """Everything that was in the messages: `n_events == sum(batch.n) + len(rejects)`."""

    batches: Sequence[LabelBatch]
    rejects: Sequence[Rejected]
    n_events: int
