"""How long to wait before trying again: one rule for every role, and a pure function.

Exponential back-off with jitter, so that workers that lost one service together do not come back together. Source:
Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015 ("equal jitter" at the default).
"""

from typing import Annotated

import msgspec
from msgspec import Meta


class Backoff(msgspec.Struct, frozen=True, kw_only=True):
    """Pauses that grow from `first_s` to `most_s`.

    Attributes
    ----------
    first_s, most_s
        Seconds, above 0: the longest pause before the first retry, and before any.
    factor
        How much longer each pause may be than the one before it, at least 1.
    jitter
        The share of a pause that is left to chance, from 0 (none) to 1 (all of it).
    """

    first_s: Annotated[float, Meta(gt=0)] = 0.5
    most_s: Annotated[float, Meta(gt=0)] = 15.0
    factor: Annotated[float, Meta(ge=1)] = 2.0
    jitter: Annotated[float, Meta(ge=0, le=1)] = 0.5

    def pause_s(self, retries: int, chance: float, *, asked_s: float = 0.0) -> float:
        """Seconds to wait, from 0 to `most_s`.

        Parameters
        ----------
        retries
            How many there were already, from 0.
        chance
            A random number in `[0, 1)`, such as `random.random()`: 0 gives the longest pause.
        asked_s
            What the service asked for (`SinkUnavailable.retry_after_s`); the pauses grow from there if it is more than
            `first_s`.
        """
        # The exponent is bounded because `2.0 ** 1024` is an OverflowError.
        longest_s = min(self.most_s, max(self.first_s, asked_s) * self.factor ** min(retries, 64))
        return longest_s * (1.0 - self.jitter * chance)
