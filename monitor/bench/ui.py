"""`driftline bench --ui`: what the page asks, and its first paint, over a large fleet on the embedded engine.

The results are those of `monitor.bench.large_fleet`: 200 models with 100 columns, hourly, over 90 days, each column
compared with the reference and with its season, which are 86 million verdicts.
"""

import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial

import msgspec
from rich.console import Console

from monitor.api.access import Access
from monitor.api.queries import alerts, fleet, models, performance, profiles, verdicts
from monitor.api.site import Site
from monitor.api.source import Source
from monitor.bench import paint
from monitor.bench.large_fleet import END_MS, HOUR_MS, Fleet, make
from monitor.config.schema import Config
from monitor.embedded.ports import free_port
from monitor.embedded.server import EmbeddedServer
from sinks.clickhouse.sink import ClickHouseSink


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
            with console.status(f"making {size.verdicts:,} verdicts"):
                make(dsn, size)
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


@contextlib.contextmanager
def _opened(dsn: str) -> Iterator[ClickHouseSink]:
    with contextlib.closing(ClickHouseSink(dsn)) as sink:
        yield sink


def _ask(dsn: str, rounds: int) -> list[Asked]:
    source = Source(partial(_opened, dsn))
    scope = verdicts.Scope(
        model="model-000", version="1", size_s=3600, from_ms=END_MS - 60 * HOUR_MS, to_ms=END_MS
    )  # fmt: skip
    slow = [f"model-{number:03d}" for number in range(100)]
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
        ("fleet: slow labels of 100 models", 300, lambda: fleet.last_measured(source, slow, END_MS, 3600)),
        ("fleet: open alerts", 300, lambda: alerts.open_alerts(source)),
        ("model: cells of 60 windows", 300, lambda: verdicts.cells(source, scope)),
        ("model: runs of 60 windows", 300, lambda: verdicts.runs(source, scope)),
        ("model: performance", 300, lambda: performance.figures(source, scope)),
        ("model: what detectors saw", 300, lambda: performance.detections(source, scope)),
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
