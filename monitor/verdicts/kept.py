"""Results of rounds on the disk, so that a run that was broken off goes on where it was.

A result is kept under what it depends on: the function, its arguments, the source of the packages that it computes
with, and the versions of the libraries. So a page never mixes what two states of the code have found. The other rules
and the first release compute with little of ours, and are not simulated again when a detector changes.
"""

import hashlib
import pickle
from collections.abc import Callable, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(".build/verdicts")
_ROOT: Final = Path(__file__).resolve().parents[2]
_LIBRARIES: Final = ("numpy", "scipy", "numba", "pyarrow", "scikit-learn", "river")
EVERYTHING: Final = ("detectors/**/*.py", "monitor/**/*.py", "monitor/demo/*.yaml")
"""Source of what Driftline itself says: all but the modules that only write the page."""
_ONLY_WRITE: Final = frozenset(
    f"monitor/verdicts/{name}.py"
    for name in ("__main__", "first_release", "kept", "reading", "report", "run", "targets")
)


class Kept:
    """Results by task, each in a file of its own; None as a folder keeps nothing."""

    def __init__(self, folder: Path | None, sources: Sequence[str] = EVERYTHING) -> None:
        self._folder, self._sources = folder, tuple(sources)

    def path(self, work: Callable[..., Any], task: Sequence[Any]) -> Path | None:
        """Where the result of `work(*task)` belongs."""
        if self._folder is None:
            return None
        name = f"{work.__module__}.{work.__qualname__}"
        text = repr((name, tuple(task), source_digest(self._sources)))
        return self._folder / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:24]}.pickle"

    def run(self, work: Callable[..., Any], task: Sequence[Any]) -> Any:
        """`work(*task)`, or what it gave before. Only files that this wrote are read."""
        path = self.path(work, task)
        if path is not None and path.exists():
            return pickle.loads(path.read_bytes())  # noqa: S301 - our own file, in a folder of the build
        result = work(*task)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            part.write_bytes(pickle.dumps(result))
            part.rename(path)
        return result


@cache
def source_digest(patterns: tuple[str, ...]) -> str:
    """Of the files that match, by name and content, and of the libraries' versions."""
    digest = hashlib.sha256(repr([(name, version(name)) for name in _LIBRARIES]).encode())
    paths = sorted({path for pattern in patterns for path in _ROOT.glob(pattern)})
    for path in paths:
        name = path.relative_to(_ROOT).as_posix()
        if name not in _ONLY_WRITE:
            digest.update(f"{name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()
