"""What the values of a column are: each takes a column of a `Sample`, with None where a row has no value. Pure."""

import re
from typing import Any, Final

MOST_CLASSES: Final = 50
"""Of a prediction; a column of more different values is none of classes."""


def spelled(value: Any) -> str:
    """A class as the stream spells it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def is_number_or_digits(value: object) -> bool:
    """Whether a value is a number, or text of digits alone."""
    return not isinstance(value, str) or re.fullmatch(r"\s*\d+(\.\d+)?\s*", value) is not None


def first(values: list[Any]) -> Any:
    """The first value that there is."""
    return next((value for value in values if value is not None), None)


def are_numbers(values: list[Any]) -> bool:
    """Whether all are numbers, and there is one."""
    there = [value for value in values if value is not None]
    return bool(there) and all(isinstance(value, int | float) and not isinstance(value, bool) for value in there)


def are_whole(values: list[Any]) -> bool:
    """Whether numbers are all whole."""
    return all(value is None or float(value).is_integer() for value in values)


def are_ids(values: list[Any]) -> bool:
    """Whether they are texts or integers that hardly repeat."""
    there = [value for value in values if value is not None]
    return all(isinstance(value, str | int) for value in there) and len(set(there)) > 0.9 * len(there)


def are_versions(values: list[Any]) -> bool:
    """Whether they are texts or integers."""
    return all(value is None or isinstance(value, str | int) for value in values)


def are_classes(values: list[Any]) -> bool:
    """Whether they are few texts, booleans or whole numbers."""
    there = {value for value in values if isinstance(value, str | int | float)}
    return (
        0 < len(there) <= MOST_CLASSES
        and all(value is None or isinstance(value, str | int | float) for value in values)
        and not (are_numbers(values) and not are_whole(values))
    )


def are_codes(values: list[Any]) -> bool:
    """Whether they are whole numbers that repeat."""
    return (
        are_numbers(values) and are_whole(values) and len(set(values)) <= 1_000 and len(set(values)) * 2 < len(values)
    )
