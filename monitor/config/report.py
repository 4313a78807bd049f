"""How the rules between keys tell what is broken."""

from collections.abc import Iterable
from typing import Protocol


class Report(Protocol):
    """Called with the path and the message of each problem, and the key or value that was probably meant."""

    def __call__(self, path: str, message: str, nearest: str = "") -> None: ...  # noqa: D102


def check_repeats(path: str, values: Iterable[object], what: str, report: Report, key: str = "") -> None:
    """Report every value of a list that stands in it already."""
    first: dict[object, int] = {}
    for i, value in enumerate(values):
        j = first.setdefault(value, i)
        if j != i:
            report(f"{path}[{i}]{key}", f"{what} is already at {path}[{j}]{key}")
