"""When each screen of the page is first painted, in a real browser: Debian's Chromium, driven by Playwright."""

import shutil
import statistics
from collections.abc import Iterator, Mapping
from importlib.util import find_spec

from monitor.api.site import Site

_PAINT = "() => performance.getEntriesByName('first-contentful-paint').map((one) => one.startTime)"


def browser() -> str | None:
    """Where Chromium is; None where it or Playwright is not installed."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    return found if find_spec("playwright") is not None else None


def first_paints(site: Site, screens: Mapping[str, str], rounds: int) -> Iterator[tuple[str, float, float]]:
    """Name, and median and longest milliseconds from the click to the first text, with nothing in the browser's cache.

    `screens`: address by name. The first round is not counted: the server opens its connections in it.
    """
    from playwright.sync_api import sync_playwright

    from monitor.api.background import served

    with served(site) as origin, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser(), args=["--no-sandbox", "--disable-gpu"])
        for name, address in screens.items():
            times = []
            for _ in range(rounds + 1):
                context = chromium.new_context(viewport={"width": 1280, "height": 900})
                page = context.new_page()
                answer = page.goto(origin + address)
                if answer is None or answer.status != 200:
                    raise RuntimeError(f"{address} answered {answer.status if answer else 'nothing'}")
                while not (found := page.evaluate(_PAINT)):
                    page.wait_for_timeout(20)
                times.append(float(found[0]))
                context.close()
            yield name, statistics.median(times[1:]), max(times[1:])
        chromium.close()
