"""Rounds of a simulation over two processes: each round has a seed of its own, so that their order does not matter."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, Final, TypeVar

T = TypeVar("T")
N_PROCESSES: Final = 2


def rounds(work: Callable[..., T], tasks: Sequence[tuple[Any, ...]], n_processes: int = N_PROCESSES) -> list[T]:
    """`work(*task)` of each task, in their order."""
    if n_processes == 1:
        return [work(*task) for task in tasks]
    with ProcessPoolExecutor(n_processes, mp_context=get_context("spawn")) as pool:
        return list(pool.map(work, *zip(*tasks, strict=True)))
