"""Which way a metric is worse, in Python and in SQL alike; the worst segments first; every kind of metric is shown."""

import contextlib
import html
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import msgspec
import numpy as np
import pytest
from support import page
from support.batches import batch_of
from support.visitor import get

from monitor.api.metrics import in_words_units, is_worse, metric_name, offered, surely_worse_by, worse_by
from monitor.api.queries.performance import Figure
from monitor.api.site import Site
from monitor.api.views.performance import performance_sentence, performance_view
from monitor.api.worse import SURELY_WORSE_BY, WORSE_BY
from sinks.clickhouse.sink import ClickHouseSink
from sinks.records import RECORDS

PLACE = {"model": page.MODEL, "version": "1"}
METRICS = [
    "roc_auc", "recall:a:b", "f1", "r2", "log_loss", "mae", "label_delay_ms:0.5", "bias", "value", "residual:0.25",
]  # fmt: skip
SEGMENTS = {
    "carrier=BETTER": (0.90, 0.85, 0.95, 0.70),
    "carrier=FEW": (0.40, 0.10, 0.80, 0.75),
    "carrier=WORST": (0.60, 0.58, 0.62, 0.75),
    "carrier=WORSE": (0.68, 0.66, 0.70, 0.75),
    "carrier=NEW": (0.20, 0.10, 0.30, np.nan),
}
"""Value, its interval, the segment's own reference."""


def figure(metric: str, value: float | None, low: float | None, high: float | None, reference: float | None) -> Figure:
    return Figure(
        segment="", metric=metric, estimated=False, start_ms=0, end_ms=page.HOUR_MS, value=value, ci_low=low,
        ci_high=high, reference_value=reference, spread_low=None, spread_high=None, n_labelled=100, n_total=100,
        maturity=1.0, provisional=False,
    )  # fmt: skip


class _Row(msgspec.Struct):
    worse: float
    surely: float


@pytest.mark.parametrize("metric", METRICS)
def test_sql_says_what_python_says_of_worse(page_site: Site, metric: str) -> None:
    rng = np.random.default_rng(7)
    for _ in range(10):
        low, value, high = sorted(rng.normal(size=3))
        reference = float(rng.normal())
        (row,) = page_site.source.rows(
            f"SELECT {WORSE_BY} AS worse, {SURELY_WORSE_BY} AS surely FROM (SELECT {{metric:String}} AS metric, "
            "{value:Float64} AS value, {low:Float64} AS ci_low, {high:Float64} AS ci_high, "
            "{reference:Float64} AS reference_value)",
            _Row,
            {"metric": metric, "value": value, "low": low, "high": high, "reference": reference},
        )
        one = figure(metric, value, low, high, reference)
        assert (row.worse, row.surely) == (pytest.approx(worse_by(one)), pytest.approx(surely_worse_by(one)))


@pytest.mark.parametrize(
    ("metric", "low", "high", "reference", "expected"),
    [
        ("roc_auc", 0.6, 0.7, 0.75, True),
        ("roc_auc", 0.8, 0.9, 0.75, False),
        ("mae", 0.8, 0.9, 0.75, True),
        ("mae", 0.6, 0.7, 0.75, False),
        ("bias", -0.9, -0.8, 0.1, True),
        ("bias", 0.8, 0.9, 0.1, True),
        ("bias", -0.05, 0.02, 0.1, False),
        ("bias", -0.9, 0.8, 0.1, False),  # it may be none
        ("bias", -0.05, 0.02, -0.5, False),  # nearer to none than the reference
        ("value", 0.8, 0.9, 0.1, False),  # more of it may be good
        ("residual:0.5", 0.8, 0.9, 0.1, False),
        ("recall:late", 0.6, 0.7, 0.75, True),
    ],
)
def test_worse_is_the_whole_interval_on_the_wrong_side(
    metric: str, low: float, high: float, reference: float, expected: bool
) -> None:
    assert is_worse(figure(metric, (low + high) / 2, low, high, reference)) is expected


def test_what_is_not_known_is_not_worse() -> None:
    assert worse_by(figure("mae", 1.0, None, None, None)) is None
    assert not is_worse(figure("mae", 1.0, None, None, 0.5))
    assert not is_worse(figure("mae", 1.0, 0.9, 1.1, None))


def test_a_metric_that_knows_no_worse_is_told_beside_the_reference() -> None:
    def said(value: float) -> str:
        return performance_sentence("m", performance_view([figure("value", value, value - 1, value + 1, 10.0)]), [])

    assert "above the reference" in said(12.0)
    assert "below the reference" in said(8.0)
    assert "worse" not in said(8.0) + said(12.0)


def test_metrics_are_offered_in_order_with_their_families_and_no_counters() -> None:
    given = [
        "segments_measured", "value", "label_delay_ms:0.95", "label_delay_ms:0.5", "recall:b", "recall:a", "labels_due",
        "accuracy", "macro_f1", "labelled_unlike:@score", "macro_f1",
    ]  # fmt: skip
    assert offered(given) == [
        "macro_f1", "accuracy", "recall:a", "recall:b", "value", "label_delay_ms:0.5", "label_delay_ms:0.95",
    ]  # fmt: skip
    assert metric_name("recall:a: b") == "recall of a: b"
    assert metric_name("residual:0.05") == "5 % quantile of the residual (truth less prediction)"
    assert metric_name("label_delay_ms:0.5") == "median of the label delay in hours"
    assert in_words_units(figure("label_delay_ms:0.5", 7_200_000.0, None, None, 3_600_000.0)) == figure(
        "label_delay_ms:0.5", 2.0, None, None, 1.0
    )


@pytest.fixture(scope="module")
def segments(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database in which the whole stands still and segments do not, and with figures of every family."""
    with page.made_database(tmp_path_factory.mktemp("segments") / "db") as dsn:
        known: list[dict[str, Any]] = page.rows()["performance"]
        pattern = next(
            row
            for row in known
            if row["window_end_ms"] == page.NEWEST_MS - page.HOUR_MS  # the newest is provisional
            and not row["estimated"]
            and row["model"] == page.MODEL
        )
        rows = [
            {**pattern, "segment": name, "value": value, "ci_low": low, "ci_high": high, "reference_value": reference}
            for name, (value, low, high, reference) in SEGMENTS.items()
        ] + [
            {**pattern, "metric": metric, "value": value, "ci_low": np.nan, "ci_high": np.nan, "reference_value": was}
            for metric, value, was in [
                (f"recall:{page.HOSTILE}", 0.4, 0.5), ("value", 812.5, 800.0), ("label_delay_ms:0.5", 7.2e6, 3.6e6),
            ]
        ]  # fmt: skip
        with contextlib.closing(ClickHouseSink(dsn)) as sink:
            sink.setup()
            sink.write([batch_of(RECORDS["performance"], rows)])
        yield dsn


@pytest.fixture
def origin(segments: str) -> Iterator[str]:
    with page.served(page.site_of(segments)) as found:
        yield found


def test_the_worst_segment_comes_first_and_one_with_few_labels_does_not(origin: str) -> None:
    _, text, _ = get(f"{origin}/performance?" + urlencode(PLACE))
    card = text[text.index("by segment</h2>") :]
    order = re.findall(r"<tr><td>(all rows|carrier=[A-Z]+)</td>", card)
    assert order == [
        "all rows", "carrier=WORST", "carrier=WORSE", "carrier=FEW", "carrier=BETTER", "carrier=NEW",
    ]  # fmt: skip
    assert '<td class="n">+0.15</td>' in card
    assert '<td class="n">-0.2</td>' in card


def test_families_and_the_labels_value_are_on_the_page(origin: str) -> None:
    _, text, _ = get(f"{origin}/performance?" + urlencode(PLACE))
    for name in ("recall of ", "mean of the labels' value", "median of the label delay in hours"):
        assert html.escape(name).replace("&#x27;", "&#39;") in text
    _, text, _ = get(f"{origin}/performance?" + urlencode({**PLACE, "metric": "label_delay_ms:0.5"}))
    assert "median of the label delay in hours 2 (reference 1" in text
