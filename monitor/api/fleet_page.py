"""The first screen: all models, or, before a window has closed, where to send events and what came of the last ones."""

import json
from collections.abc import Mapping
from typing import Any, Final

from monitor.api import next_steps
from monitor.api.arrivals import with_reasons
from monitor.api.queries import alerts, fleet, rejects
from monitor.api.rejects_page import rejected
from monitor.api.site import Site
from monitor.api.views.fleet import SPARKS, asked_hours, fleet_lines, fleet_sentence

Query = Mapping[str, str]
View = tuple[str, dict[str, Any]]
_DAY_MS: Final = 86_400_000
_RECENT: Final = 1_000
"""Rejects among which those of the messages that came last are looked for."""
_WAIT_S: Final = 0.3
"""The page waits this long for the broker."""


def fleet_page(site: Site, _query: Query) -> View:
    """Is anything wrong? The first screen."""
    sized = site.sized()
    if not sized:
        came = site.arrivals(_WAIT_S)
        last = rejects.last_rejects(site.source, _RECENT)
        bad = rejected(site)
        running = site.running()
        return "empty.html", {
            "title": "Waiting for events",
            **bad,
            "next_step": next_steps.of_empty(bad["reject_counts"], came=bool(came.messages), problem=came.problem),
            "example": _example(running.models[0].name, site.now_ms()),
            "kafka": running.kafka,
            "arrivals": came,
            "came": with_reasons(came, last),
        }
    newest_ms = max(one.last_ms for one in sized)
    longest_s = max(one.size_s for one in sized)
    from_ms = newest_ms - SPARKS * min(1_000 * longest_s, _DAY_MS)
    now_ms = site.now_ms()
    source, begin = site.source, site.source.begin
    with_headlines = site.begin("performance", [], fleet.headlines, source, from_ms, newest_ms, longest_s)
    with_alerts = site.begin("alerts", {}, alerts.open_alerts, source)
    with_earlier = begin(fleet.earlier, source, asked_hours(sized, now_ms), newest_ms)
    with_rejects = begin(rejected, site, 3)
    changes = fleet.changes(source, from_ms, newest_ms, longest_s)
    known = with_headlines.result()
    measured = {(one.model, one.version) for one in known if not one.estimated}
    lacking = [one.model for one in sized if (one.model, one.version) not in measured]
    if lacking and site.has("performance"):
        older = fleet.last_measured(source, lacking, newest_ms, longest_s)
        known += [one for one in older if (one.model, one.version) not in measured]
    lines = fleet_lines(
        sized,
        changes,
        known,
        with_alerts.result(),
        now_ms,
        with_earlier.result(),
    )
    return "fleet.html", {
        "title": "Fleet",
        "sentence": fleet_sentence(lines),
        "next_step": next_steps.of_fleet(lines),
        "lines": lines,
        "without_windows": sorted({one.name for one in site.config.models} - {one.model for one in sized}),
        **with_rejects.result(),
    }


def _example(model: str, now_ms: int) -> str:
    """An event of a configured model, as of now."""
    start = json.dumps({"model": model, "version": "1", "prediction_id": "a1", "timestamp": now_ms})
    return f'{start[:-1]},\n "features": {{"distance": 1400, "carrier": "UA"}}, "prediction": {{"score": 0.83}}}}'
