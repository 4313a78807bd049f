"""What the log says of rejected events: how many, why, and one of them, at most once a minute. Pure: it reads no clock.

Nothing is lost with them: each lies whole on `drift.rejects`, and is counted there by model and reason.
"""

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from monitor.sketching.ingest_step import Commit

SAY_AGAIN_S: Final = 60.0

Key = tuple[str, str]
"""Model, "" of an event that names none; reason."""


class RejectsSaid:
    """Gathers what was rejected until it may be said."""

    def __init__(self) -> None:
        self._n: Counter[Key] = Counter()
        self._examples: dict[Key, str] = {}
        self._said_s = -math.inf

    def add(self, commit: Commit) -> None:
        """What a commit held, which stands."""
        self._n.update(commit.n_rejects)
        for key, example in commit.reject_examples.items():
            self._examples.setdefault(key, example)

    def due(self, now_s: float, *, last: bool = False) -> list[Mapping[str, Any]]:
        """The fields of the lines to log now, most rejects first; `last`: whatever there is, for the role ends.

        `now_s`: of a clock that only goes forward.
        """
        if not self._n or (now_s - self._said_s < SAY_AGAIN_S and not last):
            return []
        lines: list[Mapping[str, Any]] = [
            {"model": model, "reason": reason, "n": n, "example": self._examples[model, reason]}
            for (model, reason), n in self._n.most_common()
        ]
        self._said_s = now_s
        self._n.clear()
        self._examples.clear()
        return lines
