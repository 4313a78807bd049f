"""What an alert and a retraining request share, and how a row of a record becomes one."""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from sinks.errors import BadRecord

E = TypeVar("E", bound="Event")


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One message.

    Attributes
    ----------
    model, version
        Whose.
    dedupe_key
        What it is about: the same of all states of one alert, of all revisions of one request.
    time_ms
        When it was decided, in event time.
    revision
        1, and one more with each later message of the same key.
    summary
        One sentence for people.
    evidence
        What made it, as JSON.
    test
        Sent by `driftline deliver --test`: nothing happened.
    """

    model: str
    version: str
    dedupe_key: str
    time_ms: int
    revision: int = 1
    summary: str = ""
    evidence: Any = None
    test: bool = False

    @property
    def id(self) -> str:
        """Unique among all messages, and the same when one is sent again."""
        return f"{self.dedupe_key}/{self.revision}"

    @property
    def type(self) -> str:
        """The CloudEvent's type."""
        raise NotImplementedError

    def data(self) -> dict[str, Any]:
        """What a machine is told: the CloudEvent's data, and the parameters of a pipeline's run."""
        raise NotImplementedError


def read_row(row: Mapping[str, Any], kind: type[E], json_fields: frozenset[str]) -> E:
    """A row of the record as an event; fields that it does not have are left to the record.

    Raises
    ------
    BadRecord
        A field is missing or of another type, or one of `json_fields` holds no JSON.
    """
    names = set(kind.__struct_fields__) - {"test"}
    values = {name: value for name, value in row.items() if name in names}
    try:
        for name in json_fields & values.keys():
            values[name] = msgspec.json.decode(values[name]) if values[name] else None
        return msgspec.convert({name: value for name, value in values.items() if value is not None}, kind)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, TypeError) as error:
        raise BadRecord(f"no {kind.__name__.lower()}: {error}") from error
