"""Loops that are compiled when they are first called: who only asks for names and parameters does not load Numba."""

import functools
from collections.abc import Callable
from typing import Any


def lazily_compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """`detectors.compiled.compiled`, put off to the first call. Such a loop calls no function of its own module."""

    @functools.cache
    def kernel() -> Callable[..., Any]:
        from detectors.compiled import compiled

        return compiled(function)

    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        return kernel()(*arguments)

    return call
