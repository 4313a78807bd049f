"""What decoding labels gives: columns for the join, and rejects for the dead letters."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from detectors.arrays import Ints
from detectors.columns import NULL
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


@dataclass(kw_only=True)
class LabelRows:
    """Labels of a model in the making, row by row."""

    classes: dict[str, int] = field(default_factory=dict)
    ids: list[tuple[int, int]] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    numbers: list[float] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    sources: list[int] = field(default_factory=list)

    def add(self, source: int, identity: tuple[int, int], time_ms: int, label: float | str, value: float) -> None:
        """One more; `label` is a number or a class."""
        is_class = isinstance(label, str)
        self.ids.append(identity)
        self.times.append(time_ms)
        self.numbers.append(NULL if is_class else float(label))
        self.codes.append(self.classes.setdefault(label, len(self.classes)) if isinstance(label, str) else -1)
        self.values.append(value)
        self.sources.append(source)

    def batch(self, model: str) -> LabelBatch:
        """All of them."""
        return LabelBatch(
            model=model,
            ids=np.array(self.ids, dtype=np.uint64).reshape(-1, 2),
            timestamps_ms=np.array(self.times, dtype=np.int64),
            numbers=np.array(self.numbers, dtype=np.float64),
            class_codes=np.array(self.codes, dtype=np.int32),
            classes=tuple(self.classes),
            values=np.array(self.values, dtype=np.float64),
            sources=np.array(self.sources, dtype=np.int32),
        )


@dataclass(frozen=True, kw_only=True)
class DecodedLabels:
    """Everything that was in the messages: `n_events == sum(batch.n) + len(rejects)`."""

    batches: Sequence[LabelBatch]
    rejects: Sequence[Rejected]
    n_events: int
