"""Each figure that was promised, and whether it is reached. From results alone."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from monitor.verdicts.awake import FOUND, Cell, Power
from monitor.verdicts.first_release import MAY_LOSE
from monitor.verdicts.quiet import CASES, Tally

ADDED_AT_MOST: Final = 0.07
"""Windows without a verdict that may get one when methods or segments are added: as many as may have one at all."""
BY_CHANCE: Final = 0.01
"""Windows in which one column of 25 may have a false verdict, when 7 % of windows have one somewhere, and some room."""
_MUST_BE_FOUND: Final = (
    ("5 % nulls, numeric", "nulls, numeric", 0.05),
    ("5 % nulls, categorical", "nulls, categorical", 0.05),
    ("all nulls, numeric", "nulls, numeric", 1.0),
    ("all nulls, categorical", "nulls, categorical", 1.0),
    ("sentinel -999 in 2 % of the rows", "sentinel -999", 0.02),
    ("a unit change, times 1,000", "unit change", 1000.0),
)
_SEGMENT: Final = ("mean, one segment of ten", 0.4, 2_000)
_FLOAT32: Final = "float32 for float64"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A line of the page: what was promised, what was measured, whether it is reached."""

    promised: str
    measured: str
    reached: bool

    @property
    def row(self) -> list[str]:
        """Of the table."""
        return [self.promised, self.measured, "yes" if self.reached else "**no**"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """How much more of a cell's windows the first release finds than what stands now."""

    cell: Cell
    now: Power
    first: Power

    @property
    def share(self) -> float:
        """Above 0 where the first release is ahead."""
        return self.first.share - self.now.share

    @property
    def standard_error(self) -> float:
        """As if their windows were others; they are the same, so that it is less."""
        return float((self.now.standard_error**2 + self.first.standard_error**2) ** 0.5)


def gaps(now: Mapping[Cell, Power], first: Mapping[Cell, Power], wanted: Iterable[str]) -> list[Gap]:
    """Of all cells of these kinds that both have, in the same windows; the largest first."""
    kinds = set(wanted)
    both = [
        Gap(cell=cell, now=now[cell].of_first(own.n), first=own)
        for cell, own in first.items()
        if cell in now and cell[0] in kinds
    ]
    return sorted(both, key=lambda gap: (-gap.share, gap.cell))


def targets(
    quiet: Mapping[str, Mapping[int, Tally]],
    awake: Mapping[Cell, Power],
    behind: list[Gap],
    added: Mapping[tuple[str, int], tuple[int, int]],
) -> Iterator[Target]:
    """All that have a figure."""
    for case in CASES:
        if case.at_most is not None and case.name in quiet:
            yield _quiet(case.name, case.at_most, quiet[case.name])
    if _SEGMENT in awake:
        yield _found("a mean shift of 0.4 sd in one segment of ten, 2,000 rows", {_SEGMENT[2]: awake[_SEGMENT]})
    for name, kind, size in _MUST_BE_FOUND:
        yield _found(name, {n: own for (its, of, n), own in awake.items() if (its, of) == (kind, size)})
    float32 = {n: own for (kind, _, n), own in awake.items() if kind == _FLOAT32}
    if float32:
        yield Target(
            promised=f"not found: float32 for float64 (in at most {100 * BY_CHANCE:g} % of windows)",
            measured=_by_size({n: own.share for n, own in float32.items()}),
            reached=all(own.share <= BY_CHANCE for own in float32.values()),
        )
    if behind:
        worst = behind[0]
        yield Target(
            promised=f"power: in no cell more than {100 * MAY_LOSE:.0f} points below the first release",
            measured=f"{100 * worst.share:.1f} ± {100 * worst.standard_error:.1f} points below at most "
            f"({worst.cell[0]} {worst.cell[1]:g}, {worst.cell[2]:,} rows)",
            reached=worst.share <= MAY_LOSE,
        )
    if added:
        turned = {step: Power(n=quiet_before, found=number) for step, (quiet_before, number) in added.items()}
        worst_step = max(turned, key=lambda step: turned[step].share)
        yield Target(
            promised=f"methods or segments added: at most {100 * ADDED_AT_MOST:g} % of quiet windows get a verdict",
            measured=f"{100 * turned[worst_step].share:.1f} ± {100 * turned[worst_step].standard_error:.1f} at most",
            reached=turned[worst_step].share <= ADDED_AT_MOST,
        )


def _quiet(name: str, at_most: float, tallies: Mapping[int, Tally]) -> Target:
    return Target(
        promised=f"quiet, {name}: at most {at_most:g} % of windows",
        measured=", ".join(
            f"{100 * tally.share:.1f} ± {100 * tally.standard_error:.1f} at {n:,}" for n, tally in tallies.items()
        ),
        reached=all(100.0 * tally.share <= at_most for tally in tallies.values()),
    )


def _found(name: str, own: Mapping[int, Power]) -> Target:
    return Target(
        promised=f"found: {name}",
        measured=_by_size({n: power.share for n, power in own.items()}),
        reached=all(power.share >= FOUND for power in own.values()),
    )


def _by_size(shares: Mapping[int, float]) -> str:
    return ", ".join(f"{100 * share:.0f} % at {n:,}" for n, share in sorted(shares.items()))
