"""`driftline bench --ui`: what the page asks, and its first paint, over a large fleet on the embedded engine.

Verdicts and windows of 200 models with 100 columns each, hourly, over 90 days (43 million verdicts), made by the engine
itself; profiles of one of the models (100 columns, 256 cells), for a span's PSI looks at one column of one model.
"""

import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

import msgspec
from rich.console import Console

from monitor.api.access import Access
from monitor.api.queries import fleet, models, profiles, verdicts
from monitor.api.site import Site
from monitor.api.source import Source
from monitor.bench import paint
from monitor.config.schema import Config
from monitor.embedded.ports import free_port
from monitor.embedded.server import EmbeddedServer
from sinks.clickhouse.client import connect
from sinks.clickhouse.sink import ClickHouseSink

END_MS: Final = 1_719_792_000_000
"""2024-07-01: the newest window's end."""
HOUR_MS: Final = 3_600_000
CELLS: Final = 256
_WINDOWS: Final = """
INSERT INTO windows (model, version, segment, window_start, window_end, reference, events, with_features,
    with_prediction, both, columns_scored, columns_not_scored, reason, revision)
SELECT concat('model-', leftPad(toString(intDiv(number, {hours})), 3, '0')), '1', '',
    fromUnixTimestamp64Milli({start} + number % {hours} * 3600000, 'UTC') AS at, at + INTERVAL 1 HOUR, 'r1', 1000, 1000,
    1000, 1000, {columns}, 0, '', 1
FROM numbers({models} * {hours})
"""
_VERDICTS: Final = """
INSERT INTO drift_verdicts (model, version, segment, column, window_start, window_end, reference, compare, drifted,
    p_value, q_value, method, effect, threshold, direction, quantity, before, after, n_reference, n_current, revision)
SELECT concat('model-', leftPad(toString({model} + intDiv(number, {hours} * {columns})), 3, '0')), '1', '',
    concat('column-', leftPad(toString(intDiv(number, {hours}) % {columns}), 3, '0')),
    fromUnixTimestamp64Milli({start} + number % {hours} * 3600000, 'UTC') AS at, at + INTERVAL 1 HOUR, 'r1', 'pinned',
    cityHash64(number) % 100 = 0 AS moved, 0.5, 0.5, 'js', (cityHash64(number) % 1000) / 10000, 0.08,
    if(moved, 'up', 'none'), if(moved, 'mean', ''), if(moved, 1, nan), if(moved, 2, nan), 10000, 1000, 1
FROM numbers({models} * {hours} * {columns})
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


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A statement's time: the median and the longest of the rounds, and how long it should take at most."""

    name: str
    median_ms: float
    longest_ms: float
    most_ms: float
    rows: int


def run_ui_bench(*, as_json: bool, rounds: int, size: Fleet | None = None) -> list[Asked]:
    """Make the results, ask, and print."""
    size = size or Fleet()
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="driftline-bench-ui-", ignore_cleanup_errors=True) as folder:
        port = free_port()
        dsn = f"clickhouse://127.0.0.1:{port}/default"
        with EmbeddedServer("clickhouse", ("sinks.clickhouse.engine", f"{folder}/db", str(port)), port):
            started = time.monotonic()
            with console.status(f"making {size.models * size.columns * size.hours:,} verdicts"):
                _make(dsn, size)
            console.print(f"made in {time.monotonic() - started:.0f} s", style="dim")
            asked = [*_ask(dsn, rounds), *_painted(dsn, rounds, size)]
    if as_json:
        sys.stdout.write(msgspec.json.encode(asked).decode() + "\n")
        return asked
    for one in asked:
        verdict = f"{'' if one.median_ms <= one.most_ms else 'not '}reached"
        console.print(
            f"{one.name:32} {one.median_ms:6.0f} ms, longest {one.longest_ms:6.0f}, wanted {one.most_ms:.0f}: {verdict}"
        )
    return asked


def _make(dsn: str, size: Fleet) -> None:
    sink = ClickHouseSink(dsn, retention_days=20_000)
    sink.migrate()
    sink.close()
    values = {
        "hours": size.hours, "columns": size.columns, "models": size.models, "start": size.start_ms, "cells": CELLS,
    }  # fmt: skip
    settings = {"max_partitions_per_insert_block": 0, "min_insert_block_size_rows": 4_000_000, "max_threads": 2}
    with contextlib.closing(connect(dsn, send_receive_timeout_s=1_800)) as client:
        client.command(_line(_WINDOWS, **values), settings=settings)
        for model in range(0, size.models, 20):
            own = {**values, "models": min(20, size.models - model), "model": model}
            client.command(_line(_VERDICTS, **own), settings=settings)
        client.command(_line(_PROFILES, **values), settings=settings)
        client.command(_line(_REFERENCES, **values), settings=settings)


def _line(statement: str, **values: int) -> str:
    """The embedded engine tells an INSERT's data from its SELECT by the line's end."""
    return " ".join(statement.format(**values).split())


@contextlib.contextmanager
def _opened(dsn: str) -> Iterator[ClickHouseSink]:
    with contextlib.closing(ClickHouseSink(dsn)) as sink:
        yield sink


def _ask(dsn: str, rounds: int) -> list[Asked]:
    source = Source(partial(_opened, dsn))
    scope = verdicts.Scope(
        model="model-000", version="1", size_s=3600, from_ms=END_MS - 60 * HOUR_MS, to_ms=END_MS
    )  # fmt: skip
    month = profiles.Span(model="model-000", version="1", from_ms=END_MS - 30 * 24 * HOUR_MS, to_ms=END_MS)
    calls: list[tuple[str, float, Callable[[], object]]] = [
        ("fleet: models and windows", 300, lambda: models.sized_windows(source)),
        (
            "fleet: what changed",
            300,
            lambda: fleet.changes(source, END_MS - 24 * HOUR_MS, END_MS, 3600),
        ),
        ("fleet: usual events", 300, lambda: fleet.earlier(source, [0, 1], END_MS)),
        ("fleet: performance", 300, lambda: fleet.headlines(source, END_MS - 24 * HOUR_MS, END_MS, 3600)),
        ("model: cells of 60 windows", 300, lambda: verdicts.cells(source, scope)),
        ("model: runs of 60 windows", 300, lambda: verdicts.runs(source, scope)),
        ("column: PSI over 30 days", 100, lambda: profiles.distribution(source, month, "column-007")),
        ("column: 30 days in 120 parts", 300, lambda: profiles.buckets(source, month, "column-007", 6 * HOUR_MS)),
    ]
    asked = []
    for name, most_ms, call in calls:
        call()
        times = []
        for _ in range(rounds):
            started = time.perf_counter()
            answer = call()
            times.append(1000 * (time.perf_counter() - started))
        asked.append(
            Asked(
                name=name,
                median_ms=statistics.median(times),
                longest_ms=max(times),
                most_ms=most_ms,
                rows=len(answer) if isinstance(answer, list) else 1,
            )
        )
    source.close()
    return asked


def _painted(dsn: str, rounds: int, size: Fleet) -> list[Asked]:
    """First paint of the screens of a model of the fleet; nothing where no browser is installed."""
    if paint.browser() is None:
        Console(stderr=True).print("first paint: Playwright and Chromium are not installed", style="dim")
        return []
    site = Site(
        source=Source(partial(_opened, dsn)),
        config=Config(models=()),
        access=Access(""),
        now_ms=lambda: END_MS + 60_000,
    )
    one = "model=model-000&version=1"
    screens = {
        "fleet": "/", "model": f"/model?{one}", "column": f"/column?{one}&column=column-{min(7, size.columns - 1):03d}",
        "performance": f"/performance?{one}", "alerts": "/alerts", "rejects": "/rejects", "compare": f"/compare?{one}",
    }  # fmt: skip
    found = paint.first_paints(site, screens, rounds)
    made = [
        Asked(name=f"first paint: {name}", median_ms=median_ms, longest_ms=longest_ms, most_ms=1_000, rows=1)
        for name, median_ms, longest_ms in found
    ]
    site.source.close()
    return made
