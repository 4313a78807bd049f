"""How loops are compiled, everywhere."""

from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable[..., Any], *, fastmath: bool | set[str] = False) -> Callable[..., Any]:
    """Compile without the GIL; keep the machine code on disk where any cache directory is writable.

    What is kept is renewed when the function's own file changes, not when that of one it calls does: after such a
    change remove `__pycache__`, as the tests do before they begin. `fastmath` names the liberties that LLVM may take.
    """
    try:
        return numba.njit(nogil=True, cache=True, fastmath=fastmath)(function)
    except RuntimeError:  # "no locator available": a read-only installation without a writable home
        return numba.njit(nogil=True, fastmath=fastmath)(function)


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """Part of whoever calls it: handing over a few arrays costs more than what a small function does."""
    return numba.njit(nogil=True, inline="always")(function)
