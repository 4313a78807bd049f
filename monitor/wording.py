"""Parts of sentences for people."""

from collections.abc import Sequence
from datetime import UTC, datetime


def counted(n: int, what: str, several: str = "") -> str:
    """``1 window``, ``1,200 windows``; `several` where that is no mere s more: ``2 classes``."""
    return f"{n:,} {what}" if n == 1 else f"{n:,} {several or what + 's'}"


def listed(names: Sequence[str], most: int = 10) -> str:
    """Names with commas between: the first `most`, and how many more there are."""
    left = len(names) - most
    return ", ".join(names[:most]) + (f" and {left:,} more" if left > 0 else "")


def instant(time_ms: int) -> str:
    """In UTC, to the minute; the day alone where that is all."""
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d %H:%M}".removesuffix(" 00:00")


def figure(quantity: str, value: float | None) -> str:
    """A value of a quantity to three digits; shares in per cent."""
    if value is None or value != value:  # NaN
        return "none"
    if quantity.startswith("share"):
        return f"{100 * value:.3g} %"
    return f"{value:,.0f}" if 1_000 <= abs(value) < 1e9 else f"{value:.3g}"


def sure(q_value: float) -> str:
    """How sure a finding is: ``q 0.003``, ``q < 1e-9``; nothing where there is no such number."""
    if q_value != q_value:  # NaN
        return ""
    return "q < 1e-9" if q_value < 1e-9 else f"q {q_value:.1g}"
