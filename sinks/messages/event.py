"""What an alert and a retraining request share, and how a row of a record becomes one."""

import math
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
        What it is about: the same for all transitions of one alert, and for a request and its outcome.
    at_ms
        When it was decided, in event time.
    reference
        The digest of the reference that the evidence was found with.
    evidence
        What made it, as JSON.
    test
        Sent by `driftline deliver --test`: nothing happened.
    """

    model: str
    version: str
    dedupe_key: str
    at_ms: int
    reference: str = ""
    evidence: Any = None
    test: bool = False

    @property
    def id(self) -> str:
        """Unique among all messages, and the same when one is sent again."""
        raise NotImplementedError

    @property
    def type(self) -> str:
        """The CloudEvent's type."""
        raise NotImplementedError

    def data(self) -> dict[str, Any]:
        """What a machine is told: the CloudEvent's data, and the parameters of a pipeline's run."""
        data: dict[str, Any] = msgspec.to_builtins(self)
        if not self.test:
            del data["test"]
        return data


def read_row(row: Mapping[str, Any], kind: type[E], *, json_fields: frozenset[str]) -> E:
    """A row of the record as an event; fields that it does not have are left to the record.

    Parameters
    ----------
    json_fields
        Those that hold JSON.

    Raises
    ------
    BadRecord
        A field is missing or of another type, or one of `json_fields` holds no JSON.
    """
    wanted = set(kind.__struct_fields__) - {"test"}
    values = {name: value for name, value in row.items() if name in wanted}
    try:
        for name in json_fields & values.keys():
            if isinstance(values[name], str | bytes):
                values[name] = msgspec.json.decode(values[name]) if values[name] else None
        # Nothing is null in a record: what is not known is NaN, and JSON has no NaN.
        return msgspec.convert(_without_nan({k: v for k, v in values.items() if v is not None}), kind)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, TypeError) as error:
        raise BadRecord(f"no {kind.__name__.lower()}: {error}") from error


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_without_nan(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
