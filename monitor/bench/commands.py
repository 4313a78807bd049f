"""What a command costs that ends by itself: the processor time of a process of its own."""

import resource
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence

from monitor.bench import data
from monitor.bench.size import Material
from monitor.errors import StoppedError


def check(material: Material) -> Callable[[], Mapping[str, float]]:
    """`driftline check` of the benchmark's configuration."""
    return _costs([sys.executable, "-m", "monitor", "check", str(material.folder / data.CONFIG)])


def import_numpy(_material: Material) -> Callable[[], Mapping[str, float]]:
    """Python, and NumPy imported."""
    return _costs([sys.executable, "-c", "import numpy"])


def _costs(command: Sequence[str]) -> Callable[[], Mapping[str, float]]:
    def work() -> Mapping[str, float]:
        before = _children_s()
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            raise StoppedError(f"{command} ended with {done.returncode}: {done.stderr.strip()}")
        return {"seconds": _children_s() - before}

    return work


def _children_s() -> float:
    """Processor seconds of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
