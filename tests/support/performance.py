"""A binary model's world: rows drawn from it become a labelled reference, and windows with labels or without."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detectors.accumulate import accumulate
from detectors.arrays import Bools, Floats, Ints
from detectors.grid import locate
from detectors.layout import Layout
from detectors.performance.accumulate import sketch_matches
from detectors.performance.build import coarse_cells_of, performance_space
from detectors.performance.delay import delay_counts, delay_curve
from detectors.performance.matches import Matches
from detectors.performance.reference import performance_reference
from detectors.performance.sketch import PerformanceSketch
from detectors.performance.space import PerformanceSpace, Task
from detectors.reference import REST, WHOLE, Reference, categorical_column, numeric_column, segment_name
from detectors.sketch import Sketch
from monitor.evaluation.performance_window import PerformanceWindow
from monitor.evaluation.watched import Watched
from monitor.eventtime.windows import FixedShape, Window

HOUR_MS = 3_600_000
START_MS = 1_700_000_000_000 // HOUR_MS * HOUR_MS
DELAY_MS = 60_000.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """n predictions: features (n_features, n), the score P(y = 1), the label, and the place of the segment."""

    features: Floats
    score: Floats
    label: Bools
    segment: Ints

    def where(self, kept: Bools) -> "Rows":
        return Rows(
            features=self.features[:, kept], score=self.score[kept], label=self.label[kept], segment=self.segment[kept]
        )

    def __len__(self) -> int:
        return int(self.score.size)


def draw(
    rng: np.random.Generator, n: int, *, shift: float = 0.0, n_features: int = 3, n_segments: int = 3, bias: float = 0.0
) -> Rows:
    """Rows of a model whose score is right: `shift` moves the first feature, `bias` the log odds of the label alone."""
    features = rng.normal(size=(n_features, n))
    features[0] += shift
    logit = 1.5 * features[0] - 0.5
    return Rows(
        features=features,
        score=1.0 / (1.0 + np.exp(-logit)),
        label=rng.uniform(size=n) < 1.0 / (1.0 + np.exp(-logit - bias)),
        segment=rng.integers(n_segments, size=n),
    )


class World:
    """A reference, and what makes windows on its grid."""

    def __init__(
        self,
        reference: Rows,
        *,
        n_panes: int = 20,
        names: Sequence[str] | None = None,
        values: Sequence[str] = ("a", "b", "c"),
        labelled: bool = True,
    ) -> None:
        names = names or [f"x{i}" for i in range(len(reference.features))]
        columns = [numeric_column(name, own)[0] for name, own in zip(names, reference.features, strict=True)]
        columns.append(numeric_column("@score", reference.score)[0])
        columns.append(categorical_column("@label", {"0": int((reference.score < 0.5).sum()), "1": len(reference)}))
        self.layout = Layout(columns)
        self.values = tuple(values)
        plain = Reference(
            model="m", version="1", layout=self.layout, dimensions={"s": self.values},
            sketches=self.predicted(reference), cell_means=np.full(self.layout.n_cells, np.nan),
        )  # fmt: skip
        self.space: PerformanceSpace = performance_space(plain, Task.BINARY, classes=("0", "1"))
        self.reference = plain
        if labelled:
            matched = self.matched(reference)
            panes = [
                self.matched(reference.where(np.arange(len(reference)) % n_panes == pane))[WHOLE]
                for pane in range(n_panes)
            ]
            delays = np.full(len(reference), DELAY_MS) * np.linspace(0.5, 1.5, len(reference))
            self.reference = Reference(
                model="m", version="1", layout=self.layout, dimensions=plain.dimensions, sketches=plain.sketches,
                cell_means=plain.cell_means, performance=performance_reference(matched[WHOLE], panes),
                segment_performance={name: own for name, own in matched.items() if name != WHOLE},
                delay=delay_curve(delay_counts(delays, np.ones(delays.size, dtype=np.int64)), np.array([1e12])),
            )  # fmt: skip
        self.model = Watched(
            name="m", shapes=(FixedShape(size_ms=HOUR_MS, every_ms=HOUR_MS),), lateness_ms=0, retention_ms=0,
            min_samples=50, settings=(), alpha=0.05, references={}, label_horizon_ms=24 * HOUR_MS,
        )  # fmt: skip

    @property
    def segments(self) -> tuple[str, ...]:
        return (*(segment_name("s", value) for value in self.values), segment_name("s", REST))

    def predicted(self, rows: Rows) -> dict[str, Sketch]:
        """The sketches of all segments, as ingest makes them."""
        code = self.layout.columns[-1].codes()
        said = np.where(rows.score >= 0.5, code["1"], code.get("0", 0)).astype(np.int32)
        sketches = accumulate(
            self.layout,
            numeric=np.vstack([rows.features, rows.score]),
            codes=said[None, :],
            slots=np.stack([np.zeros(len(rows)), rows.segment + 1]).astype(np.int32),
            n_slots=1 + len(self.segments),
            unseen={},
        )
        named = zip((WHOLE, *self.segments), sketches, strict=True)
        return {name: own for name, own in named if own.n or name == WHOLE}

    def matched(self, rows: Rows) -> dict[str, PerformanceSketch]:
        """The performance sketches of all segments that have matches."""
        parts = [
            coarse_cells_of(part, locate(np.array(self.layout.columns[i].edges), own))
            for i, (part, own) in enumerate(zip(self.space.parts, rows.features, strict=True))
        ]
        matches = Matches.of(
            self.space,
            len(rows),
            label=rows.label.astype(np.int32),
            predicted=(rows.score >= 0.5).astype(np.int32),
            scores=rows.score[None, :],
            parts=np.array(parts, dtype=np.uint8).reshape(len(self.space.parts), len(rows)),
        )
        found = {WHOLE: sketch_matches(self.space, matches)} if len(rows) else {}
        for place, name in enumerate(self.segments):
            own = rows.where(rows.segment == place)
            if len(own) and len(own) < len(rows):
                found[name] = self.matched(own)[WHOLE]
        return found

    def window(
        self,
        rows: Rows,
        labelled: Rows | None = None,
        *,
        delay_ms: float = DELAY_MS,
        age_ms: int = 2 * HOUR_MS,
        revision: int = 1,
    ) -> PerformanceWindow:
        """One hour of predictions, `age_ms` after its end; of `labelled` the labels have come (None: of all)."""
        labelled = rows if labelled is None else labelled
        delays = np.full(len(labelled), delay_ms) * np.linspace(0.5, 1.5, len(labelled))
        return PerformanceWindow(
            version="1",
            reference=self.reference,
            space=self.space,
            window=Window(start_ms=START_MS, end_ms=START_MS + HOUR_MS),
            label_ms=START_MS + HOUR_MS + age_ms,
            matched=self.matched(labelled),
            predicted=self.predicted(rows),
            delays=delay_counts(delays, np.ones(delays.size, dtype=np.int64)),
            panes=((START_MS, len(rows)),),
            pane_ms=HOUR_MS,
            revision=revision,
        )
