"""Results in ClickHouse, in a server or in the engine that comes as a wheel (chDB).

- `settings`: its keys in the configuration.
- `client`: where it is, and how to reach it. `classify`: what its errors ask for.
- `migrations`: the schema, its views and its SQL functions, as numbered files.
- `ddl`: a record as a table. `draft_migration`: the command that writes the next file where records have changed.
- `sink`: batches, idempotent writes.
"""

from sinks.clickhouse.settings import Settings

__all__ = ["Settings"]
