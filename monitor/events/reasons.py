"""Why an event was not counted. The set is closed: metrics, dead letters and ClickHouse are labelled with it."""

import enum


class Reason(enum.StrEnum):
    """The reason of one reject."""

    UNDECODABLE = "undecodable"
    """The bytes are no JSON or Arrow: truncated, corrupt, not UTF-8, nested too deeply, empty."""
    SCHEMA = "schema"
    """Well-formed, but no event: not an object, an Arrow stream without timestamps, a version that is a list."""
    UNKNOWN_MODEL = "unknown_model"
    """Names a model that is not configured, or none where several are."""
    BAD_TIMESTAMP = "bad_timestamp"
    """Missing, not a time, without an offset, before 1970, or too far in the future."""
    MISSING_ID = "missing_id"
    """`prediction_id` is there but is neither text nor an integer, so no label can ever name it."""
    OVERSIZE = "oversize"
    """The message has too many bytes or holds too many events."""
