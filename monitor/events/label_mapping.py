"""Where in a label event each thing lies."""

import msgspec


class LabelMapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Dotted paths into a JSON label; column names in Arrow and flat files. `model` is a fixed name.

    Attributes
    ----------
    id
        the id of the prediction it belongs to: text or an integer.
    timestamp
        when the label became true: integer milliseconds UTC, or RFC 3339 with an offset.
    label
        the class, or the number.
    value
        a number that rides along (revenue, minutes of delay); may be absent.
    """

    id: str = "prediction_id"
    timestamp: str = "timestamp"
    label: str = "label"
    value: str = "value"
