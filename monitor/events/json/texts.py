"""Objects that arrive as text: a JSON string that holds JSON, as whoever encodes twice sends them.

In the places of the features, of a prediction's object and of the segments a text that is JSON of an object is that
object; in that of the features one of a list is that list. Any other text stays what it is. Nothing is opened inside of
what was opened.
"""

from collections.abc import Sequence
from typing import Any, Final

from monitor.events.mapping import SEGMENTS, Mapping, path

BEGINNINGS: Final = ("{", "[")
"""How JSON of an object and of a list begin."""

Path = tuple[str, ...]


def object_places(mapping: Mapping) -> tuple[Path, ...]:
    """Where objects may arrive as text; that of the features comes first."""
    above = (path(mapping.score)[:-1], path(mapping.label)[:-1])
    return tuple(dict.fromkeys((path(mapping.features), *filter(None, above), (SEGMENTS,))))


def opened_texts(event: dict[str, Any], places: Sequence[Path]) -> dict[str, Any]:
    """The event with the objects that texts in these places hold; itself where there are none."""
    for place in places:
        value: Any = event
        for key in place:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, str) and value.startswith(BEGINNINGS):
            found = _object(value)
            if isinstance(found, dict) or (isinstance(found, list) and place == places[0]):
                event = _with(event, place, found)
    return event


def _object(text: str) -> object:
    from monitor.events.json.forgiving import Refused, parse  # which reads events by what is here

    try:
        return parse(text.encode("utf-8", "surrogatepass"))
    except Refused:
        return None


def _with(event: dict[str, Any], place: Path, value: object) -> dict[str, Any]:
    inner = value if len(place) == 1 else _with(event[place[0]], place[1:], value)
    return {**event, place[0]: inner}
