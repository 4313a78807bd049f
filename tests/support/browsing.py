"""What tests of the page ask of an open browser."""

import contextlib
from pathlib import Path
from typing import Any, Final

AXE: Final = Path(__file__).parent / "axe" / "axe.min.js"


def own(asked: str, url: str) -> bool:
    return asked.startswith(("data:", "blob:", "/".join(url.split("/")[:3])))


def wait(found: Any, condition: str) -> None:
    """Until it is so; `wait_for_function` would need what the page's policy forbids."""
    from playwright.sync_api import Error

    for _ in range(200):
        with contextlib.suppress(Error):  # it is on its way to another page
            if found.evaluate(condition):
                return
        found.wait_for_timeout(25)
    raise AssertionError(f"never came to be: {condition}")


def serious(found: Any, *rules: str) -> list[str]:
    """What axe finds that keeps people out; of all rules, or of these."""
    if found.evaluate("typeof axe === 'undefined'"):
        found.evaluate(AXE.read_text())
    options = {"resultTypes": ["violations"], **({"runOnly": list(rules)} if rules else {})}
    answer = found.evaluate("(options) => axe.run(document, options)", options)
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:200]}"
        for one in answer["violations"]
        if one["impact"] in ("serious", "critical")
    ]
