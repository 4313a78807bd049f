"""What the other side said when it took a message."""

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from sinks.http.client import Answer


class Said(msgspec.Struct, frozen=True):
    """One line for people.

    Attributes
    ----------
    status
        Of HTTP; 0 where it was another protocol.
    known
        It had the message already, and did nothing.
    """

    text: str
    status: int = 0
    known: bool = False


def said(answer: "Answer", text: str = "", *, known: bool = False) -> Said:
    """What an answer says; `text` in place of its body, or before it."""
    return Said(text if known else f"{text}: {answer}" if text else str(answer), answer.status, known)
