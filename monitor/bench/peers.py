"""Other libraries, each in a virtual environment of its own that is gone afterwards."""

import subprocess
import sys
from pathlib import Path

from monitor.errors import Unavailable

# What its last release works with, by name and bound: it uses names that NumPy 2 and pandas 3 took away.
REQUIREMENTS = ("whylogs", "numpy<2", "pandas<3")


def install(folder: Path) -> Path:
    """Make a virtual environment in `folder` with whylogs in it; returns its Python.

    Raises
    ------
    Unavailable
        It cannot be had here: no network, or no wheel for this Python.
    """
    python = folder / "bin" / "python"
    steps = (
        [sys.executable, "-m", "venv", str(folder)],
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *REQUIREMENTS],
        [str(python), "-c", "import pandas, whylogs"],
    )
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode:
            lines = (done.stderr or done.stdout).strip().splitlines()
            raise Unavailable(f"whylogs could not be installed: {lines[-1] if lines else step}")
    return python


def command(python: Path, events: Path, case: str, round_s: float) -> list[str]:
    """What measures whylogs on the JSON lines in `events`; `case` is `whylogs_frames` or `whylogs_rows`."""
    return [str(python), str(Path(__file__).with_name("whylogs_peer.py")), str(events), case, str(round_s)]
