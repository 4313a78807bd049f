"""Parts of sentences for people."""

from collections.abc import Sequence


def counted(n: int, what: str, several: str = "") -> str:
    """``1 window``, ``1,200 windows``; `several` where that is no mere s more: ``2 classes``."""
    return f"{n:,} {what}" if n == 1 else f"{n:,} {several or what + 's'}"


def listed(names: Sequence[str], most: int = 10) -> str:
    """Names with commas between: the first `most`, and how many more there are."""
    left = len(names) - most
    return ", ".join(names[:most]) + (f" and {left:,} more" if left > 0 else "")
