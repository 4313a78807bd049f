"""What a record is: a named kind of result with its fields, from which every other form of it is derived.

Conventions: times are integer milliseconds since 1970 in UTC, their names end in `_ms`; intervals are half-open
`[start_ms, end_ms)`. A float that cannot be told is NaN, nothing is null. The segment `""` is the whole. `revision`
starts at 1 and grows with each correction of the same row; what a row is about is its key, the figures are not.
"""

from functools import cached_property
from typing import Final

import msgspec
import pyarrow as pa

TEXT: Final = pa.dictionary(pa.int32(), pa.string())
"""A text with few distinct values."""
LONG_TEXT: Final = pa.string()
COUNT: Final = pa.uint64()
FLOAT: Final = pa.float64()
TIME: Final = pa.int64()
TIME_UNIT: Final = "ms since 1970-01-01 UTC"

# What ClickHouse's DateTime64(3) can hold: 1900-01-01T00:00:00Z to 2299-12-31T23:59:59.999Z. Events are never before
# 1970, but a window that holds one of that year's first days may begin earlier.
FIRST_MS: Final = -2_208_988_800_000
LAST_MS: Final = 10_413_791_999_999

RECORD_KEY: Final = b"driftline.record"
VERSION_KEY: Final = b"driftline.version"


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One field of a record.

    Attributes
    ----------
    name
        In Python, Arrow and Parquet.
    type
        Arrow's.
    meaning
        One line for people, without a full stop.
    unit
        Of a number; `TIME_UNIT` makes it a time.
    key
        Part of what the row is about: of several rows with equal keys one counts, that of the highest revision.
    default
        What rows have that were written before the field was there; None for the fields of the first version, which
        are never missing.
    """

    name: str
    type: pa.DataType
    meaning: str
    unit: str = ""
    key: bool = False
    default: object = None

    @property
    def is_time(self) -> bool:
        """A point in time, in milliseconds."""
        return self.unit == TIME_UNIT


class Record(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One kind of record.

    Attributes
    ----------
    name
        On the wire and in metrics.
    table
        In ClickHouse; also the name of the view `<table>_latest`.
    file
        What `replay` writes it to; empty where it does not.
    meaning
        One or two sentences for people.
    version
        Raised when a field changes its meaning; not when one is added.
    fields
        In the order of the columns; keys in the order of ClickHouse's sorting key.
    month_of
        The time field by whose month ClickHouse keeps rows apart; empty where they are few. Must be a key, or a
        function of the key: equal keys must lie together to replace each other.
    expires
        Whether rows are deleted when the retention of the database is over.
    """

    name: str
    table: str
    file: str = ""
    meaning: str
    version: int = 1
    fields: tuple[Field, ...]
    month_of: str = ""
    expires: bool = True

    @cached_property
    def schema(self) -> pa.Schema:
        """Arrow's, with the record's name and version in its metadata. No field can be null."""
        return pa.schema(
            [pa.field(field.name, field.type, nullable=False) for field in self.fields],
            metadata={RECORD_KEY: self.name.encode(), VERSION_KEY: str(self.version).encode()},
        )

    @property
    def key(self) -> tuple[str, ...]:
        """The names of the fields that make the key."""
        return tuple(field.name for field in self.fields if field.key)

    @property
    def revised(self) -> bool:
        """Whether a row can be corrected by one of a higher revision."""
        return any(field.name == "revision" for field in self.fields)
