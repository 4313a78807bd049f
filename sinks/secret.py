"""A value that must not be shown: it masks itself wherever it is printed, formatted or encoded."""

from typing import Generic, NoReturn, TypeVar

T_co = TypeVar("T_co", covariant=True)

MASK = "***"


class Secret(Generic[T_co]):
    """Wraps a secret; only `reveal` gives it back.

    Its repr, str and every format are ``***``. It is not iterable and has no length, so that it cannot slip into a
    message by accident. Two secrets are equal when their values are.
    """

    __slots__ = ("_value",)

    def __init__(self, value: T_co) -> None:
        self._value = value

    def reveal(self) -> T_co:
        """The value itself: for the client library that needs it, never for a message."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    def __format__(self, format_spec: str) -> str:
        return format(MASK, format_spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and bool(self._value == other._value)

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __iter__(self) -> NoReturn:
        raise TypeError("a Secret cannot be iterated over")
