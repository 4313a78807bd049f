"""`python -m monitor.demo.screenshots FOLDER [OUT] [--kept]`: runs the demo into FOLDER and takes pictures over it.

Of the page, and of what the panels of the dashboards answer. With `--kept` over the run that FOLDER has.

It needs Playwright, Debian's Chromium and Debian's Prometheus, as tests do, and writes into `docs/screenshots`.
"""

import contextlib
import json
import shutil
import sys
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from rich.console import Console

from monitor.api.background import served
from monitor.api.queries.models import sized_windows
from monitor.api.serve import make_site
from monitor.config.load import load
from monitor.demo.board_pictures import DRAW, LOOKS, board_page
from monitor.demo.board_pictures import WIDTH as BOARD_WIDTH
from monitor.demo.scraped import Prometheus, prometheus_program, scraped_demo, scraped_span
from monitor.errors import DriftlineError, InputError
from sinks.clickhouse.client import connect

WIDTH: Final = 1280
HEIGHTS: Final = {"fleet": 320, "model": 1500, "column": 1240, "performance": 1000}
WORST: Final = "pressure"
"""The column that moves for most of the demo."""


def take(folder: Path, out: Path) -> list[Path]:
    """Take them; returns where they are. Raises `InputError` without a browser, or results."""
    from playwright.sync_api import sync_playwright

    browser = _browser()
    site = make_site(load(folder / "demo.yaml"))
    sized = sized_windows(site.source)
    if not sized:
        raise InputError(f"{folder} holds no results", hint="driftline demo --keep FOLDER")
    model = {"model": sized[0].model, "version": sized[0].version}
    screens = {
        "fleet": "/",
        "model": f"/model?{urlencode(model)}",
        "column": f"/column?{urlencode({**model, 'column': WORST})}",
        "performance": f"/performance?{urlencode(model)}",
    }
    out.mkdir(parents=True, exist_ok=True)
    taken = []
    with contextlib.closing(site.source), served(site) as origin, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])
        for name, address in screens.items():
            for scheme in ("light", "dark") if name == "model" else ("light",):
                context = chromium.new_context(
                    viewport={"width": WIDTH, "height": HEIGHTS[name]},
                    color_scheme="dark" if scheme == "dark" else "light",
                    locale="en-GB",
                    timezone_id="UTC",
                )
                page = context.new_page()
                page.goto(origin + address)
                page.wait_for_load_state("networkidle")
                path = out / (f"{name}.png" if scheme == "light" else f"{name}-{scheme}.png")
                page.screenshot(path=path)
                taken.append(path)
                context.close()
        chromium.close()
    return taken


def take_boards(folder: Path, boards: Path, out: Path) -> list[Path]:
    """Draw what the dashboards in `boards` show of a kept demo; returns where the pictures are."""
    from playwright.sync_api import sync_playwright

    client = connect(f"chdb://{(folder / 'clickhouse').resolve()}")
    from_ms, to_ms = scraped_span(folder)

    def board(name: str) -> Any:
        return json.loads((boards / f"{name}.json").read_text())

    pages = {name: board_page(board(name), client, look) for name, look in LOOKS.items()}
    with Prometheus(folder / "prometheus") as prometheus:
        pages["service"] = board_page(
            board("service"), client, (from_ms, to_ms, {}), lambda asked: prometheus.over(asked, from_ms, to_ms)
        )
    client.close()
    out.mkdir(parents=True, exist_ok=True)
    taken = []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=_browser(), args=["--no-sandbox", "--disable-gpu"])
        for name, text in pages.items():
            page = chromium.new_page(viewport={"width": BOARD_WIDTH, "height": 600})
            page.set_content(text)
            page.add_script_tag(path=str(resources.files("monitor.api") / "static" / "echarts.min.js"))
            page.evaluate(DRAW)
            path = out / f"dashboard-{name}.png"
            page.screenshot(path=path, full_page=True)
            taken.append(path)
            page.close()
        chromium.close()
    return taken


def _browser() -> str:
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        raise InputError("no Chromium is installed", hint="Debian: apt install chromium")
    return found


def main(arguments: Sequence[str]) -> None:
    """Print where each picture is. Raises `InputError` where a program is missing, before anything is run."""
    folder, out = Path(arguments[0]), Path([*arguments[1:], "docs/screenshots"][0])
    _browser()
    prometheus_program()
    if "--kept" not in arguments:
        scraped_demo(folder, Console())
    for path in [*take_boards(folder, Path("dashboards/grafana/dashboards"), out), *take(folder, out)]:
        print(path)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except DriftlineError as error:
        print(f"error: {error}; {error.hint}", file=sys.stderr)
        sys.exit(error.exit_code)
