"""Hourly windows of made-up streams, as the product judges them: 50 columns, ten segments. Pure.

The columns are those of `monitor.verdicts.worlds`, twice, drawn apart. Windows are counted and judged by the product's
own path (`reference build`, `accumulate`, `ComparedWindow`), one by one; only reading, joining of panes and Kafka are
left out, which change no verdict.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from detectors.settings import Setting
from detectors.stack import stacked
from monitor.config.methods import DEFAULT_METHODS, default_threshold
from monitor.config.schema import CompareSettings
from monitor.decisions.gather import closed_windows
from monitor.decisions.moved import ClosedWindow
from monitor.decisions.tiling import Tiling
from monitor.evaluation.baselines import study_of
from monitor.evaluation.compare import Compare
from monitor.evaluation.compared import ComparedWindow
from monitor.evaluation.pane_cache import SumCache
from monitor.evaluation.results import Results, RowGroup
from monitor.eventtime.seasons import Season
from monitor.eventtime.windows import FixedShape, Window
from monitor.verdicts.product import its_seasons
from monitor.verdicts.references import Built, build, count
from monitor.verdicts.worlds import START_MS, Rows, World, draw

N_ROWS: Final = 600
"""Of a window: 60 a segment, some more than `min_samples`."""
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
STEP_MS: Final = HOUR_MS // N_ROWS
REFERENCE_DAYS: Final = 28
FIRST_MS: Final = START_MS + 2 * REFERENCE_DAYS * DAY_MS
"""Streams begin here, four weeks after the reference ended."""
TILING: Final = Tiling(FixedShape(size_ms=HOUR_MS, every_ms=HOUR_MS))
WORLDS: Final = {
    world.name: world
    for world in (
        World(name="independent", step_ms=STEP_MS),
        World(name="AR(1) 0.9", phi=0.9, step_ms=STEP_MS),
        World(name="daily season", daily=0.35, step_ms=STEP_MS),
        World(name="weekend", weekend=0.5, step_ms=STEP_MS),
    )
}
SEASONAL: Final = frozenset({"daily season", "weekend"})
_SETTINGS: Final = tuple(Setting(method=name, threshold=default_threshold(name)) for name in DEFAULT_METHODS)
_SEASON: Final[Season] = "hour_of_week"
_AT_ONCE: Final = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class World50:
    """A world with a reference of four weeks. `sample` are some of its rows, for rules that keep rows."""

    world: World
    built: Built
    sample: Rows

    @classmethod
    def of(cls, world: World, seed: Sequence[int]) -> "World50":
        """The reference of one seed."""
        rng = np.random.default_rng([*seed, 0])
        rows = draw50(world, rng, REFERENCE_DAYS * 24 * N_ROWS, START_MS)
        compare = (CompareSettings(season=_SEASON),) if world.name in SEASONAL else ()
        built = build(rows, [HOUR_MS], DEFAULT_METHODS, **({"compare": compare} if compare else {}))
        return cls(world=world, built=built, sample=part(rows, rng.choice(rows.n, 20_000, replace=False)))

    def hour(self, rng: np.random.Generator, number: int) -> Rows:
        """The rows of one window."""
        return draw50(self.world, rng, N_ROWS, FIRST_MS + number * HOUR_MS)

    def judged(self, windows: Sequence[Rows], *, season: bool = False) -> list[ClosedWindow]:
        """What the product says of windows: what decisions read."""
        reference = self.built.reference
        compare = Compare(season=_SEASON if season else None)
        study = study_of(compare, reference, HOUR_MS)
        sums = SumCache()
        found: list[ClosedWindow] = []
        for first in range(0, len(windows), _AT_ONCE):
            own = windows[first : first + _AT_ONCE]
            results = Results()
            for rows, sketches in zip(own, count(self.built, own), strict=True):
                start_ms = int(rows.times_ms[0])
                window = Window(start_ms=start_ms, end_ms=start_ms + HOUR_MS)
                baseline = its_seasons(self.built, _SEASON, rows, window, HOUR_MS, sums) if season else None
                compared = ComparedWindow.of(
                    reference, stacked(reference.layout, sketches), _SETTINGS, min_samples=50, alpha=0.05, study=study,
                    baseline=baseline,
                )  # fmt: skip
                group = RowGroup(model="m", group=("", ""), interval=window, revision=0, compare=compare.name)
                results.compared.append((group, compared))
            found += closed_windows(results.batches(), model="m", tiling=TILING, compare=compare.name)
        return found


def draw50(world: World, rng: np.random.Generator, n: int, start_ms: int) -> Rows:
    """`n` rows of the world's columns twice over."""
    one, two = draw(world, rng, n, start_ms), draw(world, rng, n, start_ms)
    return Rows(
        numeric=np.concatenate([one.numeric, two.numeric]),
        categories=np.concatenate([one.categories, two.categories]),
        segment=one.segment,
        times_ms=one.times_ms,
    )


def part(rows: Rows, chosen: np.ndarray) -> Rows:
    """Some of the rows."""
    return Rows(
        numeric=rows.numeric[:, chosen], categories=rows.categories[:, chosen], segment=rows.segment[chosen],
        times_ms=rows.times_ms[chosen],
    )  # fmt: skip
