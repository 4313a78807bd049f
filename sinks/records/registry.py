"""Every record, found by itself: a module of this package with a `RECORD` is one."""

import functools
import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType

import pyarrow as pa

from sinks.errors import BadRecord
from sinks.records.record import RECORD_KEY, Record


@functools.cache
def records() -> Mapping[str, Record]:
    """All records by name, in alphabetical order."""
    import sinks.records as package  # its modules import this one

    found: dict[str, Record] = {}
    for info in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        if not info.name.rpartition(".")[2].startswith("_"):
            record = getattr(importlib.import_module(info.name), "RECORD", None)
            if isinstance(record, Record):
                found[record.name] = record
    return MappingProxyType(dict(sorted(found.items())))


def record_of(batch: pa.RecordBatch) -> Record:
    """The record that a batch holds rows of.

    Raises
    ------
    BadRecord
        Its schema does not say, or names none that this release knows.
    """
    name = (batch.schema.metadata or {}).get(RECORD_KEY, b"").decode("utf-8", "replace")
    try:
        return records()[name]
    except KeyError:
        raise BadRecord(f"a batch of an unknown record {name!r}") from None
