"""Other libraries, each in a virtual environment of its own that is gone afterwards."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from monitor.errors import Unavailable

REQUIREMENTS: Final[Mapping[str, Sequence[str]]] = {
    # What its last release works with: it uses names that NumPy 2 and pandas 3 took away.
    "whylogs": ("whylogs==1.6.4", "numpy==1.26.4", "pandas==2.3.3"),
    # Its last release uses a name that pandas 3 took away.
    "evidently": ("evidently==0.7.23", "numpy==2.4.6", "pandas==2.3.3"),
    # It imports statsmodels, and does not ask for it.
    "nannyml": ("nannyml==0.13.1", "numpy==2.4.6", "pandas==2.3.3", "statsmodels==0.15.0"),
}
"""By library, whose name is that of its module: what is installed."""


def install(library: str, folder: Path) -> Path:
    """Make a virtual environment in `folder` with a library in it; returns its Python.

    Raises
    ------
    Unavailable
        It cannot be had here: no network, or no wheel for this Python.
    """
    python = folder / "bin" / "python"
    steps = (
        [sys.executable, "-m", "venv", str(folder)],
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *REQUIREMENTS[library]],
        [str(python), "-c", f"import pandas, {library}"],
    )
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode:
            lines = (done.stderr or done.stdout).strip().splitlines()
            raise Unavailable(f"{library} could not be installed: {lines[-1] if lines else step}")
    return python


def command(python: Path, events: Path, case: str, round_s: float) -> list[str]:
    """What measures whylogs on the JSON lines in `events`; `case` is `whylogs_frames` or `whylogs_rows`."""
    return [str(python), str(Path(__file__).with_name("whylogs_peer.py")), str(events), case, str(round_s)]


def week_command(python: Path, folder: Path, library: str) -> list[str]:
    """What measures a library on the week of flights that `monitor.bench.flights_week` wrote into `folder`."""
    return [str(python), str(Path(__file__).with_name("flights_peer.py")), str(folder), library]
