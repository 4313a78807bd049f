"""Apache Kafka's jars, copied once by Maven into `.build/kafka/` and used from there without a network ever after."""

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_POM = _ROOT / "tests" / "kafka" / "pom.xml"
_CACHE = _ROOT / ".build" / "kafka"
_TIMEOUT_S = 300


class NoJars(Exception):
    """Kafka's jars cannot be had here; the message says why."""


def kafka_jars() -> Path:
    """The folder of jars that `pom.xml` names; Maven is run when it is not there yet.

    Raises `NoJars` when there is no Java, or neither a copy nor a Maven that can make one.
    """
    if shutil.which("java") is None:
        raise NoJars("java is not installed")
    # A changed pom is another folder, so that an old copy never serves for it.
    folder = _CACHE / hashlib.sha256(_POM.read_bytes()).hexdigest()[:12]
    if not folder.is_dir():
        _copy_with_maven(folder)
    return folder


def _copy_with_maven(folder: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise NoJars("mvn is not installed")
    _CACHE.mkdir(parents=True, exist_ok=True)
    # Copied beside and renamed: an interrupted download leaves no half-filled folder, and of two that copy at the same
    # time the first wins.
    copy = Path(tempfile.mkdtemp(prefix="copy-", dir=_CACHE))
    try:
        command = [maven, "-q", "-B", "-f", str(_POM), "dependency:copy-dependencies", f"-DoutputDirectory={copy}"]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=_TIMEOUT_S, stdin=subprocess.DEVNULL, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise NoJars(f"mvn did not end within {_TIMEOUT_S} s") from error
        if done.returncode:
            said = (done.stdout + done.stderr).strip().splitlines()
            raise NoJars(f"mvn failed: {said[0] if said else f'exit code {done.returncode}'}")
        try:
            copy.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(copy, ignore_errors=True)
