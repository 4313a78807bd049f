"""How loops are compiled, everywhere, and how their machine code is kept on disk.

Numba keeps the machine code of a function until the function's own file changes. What it was made of lies elsewhere
too: functions that it calls, constants and tables of other modules. `_Cache` renews it when any of these changes.
"""

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from types import CodeType, ModuleType
from typing import Any

import numba
import numpy as np
from numba.core.caching import FunctionCache
from numba.core.dispatcher import Dispatcher
from numba.core.extending import _Intrinsic


def compiled(function: Callable[..., Any], *, fastmath: bool | set[str] = False) -> Callable[..., Any]:
    """Compile without the GIL; keep the machine code on disk where any cache directory is writable.

    `fastmath` names the liberties that LLVM may take.
    """
    dispatcher = numba.njit(nogil=True, fastmath=fastmath)(function)
    with contextlib.suppress(RuntimeError):  # "no locator available": a read-only installation without a writable home
        dispatcher._cache = _Cache(function)  # type: ignore[attr-defined]  # there it is where `njit(cache=True)` puts it
    return dispatcher


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """Part of whoever calls it: handing over a few arrays costs more than what a small function does."""
    return numba.njit(nogil=True, inline="always")(function)


class _Cache(FunctionCache):
    """Numba's cache of one function, whose stamp is of everything that the machine code is made of."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call]  # Numba's cache has no types
        self._own_stamp = self._cache_file._source_stamp

    def _index_key(self, signature: Any, codegen: Any) -> Any:
        # Asked for before each look into the files; not before the first call, when all that is called is defined.
        self._cache_file._source_stamp = (self._own_stamp, _digest(self._py_func))
        return super()._index_key(signature, codegen)  # type: ignore[no-untyped-call]  # nor has it here


def _digest(function: Callable[..., Any]) -> str:
    """A hash of a function's code, and of that of all it calls with the constants they read, whatever file they are in.

    Numba itself is left out: its cache looks at Numba's version.
    """
    found = hashlib.sha256()
    for part in _function_parts(function, set()):
        found.update(f"{len(part)}:".encode())
        found.update(part)
    return found.hexdigest()


def _function_parts(function: Any, seen: set[int]) -> Iterator[bytes]:
    """What a function adds to a digest; `seen` holds the ids of the functions that have been taken."""
    if id(function) in seen:
        return
    seen.add(id(function))
    names: list[str] = []
    yield from _code_parts(function.__code__, names)
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    read = [function.__globals__[name] for name in names if name in function.__globals__]
    # `module.name` in the source is two names of the code, of which the second is an attribute of the first.
    modules = [vars(value) for value in read if isinstance(value, ModuleType)]
    attributes = [module[name] for module in modules for name in names if name in module]
    for value in (*read, *attributes, *cells, *(function.__defaults__ or ())):
        yield from _value_parts(value, seen)


def _code_parts(code: CodeType, names: list[str]) -> Iterator[bytes]:
    """The instructions and constants; the names they use are added to `names`."""
    names += code.co_names
    yield repr((code.co_name, code.co_names, code.co_varnames, code.co_freevars)).encode()
    yield code.co_code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _code_parts(constant, names)
        else:
            yield repr(sorted(map(repr, constant)) if isinstance(constant, frozenset) else constant).encode()


def _value_parts(value: object, seen: set[int]) -> Iterator[bytes]:
    """What a global adds: a function that can be called from compiled code, or a constant that is part of it."""
    if isinstance(value, Dispatcher):
        for name, option in sorted(value.targetoptions.items()):
            yield f"{name}={sorted(option) if isinstance(option, set) else option}".encode()
        yield from _function_parts(value.py_func, seen)
    elif isinstance(value, _Intrinsic):
        yield from _function_parts(value._defn, seen)
    elif isinstance(value, np.ndarray | np.generic):
        yield f"{value.dtype} {value.shape}".encode()
        yield value.tobytes()
    elif isinstance(value, tuple):
        for item in value:
            yield from _value_parts(item, seen)
    elif value is None or isinstance(value, int | float | complex | str | bytes):
        yield repr(value).encode()
