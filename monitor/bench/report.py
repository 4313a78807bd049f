"""What a benchmark says: the stable form of `driftline bench --json`."""

import statistics
from collections.abc import Sequence
from typing import Literal

import msgspec


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A figure to reach: at least `value`, or at most where less is better.

    `of` says which figure: "ratio", that to the yardstick, where machines differ in speed; "value", the measured one,
    where they do not matter much (bytes, delays that are mostly waiting).
    """

    value: float
    of: Literal["ratio", "value"]
    less_is_better: bool = False

    def reached(self, value: float, ratio: float) -> bool:
        """Whether a measured value, with this ratio to its yardstick, is as good as this."""
        measured = ratio if self.of == "ratio" else value
        return measured <= self.value if self.less_is_better else measured >= self.value


class Yardstick(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured beside it, and the median of that in the same unit."""

    name: str
    value: float


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One figure.

    Attributes
    ----------
    name, unit
        what was measured, in "events/s", "s" or "B".
    value, min, max
        the median, least and greatest of the rounds.
    rounds
        how many.
    yardstick
        measured in alternation with it.
    ratio
        value over the yardstick's.
    target, reached
        what to reach, and whether it was; None where nothing is set.
    """

    name: str
    unit: str
    value: float
    min: float
    max: float
    rounds: int
    yardstick: Yardstick
    ratio: float
    target: Target | None
    reached: bool | None


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where and how it was measured.

    Attributes
    ----------
    cpu
        the processor's name.
    cores
        that this process may use.
    python
        its version; versions: of the libraries that matter.
    pinned_to
        the one CPU that measured processes run on; None where the system cannot pin.
    busy
        the load of the machine before it began (running processes over a minute, per core); 0 is idle.
    clock
        what times are.
    broker
        which Kafka; "" when none was measured.
    notes
        what could not be measured, and why.
    """

    cpu: str
    cores: int
    python: str
    versions: dict[str, str]
    pinned_to: int | None
    busy: float
    clock: str
    broker: str = ""
    notes: tuple[str, ...] = ()


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    machine: Machine
    results: tuple[Result, ...]


def summarise(
    name: str, unit: str, ours: Sequence[float], yardstick_name: str, theirs: Sequence[float], target: Target | None
) -> Result:
    """The result of some rounds."""
    value, beside = statistics.median(ours), statistics.median(theirs)
    ratio = value / beside
    return Result(
        name=name,
        unit=unit,
        value=value,
        min=min(ours),
        max=max(ours),
        rounds=len(ours),
        yardstick=Yardstick(name=yardstick_name, value=beside),
        ratio=ratio,
        target=target,
        reached=target.reached(value, ratio) if target else None,
    )
