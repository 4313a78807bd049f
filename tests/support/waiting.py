"""Waiting for something to become true, with a deadline."""

import time
from collections.abc import Callable


def wait_for(condition: Callable[[], object], what: str, timeout_s: float = 30.0) -> None:
    """Ask until it is true; fail after `timeout_s`, and say what was waited for."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, f"in vain for {timeout_s:g} s: {what}"
        time.sleep(0.02)
