"""What `driftline up` and `run` ask of destinations before the roles start, in a process of its own that ends.

A process that has opened chDB keeps 200 MB for good, and the supervisor lives as long as its roles.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from monitor.config.load import load
from monitor.errors import DriftlineError, InputError, StoppedError, Unavailable
from monitor.process.children import dying_with_parent

_ERRORS: Final = {error.exit_code: error for error in (InputError, Unavailable, StoppedError)}


class _Refusal(msgspec.Struct, frozen=True):
    """A `DriftlineError` on its way to the process that asked."""

    message: str
    hint: str


def prepare_destinations(config_path: Path, check: Callable[[], None]) -> None:
    """Bring the schemas up to date, and see that no destination holds the results of another session.

    `check` is called several times a second; what it raises ends the preparation. Raises as `migrate` and
    `expect_no_results` of `monitor.wiring` do.
    """
    _ask(config_path, "prepare", check)


def reach_destinations(config_path: Path, check: Callable[[], None]) -> None:
    """See that every destination can be reached and is ready for rows.

    Raises as `reach_destinations` of `monitor.wiring` does.
    """
    _ask(config_path, "reach", check)


def _ask(config_path: Path, what: str, check: Callable[[], None]) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", __name__, str(config_path), what],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for the process that waits
        preexec_fn=dying_with_parent(),
    ) as process:
        try:
            said = _wait(process, check)
        except BaseException:
            process.kill()
            raise
    if process.returncode in _ERRORS and said:
        refusal = msgspec.json.decode(said, type=_Refusal)
        raise _ERRORS[process.returncode](refusal.message, hint=refusal.hint)
    if process.returncode:
        raise StoppedError(f"the destinations cannot be looked at: their process ended with {process.returncode}")


def _wait(process: subprocess.Popen[bytes], check: Callable[[], None]) -> bytes:
    while True:
        check()
        try:
            return process.communicate(timeout=0.2)[0]
        except subprocess.TimeoutExpired:
            continue


def main(config_path: str, what: str) -> int:
    """Prepare the destinations of a configuration, or reach them.

    Returns the exit code, and writes a refusal to standard output.
    """
    from monitor import wiring
    from monitor.process.logs import configure_logging

    configure_logging("up")
    try:
        config = load(Path(config_path))
        if what == "reach":
            wiring.reach_destinations(config)
            return 0
        wiring.migrate(config)
        wiring.expect_no_results(config)
    except DriftlineError as error:
        sys.stdout.buffer.write(msgspec.json.encode(_Refusal(error.message, error.hint)))
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
