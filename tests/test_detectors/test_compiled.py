"""Machine code that was kept on disk is used again, and never after anything that it was made of has changed."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba.core.caching import CacheImpl

ROOT = Path(__file__).parents[2]

LOOP = """
import numpy as np
from detectors.compiled import compiled
from own import part
from own.part import FACTOR, TABLE, inside, plus

@compiled
def total(values):
    found = 0.0
    for i in range(values.size):
        found += after(values[i])
    return found

@compiled
def after(value):  # defined after the function that calls it
    return plus(inside(part.doubled(value))) * FACTOR + TABLE[0]
"""
PART = """
import numpy as np
from numba import types
from numba.extending import intrinsic
from detectors.compiled import compiled, inlined
from own.deep import PLUS

FACTOR = 10
TABLE = np.array([100.0, 200.0])

@compiled
def doubled(value):
    return 2.0 * value

@inlined
def inside(value):
    return value + 0.0

@intrinsic
def plus(_context, value):
    def build(context, builder, signature, arguments):
        return builder.fadd(arguments[0], context.get_constant(types.float64, PLUS))
    return types.float64(value), build
"""
DEEP = "PLUS = 1.0\n"
RUN = """
import numpy as np
from own.loop import total
print(total(np.ones(2)), sum(total.stats.cache_hits.values()))
"""


class Package:
    """A package of compiled functions, imported afresh for each call."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "own").mkdir()
        for name, source in (("__init__", ""), ("loop", LOOP), ("part", PART), ("deep", DEEP)):
            (folder / "own" / f"{name}.py").write_text(source)

    def change(self, module: str, before: str, after: str) -> None:
        path = self._folder / "own" / f"{module}.py"
        source = path.read_text()
        assert before in source
        path.write_text(source.replace(before, after))

    def call(self) -> tuple[float, int]:
        """The result, and how many functions came from disk."""
        for name in [name for name in sys.modules if name.partition(".")[0] == "own"]:
            del sys.modules[name]
        importlib.invalidate_caches()
        total = importlib.import_module("own.loop").total
        return total(np.ones(2)), sum(total.stats.cache_hits.values())

    def call_elsewhere(self) -> tuple[float, int]:
        """The same in a process of its own, where strings hash differently."""
        environment = {**os.environ, "PYTHONPATH": f"{self._folder}{os.pathsep}{ROOT}"}
        done = subprocess.run([sys.executable, "-c", RUN], env=environment, capture_output=True, text=True, check=True)
        result, n_hits = done.stdout.split()
        return float(result), int(n_hits)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    monkeypatch.syspath_prepend(tmp_path)
    # Python itself would take a module that was changed within a second, to one of the same size, for unchanged.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return Package(tmp_path)


def test_machine_code_is_kept_between_processes(package: Package) -> None:
    assert package.call() == (260.0, 0)
    assert package.call() == (260.0, 1)
    assert package.call_elsewhere() == (260.0, 1)


@pytest.mark.parametrize(
    ("module", "before", "after", "expected"),
    [
        ("loop", "found = 0.0", "found = 1.0", 261.0),
        ("part", "2.0 * value", "3.0 * value", 280.0),
        ("part", "value + 0.0", "value + 1.0", 280.0),
        ("part", "FACTOR = 10", "FACTOR = 20", 320.0),
        ("part", "100.0, 200.0", "101.0, 200.0", 262.0),
        ("part", "builder.fadd", "builder.fsub", 220.0),
        ("deep", "PLUS = 1.0", "PLUS = 2.0", 280.0),
    ],
)
def test_a_change_in_anything_that_is_called_renews_it(
    package: Package, module: str, before: str, after: str, expected: float
) -> None:
    assert package.call() == (260.0, 0)
    package.change(module, before, after)
    assert package.call() == (expected, 0)
    assert package.call() == (expected, 1)


def test_a_change_in_what_is_not_called_keeps_it(package: Package) -> None:
    package.call()
    package.change("deep", "PLUS", "# a comment\nOTHER = 7.0\nPLUS")
    assert package.call() == (260.0, 1)


def test_without_a_writable_cache_it_is_compiled_in_memory(package: Package, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CacheImpl, "_locator_classes", [])  # as in a read-only installation without a writable home
    assert package.call() == (260.0, 0)
    assert package.call() == (260.0, 0)
