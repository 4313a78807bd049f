"""The records as a page for people: `docs/records.md`."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from sinks.records.record import Field, Record

_HEAD = """# Records

What Driftline writes, by kind. Made from `sinks/records/` by `make records`; do not edit it here.

- The topic `drift.results` carries Arrow IPC streams, one batch of one record a message. The schema's metadata has the
  record's name (`driftline.record`) and version (`driftline.version`), and where the message of `drift.sketches` stands
  that the rows came from. A reader ignores fields that it does not know; a field that changes its meaning raises the
  version.
- ClickHouse has a table and a view `<table>_latest` of each; `driftline replay` writes some as Parquet. Times are
  integer milliseconds since 1970 in UTC, and in ClickHouse `DateTime64(3, 'UTC')`, whose columns have no `_ms`.
- Of several rows with equal keys one counts: that of the highest revision, of equal ones the last.
- Intervals are half-open, `[start, end)`. Nothing is null; a float that cannot be told is NaN.
"""


def document(records: Mapping[str, Record]) -> str:
    """The page, in Markdown."""
    return "\n".join([_HEAD, *(_section(record) for record in records.values())])


def _section(record: Record) -> str:
    places = [
        f"table `{record.table}`",
        *([f"file `{record.file}`"] if record.file else []),
        f"version {record.version}",
    ]
    lines = [
        f"## {record.name}\n",
        f"{record.meaning}\n",
        f"{', '.join(places).capitalize()}. {'Expires' if record.expires else 'Does not expire'}.\n",
        "| field | type | meaning |",
        "|---|---|---|",
        *map(_line, record.fields),
        "\nThe key is in bold.\n" if record.key else "",
    ]  # fmt: skip
    return "\n".join(lines)


def _line(field: Field) -> str:
    name = f"**`{field.name}`**" if field.key else f"`{field.name}`"
    return f"| {name} | {_type(field)} | {_meaning(field)} |"


def _type(field: Field) -> str:
    return "time" if field.is_time else _name(field.type)


def _name(kind: Any) -> str:
    if isinstance(kind, pa.DictionaryType):
        return _name(kind.value_type)
    if pa.types.is_list(kind):
        return f"list of {_name(kind.value_type)}"
    if pa.types.is_struct(kind):
        return f"({', '.join(f'{part.name}: {_name(part.type)}' for part in kind)})"
    return {"double": "float64", "string": "text"}.get(str(kind), str(kind))


def _meaning(field: Field) -> str:
    unit = f"; {field.unit}" if field.unit and not field.is_time else ""
    default = f"; `{field.default}` in rows from before the field was there" if field.default is not None else ""
    return f"{field.meaning}{unit}{default}".replace("|", "\\|")
