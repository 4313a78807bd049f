"""A database made for the page's tests: two versions of a model, and a model whose every name is hostile."""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from support.batches import batch_of
from support.ports import free_port

from monitor.api.access import Access
from monitor.api.app import make_app
from monitor.api.controls import Standing
from monitor.api.site import Site
from monitor.api.source import Source
from monitor.config.load import parse
from monitor.decisions.controls import Control, Controls
from monitor.embedded.server import EmbeddedServer
from sinks.clickhouse.sink import ClickHouseSink
from sinks.records import RECORDS

HOUR_MS = 3_600_000
START_MS = 1_700_002_800_000  # a full hour
N_WINDOWS = 12
MODEL = "flights"
MARKUP = '<img src=x onerror="alert(1)">\'`{{7*7}}</script>\\'
BACKWARDS = "\u202eevil\u2066\u200b"
HOSTILE = f"{MARKUP}{BACKWARDS}"
LONG = "long-" + "ü" * 5_000  # 10 kB in UTF-8
EDGES = [0.0, 10.0, 20.0, 30.0]
"""Five cells: below, three inside, above."""
CARRIERS = ["UA", "B6", HOSTILE]
NEWEST_MS = START_MS + N_WINDOWS * HOUR_MS
DRIFTED_FROM = 8
"""The first drifted window of `temp`, by its number."""


def rows() -> dict[str, list[dict[str, Any]]]:
    """By record, rows as its fields are named."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in RECORDS}
    for model, version, columns in (
        (MODEL, "1", ("temp", "carrier", "@score")),
        (MODEL, "2", ("temp", "carrier", "@score")),
        (HOSTILE, HOSTILE, (HOSTILE, LONG, "carrier")),
    ):
        for segment in ("", "origin=EWR" if model == MODEL else f"{HOSTILE}={HOSTILE}"):
            for column in columns:
                _column(found, model, version, segment, column)
            for number in range(N_WINDOWS):
                _window(found, model, version, segment, columns, number)
        for number in range(N_WINDOWS):
            _performance(found, model, version, number)
        _alert(found, model, version)
    for number, raw in enumerate([b'{"model": "flights", "timestamp": "soon"}', MARKUP.encode() + b"\xff\xfe"]):
        found["reject"].append(
            {
                "source_topic": "predictions", "source_partition": 0, "source_offset": number, "event_index": 0,
                "model": MODEL if number == 0 else HOSTILE, "reason": "bad_timestamp" if number == 0 else "undecodable",
                "detail": "'soon' is no time" if number == 0 else f"not JSON: {HOSTILE}", "time_ms": NEWEST_MS + number,
                "raw": raw,
            }
        )  # fmt: skip
    return found


def live_counts(column: str, number: int, version: str = "1") -> list[int]:
    """Of a pane: `temp` moves up from `DRIFTED_FROM` on."""
    if column == "carrier":
        return [50, 30, 15, 0, 5]
    shift = 30 if column == "temp" and number >= DRIFTED_FROM else 0
    return [0, 40 - shift, 40, 20 + shift, 10 if version == "2" else 0]


def _column(found: dict[str, list[dict[str, Any]]], model: str, version: str, segment: str, column: str) -> None:
    categorical = column == "carrier"
    if version != "2":
        found["reference_column"].append(
            {
                "model": model, "reference": "r1", "version": version, "segment": segment, "column": column,
                "kind": "categorical" if categorical else "numeric", "n": 100, "nulls": 2,
                "edges": [] if categorical else EDGES, "categories": CARRIERS if categorical else [],
                "counts": [60, 30, 10, 0, 0] if categorical else [0, 40, 40, 20, 0], "decile": [0, 1, 2, 3, 4],
            }
        )  # fmt: skip
    for number in range(N_WINDOWS):
        counts = live_counts(column, number, version)
        start_ms = START_MS + number * HOUR_MS
        found["column_profile"].append(
            {
                "model": model, "version": version, "segment": segment, "column": column, "pane_start_ms": start_ms,
                "pane_end_ms": start_ms + HOUR_MS, "reference": "r1",
                "kind": "categorical" if categorical else "numeric",
                "n": sum(counts), "nulls": 3, "invalid": 0, "minimum": np.nan if categorical else 1.0,
                "maximum": np.nan if categorical else 35.0, "mean": np.nan if categorical else 15.0,
                "std": np.nan if categorical else 5.0, "quantiles": [] if categorical else [2.0, 8.0, 14.0, 21.0, 29.0],
                "counts": counts, "frequent_unseen": [{"value": LONG, "count": 5, "error": 0}] if categorical else [],
                "revision": 1,
            }
        )  # fmt: skip
        drifted = column in ("temp", HOSTILE, LONG) and number >= DRIFTED_FROM
        strength = {"temp": 4.0, HOSTILE: 3.0, LONG: 2.0}.get(column, 0.2) if drifted else 0.2
        verdict = {
            "model": model, "version": version, "segment": segment, "column": column, "window_start_ms": start_ms,
            "window_end_ms": start_ms + HOUR_MS, "reference": "r1", "compare": "pinned", "revision": 1,
        }  # fmt: skip
        found["drift_verdict"].append(
            {
                **verdict, "drifted": drifted, "p_value": 0.001, "q_value": 0.01, "method": "js",
                "effect": 0.1 * strength + 0.001 * number, "threshold": 0.1, "direction": "up" if drifted else "none",
                "quantity": "mean" if drifted else "", "before": 12.0, "after": 18.0,
                "n_reference": 100, "n_current": 100,
            }
        )  # fmt: skip
        found["drift_score"].append(
            {
                **verdict, "method": "js", "statistic": 0.4, "effect": 0.1 * strength, "p_value": 0.001,
                "calibration": "panes", "threshold": 0.1, "n_reference": 100, "n_current": 100, "error_bound": 0.0,
            }
        )  # fmt: skip


def _window(
    found: dict[str, list[dict[str, Any]]], model: str, version: str, segment: str, columns: Any, number: int
) -> None:
    start_ms = START_MS + number * HOUR_MS
    found["window"].append(
        {
            "model": model, "version": version, "segment": segment, "window_start_ms": start_ms,
            "window_end_ms": start_ms + HOUR_MS, "reference": "r1", "events": 103, "with_features": 103,
            "with_prediction": 103, "both": 103, "columns_scored": len(columns), "columns_not_scored": 0, "reason": "",
            "revision": 1,
        }
    )  # fmt: skip


def _performance(found: dict[str, list[dict[str, Any]]], model: str, version: str, number: int) -> None:
    start_ms = START_MS + number * HOUR_MS
    place = {
        "model": model, "version": version, "segment": "", "window_start_ms": start_ms,
        "window_end_ms": start_ms + HOUR_MS, "reference": "r1", "revision": 1,
    }  # fmt: skip
    provisional = number == N_WINDOWS - 1
    for estimated in (False, True):
        found["performance"].append(
            {
                **place, "metric": "roc_auc", "estimated": estimated, "value": 0.71 - 0.01 * (number % 3),
                "ci_low": 0.66, "ci_high": 0.73, "reference_value": 0.74, "spread_low": 0.7, "spread_high": 0.78,
                "estimate_error": 0.0 if estimated and not provisional else np.nan, "n": 100,
                "n_labelled": 64, "n_total": 100, "maturity": 0.64, "provisional": provisional,
                "error_bound": 0.0, "label_ms": start_ms + HOUR_MS,
            }
        )  # fmt: skip
    for part, contribution in (("inputs", 0.01), ("relation", 0.04)):
        found["performance_part"].append(
            {
                **place, "part": part, "rank": 1, "column": "@score", "cell": "", "contribution": contribution,
                "ci_low": contribution - 0.005, "ci_high": contribution + 0.005, "p_value": 0.001, "q_value": 0.001,
                "failing": False, "loss_before": 0.4, "loss_now": 0.45, "share": 1.0, "n_before": 100, "n_now": 64,
                "provisional": False,
            }
        )  # fmt: skip
    found["performance_part"].append(
        {
            **place, "part": "subgroup", "rank": 1, "column": HOSTILE, "cell": HOSTILE, "contribution": 0.02,
            "ci_low": np.nan, "ci_high": np.nan, "p_value": 0.001, "q_value": 0.001, "failing": True,
            "loss_before": 0.4, "loss_now": 0.6, "share": 0.1, "n_before": 100, "n_now": 64, "provisional": False,
        }
    )  # fmt: skip


def _alert(found: dict[str, list[dict[str, Any]]], model: str, version: str) -> None:
    """One that is open, in two transitions; one that is over; and a request to retrain that was held back."""
    column = "temp" if model == MODEL else HOSTILE
    moved = {
        "column": column, "segment": "", "direction": "up", "quantity": "mean", "before": 12.0, "after": 18.0,
        "effect": 0.4, "threshold": 0.1, "method": "js", "since_ms": START_MS + DRIFTED_FROM * HOUR_MS,
        "follows": False,
    }  # fmt: skip
    for key, states in (("open", ("raised", "updated")), ("over", ("raised", "resolved"))):
        for sequence, state in enumerate(states, start=1):
            found["alert"].append(
                {
                    "model": model, "dedupe_key": f"{key}-{version}", "sequence": sequence, "version": version,
                    "reference": "r1", "state": state, "cause": "data_drift", "severity": "warning",
                    "at_ms": NEWEST_MS - HOUR_MS + sequence, "onset_ms": START_MS + DRIFTED_FROM * HOUR_MS,
                    "columns": [moved], "summary": f"{model}: {column} moved", "recommendation": f"look at {column}",
                    "evidence": "{}", "acknowledged_by": "",
                }
            )  # fmt: skip
    found["retraining"].append(
        {
            "model": model, "dedupe_key": f"again-{version}", "status": "held_back", "at_ms": NEWEST_MS,
            "version": version,
            "reason": f"{column} moved", "causes": ["data_drift"], "held_because": ["cooldown"], "attempt": 1,
            "dry_run": True, "training_start_ms": START_MS, "training_end_ms": NEWEST_MS, "reference": "r1",
            "reference_version": version, "new_version": "", "evidence": "{}",
        }
    )  # fmt: skip


@contextlib.contextmanager
def made_database(folder: Path, *, empty: bool = False) -> Iterator[str]:
    """The engine in a process of its own, holding `rows`; yields its DSN."""
    port = free_port()
    dsn = f"clickhouse://127.0.0.1:{port}/default"
    with EmbeddedServer("clickhouse", ("sinks.clickhouse.engine", str(folder), str(port)), port):
        sink = ClickHouseSink(dsn)
        with contextlib.closing(sink):
            sink.migrate()
            sink.setup()
            if not empty:
                written = sink.write([batch_of(RECORDS[name], own) for name, own in rows().items() if own])
                assert not written.dropped, written.dropped
            yield dsn


def site_of(dsn: str, token: str = "") -> Site:
    """A site of this database, whose clock stands still."""

    @contextlib.contextmanager
    def opened() -> Iterator[ClickHouseSink]:
        sink = ClickHouseSink(dsn)
        with contextlib.closing(sink):
            yield sink

    config = parse(
        f"models: [{{name: {MODEL}, reference: r.ref}}]\ndestinations: {{clickhouse: {{dsn: {json.dumps(dsn)}}}}}"
    )
    return Site(source=Source(opened), config=config, access=Access(token), now_ms=lambda: NEWEST_MS + 60_000)


class Noted:
    """Takes every event, and knows it."""

    def __init__(self) -> None:
        self.said: list[Control] = []

    def standing(self, wait_s: float) -> Standing:
        return Standing(controls=Controls().take(self.said))

    def say(self, control: Control) -> None:
        self.said.append(control)


@contextlib.contextmanager
def served(site: Site) -> Iterator[str]:
    """The site on a port of the loopback; yields its origin."""
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(make_app(site), host="127.0.0.1", port=port, log_level="warning", lifespan="off")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started:
        assert thread.is_alive(), "the server ended"
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)
        site.source.close()
