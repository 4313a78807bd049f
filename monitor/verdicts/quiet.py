"""How often verdicts are false: windows of unchanged data, whole and segments together."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from detectors.reference import WHOLE
from detectors.settings import Setting
from monitor.config.methods import DEFAULT_METHODS, default_threshold
from monitor.evaluation.compared import ComparedWindow
from monitor.verdicts.references import Built, build, count
from monitor.verdicts.worlds import START_MS, Rows, World, draw

SETTINGS: Final = tuple(Setting(method=name, threshold=default_threshold(name)) for name in DEFAULT_METHODS)
MIN_SAMPLES: Final = 50
ALPHA: Final = 0.05
N_REFERENCE: Final = 50_000
SIZES: Final = (200, 500, 2_000, 5_000, 20_000)


@dataclass(slots=True)
class Tally:
    """Windows of one cell of the table.

    `by_reference` counts the windows with a false verdict of each reference; `verdicts` all false verdicts by method,
    column and whether they are of the whole.
    """

    n: int = 0
    false: int = 0
    by_reference: list[tuple[int, int]] = field(default_factory=list)
    verdicts: Counter[tuple[str, str, bool]] = field(default_factory=Counter)

    def add(self, other: "Tally") -> None:
        """Take in another's windows."""
        self.n += other.n
        self.false += other.false
        self.by_reference += other.by_reference
        self.verdicts.update(other.verdicts)

    @property
    def share(self) -> float:
        """Of the windows that have a false verdict."""
        return self.false / self.n

    @property
    def standard_error(self) -> float:
        """Of the share, between references: windows share theirs. That of independent windows where it is larger."""
        independent = float(np.sqrt(max(self.share * (1.0 - self.share), 1.0 / self.n) / self.n))
        if len(self.by_reference) < 2:
            return independent
        shares = [false / n for n, false in self.by_reference]
        return max(float(np.std(shares, ddof=1) / np.sqrt(len(shares))), independent)


def score(built: Built, windows: Sequence[Rows], length_ms: int) -> list[ComparedWindow]:
    """What the product says of windows, with its defaults."""
    study = built.reference.study(length_ms)
    return [
        ComparedWindow.of(built.reference, stack, SETTINGS, min_samples=MIN_SAMPLES, alpha=ALPHA, study=study)
        for stack in count(built, windows)
    ]


def quiet_windows(built: Built, world: World, rng: np.random.Generator, n_rows: int, n_windows: int) -> Tally:
    """Unchanged windows against one reference."""
    tally = Tally()
    at_once = max(1, 20_000 // n_rows)
    for first in range(0, n_windows, at_once):
        number = min(at_once, n_windows - first)
        rows = [draw(world, rng, n_rows, _start(world, rng, n_rows)) for _ in range(number)]
        for compared in score(built, rows, n_rows * world.step_ms):
            add(tally, compared)
    tally.by_reference.append((tally.n, tally.false))
    return tally


def add(tally: Tally, compared: ComparedWindow) -> None:
    """Count one window."""
    found = compared.verdicts
    rows = np.flatnonzero(found.drifted)
    tally.n += 1
    tally.false += bool(rows.size)
    for row in rows.tolist():
        segment = found.segments[found.segment[row]]
        tally.verdicts[found.methods[found.method[row]], found.columns[found.column[row]], segment == WHOLE] += 1


def quiet_round(world: World, seed: Sequence[int], n_windows: dict[int, int]) -> dict[int, Tally]:
    """One reference, and windows of each size against it."""
    rng = np.random.default_rng(seed)
    built = build(draw(world, rng, N_REFERENCE), [n * world.step_ms for n in n_windows])
    return {n: quiet_windows(built, world, rng, n, number) for n, number in n_windows.items()}


def _start(world: World, rng: np.random.Generator, n_rows: int) -> int:
    """When a window begins: in a year after the reference, at a multiple of its length."""
    length_ms = n_rows * world.step_ms
    return START_MS + N_REFERENCE * world.step_ms * 2 + int(rng.integers(365 * 86_400_000 // length_ms)) * length_ms
