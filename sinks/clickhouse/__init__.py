"""Results in ClickHouse, in a server or in the engine that comes as a wheel (chDB).

- `settings`: its keys in the configuration.
- `client`: where it is, and how to reach it. `classify`: what its errors ask for.
- `migrations`: the schema, its views and its SQL functions, as numbered files.
- `tables`: rows to columns. `sink`: batches, idempotent writes.
"""

from sinks.clickhouse.settings import Settings

__all__ = ["Settings"]
