"""Where it was measured."""

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Final

from monitor.bench.report import Machine

LIBRARIES: Final = ("driftline", "numpy", "numba", "scipy", "msgspec", "pyarrow", "confluent-kafka")
CLOCK: Final = "processor time of the measured process; Kafka: wall clock, and processor time where it says so"


def describe(cores: int, pinned_to: int | None) -> Machine:
    """The machine as it is before anything runs on it."""
    return Machine(
        cpu=_cpu(),
        cores=cores,
        python=platform.python_version(),
        versions={name: importlib.metadata.version(name) for name in LIBRARIES},
        pinned_to=pinned_to,
        busy=round(os.getloadavg()[0] / cores, 2),
        clock=CLOCK,
    )


def _cpu() -> str:
    """Linux says it in `/proc/cpuinfo`; elsewhere the platform's own word."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()
