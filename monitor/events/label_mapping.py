"""Where in a label event each thing lies."""

from typing import Annotated

import msgspec

from monitor.events.mapping import MODEL, Mapping
from monitor.events.times import TimeRule, Unit


class LabelMapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Dotted paths into a JSON label; column names in Arrow and flat files.

    Attributes
    ----------
    model
        the name of its model: a path, `topic`, or `header:NAME`. Labels without a value there are rejected, but for the
        default, whose absence means the only model that is configured. A file has no headers and no topic: its models
        are named by `model`.
    id
        the id of the prediction it belongs to: text or an integer.
    timestamp
        when the label became true: a number of `timestamp_unit` since 1970 UTC, or RFC 3339.
    label
        the class, or the number.
    value
        a number that rides along (revenue, minutes of delay); may be absent.
    timestamp_unit, timezone
        as in `mapping`; None: as they are there.
    """

    model: str = MODEL
    id: str = "prediction_id"
    timestamp: str = "timestamp"
    label: str = "label"
    value: str = "value"
    timestamp_unit: Unit | None = None
    timezone: Annotated[str | None, msgspec.Meta(extra={"form": "timezone"})] = None

    @property
    def places(self) -> dict[str, str]:
        """The paths, by key."""
        return {"id": self.id, "timestamp": self.timestamp, "label": self.label, "value": self.value}

    def times(self, mapping: Mapping) -> TimeRule:
        """How timestamps are read, where predictions are read by `mapping`."""
        return TimeRule(
            unit=self.timestamp_unit or mapping.timestamp_unit,
            timezone=self.timezone or mapping.timezone,
            min_ms=mapping.min_time_ms,
        )
