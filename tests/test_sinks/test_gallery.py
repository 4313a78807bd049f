"""The gallery in `docs/` is what its command makes."""

from pathlib import Path

from sinks.gallery import gallery, read
from sinks.messages.text import HEADLINE_CHARACTERS

DOCS = Path(__file__).parents[2] / "docs"


def test_the_gallery_is_as_its_command_makes_it() -> None:
    assert (DOCS / "alerts.md").read_text() == gallery(read(DOCS / "alerts.jsonl"))


def test_it_shows_every_alert_and_each_form() -> None:
    page = (DOCS / "alerts.md").read_text()
    assert page.count("```text") == len(read(DOCS / "alerts.jsonl")) >= 6
    for form in ("Slack", "Microsoft Teams", "PagerDuty", "Alertmanager", "E-mail"):
        assert f"\n## {form}" in page
    headlines = [block.splitlines()[1] for block in page.split("\n```text")[1:]]
    assert all(0 < len(headline) <= HEADLINE_CHARACTERS for headline in headlines)
