"""Where in a label event each thing lies."""

import msgspec


class LabelMapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Dotted paths into a JSON label; column names in Arrow and flat files. `model` is a fixed name.

    Attributes
    ----------
    id
        the id of the prediction it belongs to; "" stands for the predictions' own key, `mapping.prediction_id`.
    timestamp
        when the label became true: integer milliseconds UTC, or RFC 3339 with an offset.
    label
        the class, or the number.
    value
        a number that rides along (revenue, minutes of delay); may be absent.
    """

    id: str = ""
    timestamp: str = "timestamp"
    label: str = "label"
    value: str = "value"
