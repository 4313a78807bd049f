"""What a person chose, as it stands in the address of a screen: a link shows a colleague the same thing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode

from monitor.api.queries.models import Sized
from monitor.api.queries.profiles import Span
from monitor.api.queries.sizes import size_name
from monitor.api.queries.verdicts import Scope
from monitor.api.views.fleet import main_size
from monitor.wording import instant

SHOWN_WINDOWS: Final = 60
RANGES: Final = (("24 h", 1), ("7 d", 7), ("30 d", 30), ("90 d", 90))
_DAY_MS: Final = 86_400_000


class NoSuchPlaceError(LookupError):
    """The address names something that is not there; the message says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A model's version, its windows and a span of time.

    Attributes
    ----------
    sizes: the lengths of windows that the version has. known: every version and length of the model.
    default: whether the span is what is shown when the address names none; it then moves on as windows close.
    """

    model: str
    version: str
    size: Sized
    from_ms: int
    to_ms: int
    segment: str
    compare: str
    sizes: tuple[Sized, ...]
    known: tuple[Sized, ...]
    default: bool

    @property
    def scope(self) -> Scope:
        """As statements about windows take it."""
        return Scope(
            model=self.model,
            version=self.version,
            size_s=self.size.size_s,
            from_ms=self.from_ms,
            to_ms=self.to_ms,
            segment=self.segment,
            compare=self.compare,
        )

    @property
    def span(self) -> Span:
        """As statements about panes take it."""
        return Span(
            model=self.model, version=self.version, segment=self.segment, from_ms=self.from_ms, to_ms=self.to_ms
        )

    @property
    def versions(self) -> list[str]:
        """The model's, the one with the newest window first."""
        newest: dict[str, int] = {}
        for one in self.known:
            newest[one.version] = max(newest.get(one.version, 0), one.last_ms)
        return sorted(newest, key=lambda version: (-newest[version], version))

    @property
    def size_label(self) -> str:
        """``7 days``."""
        return size_name(self.size.size_s)

    def query(self, **changes: str | int) -> str:
        """The address's query with some of it changed; an empty value leaves the key out."""
        values: dict[str, str | int] = {"model": self.model, "version": self.version, "size": self.size.size_s}
        if not self.default:
            values |= {"from": written(self.from_ms), "to": written(self.to_ms)}
        values |= {"segment": self.segment, "compare": self.compare, **changes}
        return urlencode({key: value for key, value in values.items() if value != "" or key in ("model", "version")})

    def with_segment(self, segment: str) -> "Chosen":
        """The same of another segment."""
        return replace(self, segment=segment)

    def other_sizes(self) -> list["Chosen"]:
        """The same of windows of other lengths, the longest first."""
        others = sorted((one for one in self.sizes if one != self.size), key=lambda one: -one.size_s)
        return [replace(self, size=one) for one in others]

    def ranges(self) -> list[tuple[str, str, bool]]:
        """Name, query and whether it is shown, of the spans that one can jump to."""
        end_ms = self.size.last_ms
        found = []
        for name, days in RANGES:
            from_ms = end_ms - days * _DAY_MS
            if days * 86_400 >= 2 * self.size.size_s and from_ms > self.size.first_ms - days * _DAY_MS:
                shown = not self.default and (self.from_ms, self.to_ms) == (from_ms, end_ms)
                found.append((name, self.query(**{"from": written(from_ms), "to": written(end_ms)}), shown))
        first = self.size.first_ms
        everything = (self.from_ms, self.to_ms) == (first, end_ms) and not self.default
        found.append(("all", self.query(**{"from": written(first), "to": written(end_ms)}), everything))
        return found


def written(time_ms: int) -> str:
    """An instant in an address, in UTC."""
    text = datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00").removesuffix(".000").removesuffix(":00") + "Z"


def read_instant(text: str) -> int | None:
    """Milliseconds since 1970 of what `written` wrote, or of milliseconds; None of anything else."""
    if text.isascii() and text.isdigit() and len(text) < 15:
        return int(text)
    try:
        at = datetime.fromisoformat(text)
        return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def _instant(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name, "")
    found = read_instant(text)
    if text and found is None:
        raise NoSuchPlaceError(f"`{name}` is no time; such is 2024-03-01 or 2024-03-01T06:00Z")
    return found


def chosen(query: Mapping[str, str], sized: Sequence[Sized]) -> Chosen:
    """Read an address; what it leaves out is what is newest. Raises `NoSuchPlaceError`."""
    model = query.get("model", "")
    known = tuple(one for one in sized if one.model == model)
    if not known:
        raise NoSuchPlaceError("no window of a model of this name has closed")
    newest = max(known, key=lambda one: one.last_ms)
    version = query.get("version", newest.version)
    sizes = tuple(one for one in known if one.version == version)
    if not sizes:
        raise NoSuchPlaceError("no window of this version of the model has closed")
    wanted = query.get("size", "")
    size = next((one for one in sizes if str(one.size_s) == wanted), main_size(sizes))
    from_ms, to_ms = _instant(query, "from"), _instant(query, "to")
    default = from_ms is None and to_ms is None
    step_ms = max((size.last_ms - size.first_ms) // max(size.windows, 1), 1)
    to_ms = size.last_ms if to_ms is None else to_ms
    from_ms = max(size.first_ms, to_ms - SHOWN_WINDOWS * step_ms) if from_ms is None else from_ms
    if query.get("to", "") == "" and from_ms >= to_ms:
        raise NoSuchPlaceError(f"no window ends after {instant(from_ms)}: the newest ended at {instant(to_ms)}")
    if from_ms >= to_ms or to_ms > 10_413_791_999_999:
        raise NoSuchPlaceError("the span ends before it begins")
    return Chosen(
        model=model,
        version=version,
        size=size,
        from_ms=from_ms,
        to_ms=to_ms,
        segment=query.get("segment", ""),
        compare=query.get("compare", ""),
        sizes=sizes,
        known=known,
        default=default,
    )
