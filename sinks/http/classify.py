"""What an HTTP answer asks for. Pure.

| status | outcome | why |
|---|---|---|
| 2xx | accepted | |
| 408, 425, 429, 503, 502, 504 | busy | the service as a whole cannot now: wait, as long as `Retry-After` says |
| other 5xx | failed | it could not take this message now; another one may pass |
| 401, 403, 407 and 3xx | blocked | credentials or address are wrong, and no message is at fault: a person mends it |
| other 4xx | refused | this message will never be taken |

Source: RFC 9110, section 15; RFC 8470 for 425; RFC 6585 for 429.
"""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Final

_BUSY: Final = frozenset({408, 425, 429, 502, 503, 504})
_BLOCKED: Final = frozenset({401, 403, 407})
LONGEST_RETRY_AFTER_S: Final = 3600.0


class Outcome(StrEnum):
    """What is to be done with the message that was answered so."""

    ACCEPTED = "accepted"
    BUSY = "busy"
    FAILED = "failed"
    BLOCKED = "blocked"
    REFUSED = "refused"


def outcome_of(status: int) -> Outcome:
    """The outcome of a status from 100 to 999; informational ones, which no client returns, are a failure."""
    if 200 <= status < 300:
        return Outcome.ACCEPTED
    if status in _BUSY:
        return Outcome.BUSY
    if status in _BLOCKED or 300 <= status < 400:
        return Outcome.BLOCKED
    if 400 <= status < 500:
        return Outcome.REFUSED
    return Outcome.FAILED


def retry_after_s(value: str, now_s: float) -> float | None:
    """Seconds to wait, from 0 to an hour; None where the header says nothing that can be read.

    Parameters
    ----------
    value
        `Retry-After`: seconds, or a date (RFC 9110, section 10.2.3).
    now_s
        Seconds since 1970.
    """
    text = value.strip()
    if text.isascii() and text.isdigit():
        seconds = float(text[:9])
    else:
        try:
            at = parsedate_to_datetime(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
        seconds = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - _instant(now_s).timestamp()
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_S)


def _instant(now_s: float) -> datetime:
    return datetime.fromtimestamp(now_s, UTC)
