"""A large fleet's results, made by the engine itself, for `driftline bench --ui`.

Hourly windows of every model, each column compared with the whole reference and with the same hours of the week, as
`compare: [pinned, {season: hour_of_week}]` gives them: a hundredth of the columns have changed, and every tenth column
differs for eight hours of each day as the season does. One window of fifty was scored again for late events.
Performance is measured and estimated by two metrics; a tenth of the models has open alerts. Profiles are those of one
model, 100 columns of 256 cells, for a span's PSI looks at one column of one model.
"""

import contextlib
from dataclasses import dataclass
from typing import Final

from sinks.clickhouse.client import connect
from sinks.clickhouse.sink import ClickHouseSink

END_MS: Final = 1_719_792_000_000
"""2024-07-01: the newest window's end."""
HOUR_MS: Final = 3_600_000
CELLS: Final = 256
SEASON: Final = "season hour_of_week"
_MODELS_A_STATEMENT: Final = 20
_WINDOWS: Final = """
INSERT INTO windows (model, version, segment, window_start, window_end, reference, events, with_features,
    with_prediction, both, columns_scored, columns_not_scored, reason, revision)
SELECT concat('model-', leftPad(toString(intDiv(number, {hours})), 3, '0')), '1', '',
    fromUnixTimestamp64Milli({start} + number % {hours} * 3600000, 'UTC') AS at, at + INTERVAL 1 HOUR, 'r1', 1000, 1000,
    1000, 1000, {columns}, 0, '', 1 + ({again})
FROM numbers({models} * {hours})
"""
_AGAIN: Final = "intDiv(toUnixTimestamp(at), 3600) % 50 = 7"
"""Whether a window was scored twice: then both revisions have rows."""
_VERDICTS: Final = """
INSERT INTO drift_verdicts (model, version, segment, column, window_start, window_end, reference, compare, drifted,
    p_value, q_value, method, effect, threshold, direction, quantity, before, after, n_reference, n_current, revision)
SELECT concat('model-', leftPad(toString({model} + intDiv(number, {hours} * {columns})), 3, '0')), '1', '',
    concat('column-', leftPad(toString(intDiv(number, {hours}) % {columns} AS place), 3, '0')),
    fromUnixTimestamp64Milli({start} + number % {hours} * 3600000, 'UTC') AS at, at + INTERVAL 1 HOUR, 'r1',
    arrayJoin(['pinned', '{season}']) AS compare, cityHash64(number) % 100 = 0
        OR compare = 'pinned' AND place % 10 = 3 AND toHour(at) < 8 AS moved,
    0.5, 0.5, 'js', if(moved, 0.1, 0) + (cityHash64(number) % 1000) / 20000, 0.08, if(moved, 'up', 'none'),
    if(moved, 'mean', ''), if(moved, 1, nan), if(moved, 2, nan), 10000, 1000, {revision}
FROM numbers({models} * {hours} * {columns}) {only}
"""
_PERFORMANCE: Final = """
INSERT INTO performance (model, version, segment, metric, estimated, window_start, window_end, reference, value, ci_low,
    ci_high, reference_value, spread_low, spread_high, estimate_error, n, n_labelled, n_total, maturity, provisional,
    error_bound, label, revision)
SELECT concat('model-', leftPad(toString(intDiv(number, {hours})), 3, '0')), '1', '',
    arrayJoin(['roc_auc', 'log_loss']), arrayJoin([false, true]) AS estimated,
    fromUnixTimestamp64Milli({start} + number % {hours} * 3600000, 'UTC') AS at, at + INTERVAL 1 HOUR, 'r1',
    0.7 + (cityHash64(number) % 1000) / 20000 AS value, value - 0.02, value + 0.02, 0.72, 0.7, 0.75, nan, 1000,
    900, 1000, 0.9, false, 0, at + INTERVAL 1 DAY, 1
FROM numbers({models} * {hours})
"""
_ALERTS: Final = """
INSERT INTO alerts (model, dedupe_key, sequence, version, reference, state, cause, severity, at, onset, columns,
    summary, recommendation, evidence)
SELECT concat('model-', leftPad(toString(intDiv(number, 20)), 3, '0')) AS name,
    concat(name, ' ', toString(number % 20)),
    arrayJoin([1, 2]) AS sequence, '1', 'r1',
    multiIf(sequence = 1, 'raised', number % 20 > 0 OR intDiv(number, 20) % 10 > 0, 'resolved', 'updated'),
    'data_drift', 'warning',
    fromUnixTimestamp64Milli({start} + intDiv({hours} * (20 - number % 20), 20) * 3600000, 'UTC') AS at, at,
    [('column-003', '', 'up', 'mean', 1., 2., 0.2, 0.08, 'js', {start}, false)],
    'inputs drifted: mean of column-003 1 -> 2 (up) in all rows', 'look at the source of column-003', '{{}}'
FROM numbers({models} * 20)
"""
_PROFILES: Final = """
INSERT INTO column_profiles (model, version, segment, column, pane_start, pane_end, reference, kind, n, nulls, invalid,
    minimum, maximum, mean, std, quantiles, counts, frequent_unseen, revision)
SELECT 'model-000', '1', '', concat('column-', leftPad(toString(intDiv(number, {hours})), 3, '0')),
    fromUnixTimestamp64Milli({start} + number % {hours} * 3600000, 'UTC') AS at, at + INTERVAL 1 HOUR, 'r1', 'numeric',
    1000, 0, 0, 0, 255, 128, 70, [12, 64, 128, 191, 243],
    arrayMap(i -> cityHash64(number, i) % 9, range({cells})), [], 1
FROM numbers({columns} * {hours})
"""
_REFERENCES: Final = """
INSERT INTO references (model, reference, version, segment, column, kind, n, nulls, edges, categories, counts, decile)
SELECT 'model-000', 'r1', '1', '', concat('column-', leftPad(toString(number), 3, '0')), 'numeric', 25600, 0,
    arrayMap(i -> toFloat64(i), range({cells} - 1)), [], arrayMap(i -> 100, range({cells})),
    arrayMap(i -> intDiv(i, 26), range({cells}))
FROM numbers({columns})
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """How much there is."""

    models: int = 200
    columns: int = 100
    days: int = 90

    @property
    def hours(self) -> int:
        """Windows of each model."""
        return 24 * self.days

    @property
    def start_ms(self) -> int:
        """Of the first window."""
        return END_MS - self.hours * HOUR_MS

    @property
    def verdicts(self) -> int:
        """On all columns, beside the reference and beside its season, without those that were scored again."""
        return 2 * self.models * self.columns * self.hours


def make(dsn: str, size: Fleet) -> None:
    """The tables and their rows, in an empty database."""
    sink = ClickHouseSink(dsn, retention_days=20_000)
    sink.migrate()
    sink.close()
    values: dict[str, int | str] = {
        "hours": size.hours, "columns": size.columns, "models": size.models, "start": size.start_ms, "cells": CELLS,
        "season": SEASON, "again": _AGAIN,
    }  # fmt: skip
    settings = {"max_partitions_per_insert_block": 0, "min_insert_block_size_rows": 4_000_000, "max_threads": 2}
    with contextlib.closing(connect(dsn, send_receive_timeout_s=1_800)) as client:
        client.command(_line(_WINDOWS, **values), settings=settings)
        for model in range(0, size.models, _MODELS_A_STATEMENT):
            own = {**values, "models": min(_MODELS_A_STATEMENT, size.models - model), "model": model}
            client.command(_line(_VERDICTS, **own, revision=1, only=""), settings=settings)
            client.command(_line(_VERDICTS, **own, revision=2, only=f"WHERE {_AGAIN}"), settings=settings)
        for statement in (_PERFORMANCE, _ALERTS, _PROFILES, _REFERENCES):
            client.command(_line(statement, **values), settings=settings)
        for table in ("drifted_windows", "season_windows", "windows"):
            client.command(f"OPTIMIZE TABLE {table} FINAL")  # as ClickHouse has by the time that three months are there


def _line(statement: str, **values: int | str) -> str:
    """The embedded engine tells an INSERT's data from its SELECT by the line's end."""
    return " ".join(statement.format(**values).split())
