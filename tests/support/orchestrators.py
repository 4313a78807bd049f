"""Real orchestrators, each in a virtual environment of its own, made once and kept in the user's cache."""

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.waiting import wait_for

from monitor.process.children import dying_with_parent

REQUIREMENTS: Mapping[str, tuple[str, ...]] = {
    "airflow": ("apache-airflow==3.3.2",),
    "prefect": ("prefect==3.9.1",),
    "dagster": ("dagster==1.13.28", "dagster-webserver==1.13.28"),
}
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "driftline-tests"
EXAMPLES = Path(__file__).parents[2] / "docs" / "pipelines"


def orchestrator(name: str) -> Path:
    """The folder of its commands. The first time pip installs it, half a minute; skips the test where pip cannot."""
    folder = CACHE / name
    wanted = " ".join((sys.version.split()[0], *REQUIREMENTS[name]))
    stamp = folder / ".complete"
    if not stamp.exists() or stamp.read_text() != wanted:
        if not (folder / "bin" / "python").exists():
            venv.create(folder, with_pip=True)
        command = [folder / "bin" / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        done = subprocess.run([*command, *REQUIREMENTS[name]], capture_output=True, text=True, timeout=500, check=False)
        if done.returncode:
            pytest.skip(f"{name} cannot be installed here: {done.stderr.strip().splitlines()[-1:]}")
        stamp.write_text(wanted)
    return folder / "bin"


def variables(folder: Path, **own: str) -> dict[str, str]:
    """The environment of an orchestrator: this one's, without what points Python or pytest to our code."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))}
    return {**kept, "HOME": str(folder), "DO_NOT_TRACK": "1", **own}


def pipeline_folder(folder: Path) -> dict[str, str]:
    """The examples in a folder of their own, data to train on, and the variables that they read."""
    shutil.copytree(EXAMPLES, folder, ignore=shutil.ignore_patterns("__pycache__"))
    day_ms = 86_400_000
    lines = [f"{day * day_ms},{'yes' if day == 11 else 'no'}" for day in range(9, 14)]
    (folder / "data.csv").write_text("\n".join(["timestamp,label", *lines]) + "\n")
    (folder / "report.sh").write_text(f'echo "$@" >> {folder}/reports\n')
    return {
        "DRIFTLINE_TRAINING_DATA": str(folder / "data.csv"),
        "DRIFTLINE_MODELS": str(folder / "models"),
        "DRIFTLINE_REPORT": f"sh {folder}/report.sh",
        "PYTHONPATH": str(folder),
    }


@contextmanager
def started(command: list[str], folder: Path, environment: Mapping[str, str], ready: object) -> Iterator[None]:
    """A server, until the block ends; `ready()` says whether it answers."""
    assert callable(ready)
    log_path = folder / "server.log"
    with log_path.open("w") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=dict(environment), stdout=log, stderr=log, start_new_session=True,
            preexec_fn=dying_with_parent(),
        )  # fmt: skip
    try:
        wait_for(lambda: process.poll() is not None or ready(), f"{command[0]} to answer", 240)
        assert process.poll() is None, log_path.read_text()[-3000:]
        yield
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the server and what it started, which is in its session."""
    import signal

    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            continue
    process.wait(15)
