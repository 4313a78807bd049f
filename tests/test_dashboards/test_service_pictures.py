"""The Service dashboard drawn from what its panels ask of a real Prometheus, and what the command says without one."""

import html
import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server
from support.ports import free_port

from monitor.dashboards.asked import legend
from monitor.demo.board_pictures import board_page
from monitor.demo.scraped import Prometheus
from monitor.demo.screenshots import main
from monitor.errors import InputError

ROOT = Path(__file__).parents[2] / "dashboards"
BOARD = json.loads((ROOT / "grafana" / "dashboards" / "service.json").read_text())
RATES = [panel for panel in BOARD["panels"] if all("expr" in target for target in panel["targets"])]


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[Prometheus]:
    """One that scrapes a role which lags and writes."""
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is not installed (Debian: apt install prometheus)")
    registry = CollectorRegistry()
    Gauge("driftline_consumer_lag", "", ["role", "topic"], registry=registry).labels("ingest", "<b>orders</b>").set(7)
    Gauge("driftline_watermark_delay_seconds", "", ["model"], registry=registry).labels("flights").set(4 * 86_400)
    rows = Counter("driftline_sink_rows_total", "", ["sink", "record"], registry=registry).labels(
        "clickhouse", "window"
    )
    port = free_port()
    server, thread = start_http_server(port, "127.0.0.1", registry)
    try:
        with Prometheus(tmp_path / "prometheus", [port], ROOT / "prometheus-rules.yml", rules_every_s=1) as found:
            deadline_s = time.monotonic() + 60
            while not (found.asked("driftline:consumer_lag:sum") and _has_a_rate(found)):
                assert time.monotonic() < deadline_s, "nothing was scraped"
                rows.inc(10)
                time.sleep(0.2)
            yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join(20)


def _has_a_rate(found: Prometheus) -> bool:
    return any(float(one["value"][1]) > 0 for one in found.asked("rate(driftline_sink_rows_total[5m])"))


def drawn(prometheus: Prometheus) -> dict[str, str]:
    """By title, what each panel that asks Prometheus became."""
    now_ms = int(time.time() * 1000)
    only = {**BOARD, "panels": RATES}

    def rates(asked: str) -> list[dict[str, Any]]:
        return prometheus.over(asked, now_ms - 60_000, now_ms, 0.5)

    client: Any = None  # nothing here asks ClickHouse
    page = board_page(only, client, (now_ms - 60_000, now_ms, {}), rates)
    return {html.unescape(title): text for title, text in re.findall(r"<h2>(.*?)</h2>(.*?)</section>", page)}


def series(text: str) -> list[list[float]]:
    (option,) = re.findall(r'data-option="([^"]*)"', text)
    return [[value for _, value in one["data"]] for one in json.loads(html.unescape(option))["series"]]


def test_panels_are_drawn_from_their_own_queries_with_legends_and_units(prometheus: Prometheus) -> None:
    made = drawn(prometheus)
    assert set(made) == {panel["title"] for panel in RATES}
    assert set(series(made["Lag"])[0]) == {7.0}
    assert "ingest &lt;b&gt;orders&lt;/b&gt;" in made["Lag"]
    assert "<b>orders" not in made["Lag"]
    assert set(series(made["Watermark delay"])[0]) == {4.0}
    assert "&quot;days&quot;" in made["Watermark delay"]
    assert "clickhouse window" in made["Rows written"]
    assert max(series(made["Rows written"])[0]) > 0
    assert "No data" in made["Sink errors"]


def test_what_was_scraped_is_answered_again_after_a_restart(prometheus: Prometheus, tmp_path: Path) -> None:
    to_ms = int(time.time() * 1000)
    before = prometheus.over("driftline_consumer_lag", to_ms - 30_000, to_ms, 0.1)
    prometheus.close()
    with Prometheus(tmp_path / "prometheus") as again:
        assert again.over("driftline_consumer_lag", to_ms - 30_000, to_ms, 0.1) == before != []


def test_an_expression_that_cannot_be_read_is_an_error(prometheus: Prometheus) -> None:
    with pytest.raises(ValueError, match="sum by"):
        prometheus.asked("sum by (")


def test_a_legend_has_its_labels_and_nothing_for_those_that_are_not_there() -> None:
    assert legend("{{role}} {{ topic }}", {"role": "ingest", "topic": "a{{b}}"}) == "ingest a{{b}}"
    assert legend("{{model}} late", {}) == " late"


def test_without_prometheus_the_command_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "chromium").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="prometheus") as raised:
        main([str(tmp_path / "kept"), str(tmp_path / "out")])
    assert "apt install prometheus" in raised.value.hint
    assert not (tmp_path / "kept").exists()
