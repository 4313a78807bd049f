"""The outside world after scoring: the public output contract, and where it is delivered to.

- `sinks.records`: the rows that travel on `drift.results` and `drift.rejects`, and how they are written as bytes.
- `sinks.destination`: what every destination can do. `sinks.errors`: what can go wrong, and what to do then.
- `sinks.settings`: what every destination's section of the configuration has. `sinks.registry`: how both are found.
- `sinks.retry`: how long to wait between two tries.
- `sinks.clickhouse`: tables, views and SQL functions; migrations; the sink.

Nothing here knows of Kafka, of Faust or of how a score is computed.
"""
