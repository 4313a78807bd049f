"""Rounds of a simulation over two processes: each round has a seed of its own, so that their order does not matter."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, Final, TypeVar

from monitor.verdicts.kept import Kept

T = TypeVar("T")
N_PROCESSES: Final = 2
_NOTHING: Final = Kept(None)


def rounds(
    work: Callable[..., T], tasks: Sequence[tuple[Any, ...]], n_processes: int = N_PROCESSES, kept: Kept = _NOTHING
) -> list[T]:
    """`work(*task)` of each task, in their order; `kept` has those that were run before."""
    if n_processes == 1:
        return [kept.run(work, task) for task in tasks]
    with ProcessPoolExecutor(n_processes, mp_context=get_context("spawn")) as pool:
        return list(pool.map(kept.run, [work] * len(tasks), tasks))
