"""The first words of an alert's sentence: whose, what moved, from what to what, since when, on one lock screen.

A phone shows 120 characters of a message. A mark, such as ``[critical, updated] ``, takes up to 20 of them, and the
ellipsis where a text is cut at a word three. Names come from events and may be long: then the least needed words make
room, and what remains is shortened. What is lost here the sentence says further on.
"""

from dataclasses import dataclass, replace
from typing import Any, Final

MOST_CHARACTERS: Final = 97
_OVER: Final = "over: "
"""More than made up for by the mark of what is resolved, which is nine characters shorter."""

_LEAST: Final = {"model": 12, "version": 6, "quantity": 12, "column": 12, "segment": 10}
"""To how many characters each may be shortened. With everything dropped that may be, at these lengths, figures of 12
and a time of 16, a lead has 93 characters."""
_PLAIN_DROPS: Final[tuple[tuple[str, ...], ...]] = (
    (),
    ("direction",),
    ("direction", "everywhere"),
    ("direction", "everywhere", "spaced"),
    ("direction", "everywhere", "spaced", "values"),
    ("direction", "everywhere", "version", "values"),
)
_FURTHER_DROPS: Final[tuple[tuple[str, ...], ...]] = (
    ("direction", "everywhere", "spaced"),
    ("direction", "everywhere", "version"),
    ("direction", "everywhere", "version", "quantity"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    """What the first words say.

    Attributes
    ----------
    model, version
        Whose; empty: not said.
    over
        It is over.
    quantity, column
        What moved: ``mean`` of ``air_time``; of what has no column of its own the quantity alone.
    change
        ``150 -> 181``; empty: it moved.
    direction, segment, everywhere
        Where to, and where: in a segment, or ``all rows``.
    since
        When it began.
    spaced
        The version is ``(version 3)``; empty: ``v3``.
    """

    model: str
    version: str
    over: bool
    quantity: str
    column: str
    change: str
    direction: str
    segment: str
    everywhere: str
    since: str
    spaced: str = "version"

    def whole(self) -> str:
        """All of it, as long as it is."""
        who = self._who()
        what = " of ".join(filter(None, (self.quantity, self.column)))
        how = f"{self.change}{f' ({self.direction})' if self.direction else ''}" if self.change else "moved"
        where = self.segment or self.everywhere
        return "".join(
            (f"{who}: " if who else "", _OVER if self.over else "", f"{what} {how}", f" in {where}" if where else "",
             f", since {self.since}")
        )  # fmt: skip

    def short(self) -> "Lead":
        """The same in at most `MOST_CHARACTERS` behind `over`."""
        most = MOST_CHARACTERS + (len(_OVER) if self.over else 0)
        for names in _PLAIN_DROPS:
            if len((left := self._without(names)).whole()) <= most:
                return left
        for names in _FURTHER_DROPS:
            left = self._without(names)._shortened(most)
            if len(left.whole()) <= most:
                break
        return left

    def lost(self, short: "Lead") -> tuple[str, str]:
        """What `short` has dropped, and what it has shortened, in words; each may be empty."""
        dropped = [
            text
            for text in (
                self.direction if self.direction != short.direction else "",
                f"in {self.everywhere}" if self.everywhere != short.everywhere else "",
            )
            if text
        ]
        cut = any(getattr(self, name) != getattr(short, name) for name in _LEAST)
        if not cut:
            return ", ".join(dropped), ""
        who = self._who()
        what = " of ".join(filter(None, (self.quantity, self.column))) + (f" in {self.segment}" if self.segment else "")
        return ", ".join(dropped), "; ".join(filter(None, (who, what)))

    def _who(self) -> str:
        if not self.version or not self.model:
            return self.model
        if self.spaced:
            return f"{self.model} ({self.spaced} {self.version})"
        return f"{self.model} {'' if self.version[0] in 'vV' else 'v'}{self.version}"

    def _without(self, names: tuple[str, ...]) -> "Lead":
        # What has no column is told by its quantity.
        left: dict[str, Any] = {name: "" for name in names if name != "quantity" or self.column}
        if left.pop("values", None) is not None:
            left["quantity"] = self.quantity.replace("share of values ", "share ", 1)
        return replace(self, **left)

    def _shortened(self, most: int) -> "Lead":
        lengths = {name: len(getattr(self, name)) for name in _LEAST}
        for _ in range(len(self.whole()) - most):
            name = max(lengths, key=lambda one: lengths[one] - _LEAST[one])
            if lengths[name] <= _LEAST[name]:
                break
            lengths[name] -= 1
        clipped: dict[str, Any] = {name: _clipped(getattr(self, name), n) for name, n in lengths.items()}
        return replace(self, **clipped)


def _clipped(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
