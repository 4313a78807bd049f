"""What every destination's section of the configuration has, and what its own struct builds on.

A destination brings one struct, a subclass of `DestinationSettings` named `Settings`: its keys with their defaults, and
`open`, which makes the destination. The struct must be cheap to import, for every command reads the configuration:
`open` imports the client.

Each key is a field with a type that `monitor.config.decode` reads: `int`, `float`, `bool`, `str`, `Path`, a `Literal`
of texts, a tuple or a dict of these, another struct, or any of them or None; `Secret[...]` around what must never be
shown, nor be written in the file: it comes by way of ``${NAME}`` or ``${file:/path}``; `Annotated[..., Meta(ge=...,
le=...)]` for bounds, and `Meta(extra={"form": ...})` for a form, which is the name of one in `monitor.config.forms`
("duration", "name", ...) or a `Form` of its own. A rule between keys is a `ValueError` of the struct's `__post_init__`,
whose message shows no secret.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta, field

if TYPE_CHECKING:
    from sinks.destination import Destination

Count = Annotated[int, Meta(ge=1, le=1_000_000_000)]
Pause = Annotated[int, Meta(ge=1, extra={"form": "duration"})]
"""Milliseconds from 1; in the file ``500ms``, ``15s``, ``1h``."""
RetryWindow = Annotated[int, Meta(ge=0, extra={"form": "duration"})]
"""Milliseconds; 0 is for ever."""


class FormError(ValueError):
    """A value is not of its form; the message begins with "expected"; `nearest` is the value probably meant, or ""."""

    def __init__(self, message: str, nearest: str = "") -> None:
        super().__init__(message)
        self.nearest = nearest


def whole(text: str) -> Mapping[str, str]:
    """All of a text is secret."""
    return {"a secret": text}


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How text, or a number, in the file becomes a value.

    Attributes
    ----------
    expected
        What is expected, in words.
    of
        The type in the file: text or a whole number.
    read
        Makes the value; raises `FormError` when it finds something else, and never repeats what it found.
    secrets
        Of a `Secret` of this form: which parts of the text must not be written in the file, by what a message calls
        them. Each must come from a variable or a file, in part at the least. In the text these are one character each.
    secret_keys
        Of a form of keys beside secrets: what is secret of a value with this key.
    """

    expected: str
    of: type = str
    read: Callable[[str], object] | Callable[[int], object]
    secrets: Callable[[str], Mapping[str, str]] = whole
    secret_keys: Callable[[str, str], Mapping[str, str]] = lambda _key, text: whole(text)


class Embedded(msgspec.Struct, frozen=True, kw_only=True):
    """How a destination lives on this machine alone.

    Attributes
    ----------
    keys
        To set, as in the file, with text that holds no variable, and so no secret; `{}` where it needs no others.
    command
        The module and its arguments, for `python -m`, of a process that must run while the destination is used. It
        listens on the port that was given, and ends with SIGTERM. `()`: none is needed.
    at_rest
        The keys with which its rows are read when that process has ended.
    """

    keys: dict[str, Any] = {}
    command: tuple[str, ...] = ()
    at_rest: dict[str, Any] = {}


class DestinationSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys that every destination has, whatever its type."""

    batch_rows: Count = 10_000
    """Most rows in one write, but that the rows of one message stay together."""
    batch_interval_ms: Pause = field(name="batch_interval", default=500)
    """Longest time a row waits for its write to fill, while more rows come; when none come it is written at once."""
    max_retry_wait_ms: Pause = field(name="max_retry_wait", default=15_000)
    """Longest pause between two tries while the destination is out of reach. Pauses grow up to it; Kafka keeps the
    rows."""
    retry_window_ms: RetryWindow = field(name="retry_window", default=0)
    """How long rows are tried before they go to `drift.undelivered` and the next ones have their turn; ``0s``: for
    ever, and Kafka keeps the rows."""

    def open(self) -> "Destination":
        """The destination, not yet connected: `Destination.setup` does that.

        Raises
        ------
        SinkRejected
            The settings contradict each other; the message says what to do.
        """
        raise NotImplementedError

    def embedded(self, folder: Path, port: int) -> Embedded | None:  # noqa: ARG002 - for those that override it
        """How the destination lives on this machine alone, for `driftline up` and the demo.

        Parameters
        ----------
        folder
            An absolute path of a folder that is the destination's own and need not exist.
        port
            A free port of the loopback, for a process that serves it.

        Returns
        -------
            None when it cannot, and is used where it is.
        """
        return None

    def where(self) -> str:
        """Where the rows go, for people; "" when there is nothing to say. Never a secret."""
        return ""
