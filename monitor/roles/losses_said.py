"""What the log of a role says of what it rejects or leaves out: how many, why, and one of them, at most once a minute.

Each is counted in Prometheus besides. The first is said at once, what follows it together. Pure: it reads no clock.
"""

import logging
import math
from collections import Counter
from collections.abc import Mapping
from typing import Final, Literal

import msgspec

SAY_AGAIN_S: Final = 60.0

LEVELS: Final = {"warning": logging.WARNING, "error": logging.ERROR}

Level = Literal["warning", "error"]
"""`warning`: it lies somewhere, or was told so before; `error`: it is lost, or a person is needed."""

_Key = tuple[str, Level, tuple[tuple[str, str], ...]]


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line to log."""

    text: str
    level: Level
    fields: Mapping[str, str | int]


class LossesSaid:
    """Gathers what was left out until it may be said."""

    def __init__(self) -> None:
        self._n: Counter[_Key] = Counter()
        self._examples: dict[_Key, str] = {}
        self._said_s = -math.inf

    def add(self, text: str, n: int, example: str, *, level: Level = "warning", **by: str) -> None:
        """So many were left out.

        Parameters
        ----------
        text
            What happened, and where they are now.
        example
            One of them: why, and where it lies.
        by
            What they are counted by, such as the model and the reason.
        """
        key = (text, level, tuple(by.items()))
        self._n[key] += n
        self._examples.setdefault(key, example)

    def due(self, now_s: float, *, last: bool = False) -> list[Line]:
        """The lines to log now, most first; `last`: whatever there is, for the role ends.

        `now_s`: of a clock that only goes forward.
        """
        if not self._n or (now_s - self._said_s < SAY_AGAIN_S and not last):
            return []
        lines = [
            Line(text=text, level=level, fields={**dict(by), "n": n, "example": self._examples[text, level, by]})
            for (text, level, by), n in self._n.most_common()
        ]
        self._said_s = now_s
        self._n.clear()
        self._examples.clear()
        return lines
