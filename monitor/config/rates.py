"""Rates (``1 per 30d``) and rules of raising (``budget``; ``verdicts, 2 of 3``), as people write them."""

import re
from dataclasses import dataclass

from monitor.config.durations import format_duration, parse_duration

RATE_EXAMPLE = "a rate such as 1 per 30d"
RULE_EXAMPLE = "budget, or verdicts, 2 of 3"

_RATE = re.compile(r"([0-9]{1,6}) per ([0-9]{1,15}(?:ms|s|m|h|d))")
_RULE = re.compile(r"verdicts(?:, ([0-9]{1,4}) of ([0-9]{1,4}))?")
_MOST_WINDOWS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """At most `n`, above 0, in any `per_ms`."""

    n: int
    per_ms: int

    def __str__(self) -> str:
        """As it is written in the configuration."""
        return f"{self.n} per {format_duration(self.per_ms)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RaiseRule:
    """When an alert is raised: by the evidence over time, or where `k` of the last `n` windows drifted (k = 0: by the
    evidence)."""

    k: int = 0
    n: int = 0

    @property
    def by_evidence(self) -> bool:
        """Whether the budget of false alarms decides."""
        return self.k == 0

    def __str__(self) -> str:
        """As it is written in the configuration."""
        return "budget" if self.by_evidence else f"verdicts, {self.k} of {self.n}"


def parse_rate(text: str) -> Rate:
    """Read ``N per DURATION``; ValueError, which does not repeat `text`, when it is not one."""
    match = _RATE.fullmatch(text)
    if match is None:
        raise ValueError(f"expected {RATE_EXAMPLE}")
    n, per_ms = int(match[1]), parse_duration(match[2])
    if n == 0 or per_ms == 0:
        raise ValueError("expected a rate above 0; once a year is 1 per 365d")
    return Rate(n=n, per_ms=per_ms)


def parse_rule(text: str) -> RaiseRule:
    """Read a rule of raising; ValueError, which does not repeat `text`, when it is not one."""
    if text == "budget":
        return RaiseRule()
    match = _RULE.fullmatch(text)
    if match is None:
        raise ValueError(f"expected {RULE_EXAMPLE}")
    k, n = (int(match[1]), int(match[2])) if match[1] else (1, 1)
    if not 1 <= k <= n <= _MOST_WINDOWS:
        raise ValueError(f"expected verdicts, K of N, with K from 1 to N and N at most {_MOST_WINDOWS}")
    return RaiseRule(k=k, n=n)
