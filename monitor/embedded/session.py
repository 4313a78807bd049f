"""The session of `driftline up` that runs, or ran last: where others find its results and its roles.

`up` writes the file `up/session.json` into the configuration's state_dir, and writes it anew when it stops. One that
was killed is told by its process.
"""

import os
from pathlib import Path
from typing import Any

import msgspec

from monitor.config.schema import Config


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a destination is, as keys to set in the user's own configuration: while the session runs, and after."""

    running: dict[str, Any] = {}
    at_rest: dict[str, Any] = {}


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A session.

    Attributes
    ----------
    pid
        Of the process that runs it; 0 when it has stopped.
    config
        The configuration that its roles run with; gone when it has stopped.
    destinations
        Where those are, by name, that the session has put somewhere else than the configuration says.
    """

    pid: int
    config: str
    destinations: dict[str, Place] = {}

    @property
    def runs(self) -> bool:
        """Whether it runs now."""
        if not self.pid:
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return Path(self.config).exists()


def session_file(state_dir: Path) -> Path:
    """Where the session is noted."""
    return state_dir / "up" / "session.json"


def write_session(state_dir: Path, session: Session) -> None:
    """Note a session. Whoever reads sees the file before or after, never half of it."""
    path = session_file(state_dir)
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(f".{os.getpid()}")
    half.write_bytes(msgspec.json.encode(session))
    half.replace(path)


def last_session(config: Config) -> Session | None:
    """The session of this configuration that runs or ran last; None where there was none."""
    try:
        return msgspec.json.decode(session_file(config.state_dir).read_bytes(), type=Session)
    except (OSError, msgspec.MsgspecError):
        return None
