"""A demo that is run for tests, and kept."""

import os
import subprocess
import sys
from pathlib import Path


def kept_demo(folder: Path, months: int = 2) -> Path:
    """Where its configuration and database are, some minutes later."""
    command = [sys.executable, "-m", "monitor", "demo", "--months", str(months), "--keep", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900, env=os.environ)
    assert done.returncode == 0, done.stderr
    return folder
