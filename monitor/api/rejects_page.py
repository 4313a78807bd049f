"""The screen of events that could not be used, and what other screens say of them."""

from collections.abc import Mapping
from typing import Any, Final

from monitor.api import next_steps
from monitor.api.queries import rejects
from monitor.api.site import Site

Query = Mapping[str, str]
View = tuple[str, dict[str, Any]]
_LAST: Final = 10
_REJECTS_A_PAGE: Final = 50


def rejects_page(site: Site, query: Query) -> View:
    """Which events could not be used, and why? With examples."""
    model, reason = query.get("model", ""), query.get("reason", "")
    offset = min(int(query["offset"]), 1_000_000) if query.get("offset", "").isdecimal() else 0
    counts = rejects.reject_counts(site.source)
    found = rejects.last_rejects(site.source, _REJECTS_A_PAGE + 1, model=model, reason=reason, offset=offset)
    total = sum(one.n for one in counts)
    top = counts[0] if counts else None
    sentence = (
        f"{total:,} {'event was' if total == 1 else 'events were'} rejected, most of them {top.reason}."
        if top is not None
        else "No event was rejected."
    )
    return "rejects.html", {
        "title": "Rejects",
        "sentence": sentence,
        "next_step": next_steps.of_rejects(counts),
        "counts": counts,
        "rejects": found[:_REJECTS_A_PAGE],
        "next_offset": offset + _REJECTS_A_PAGE if len(found) > _REJECTS_A_PAGE else None,
        "model": model,
        "reason": reason,
    }


def rejected(site: Site, n: int = _LAST, model: str = "") -> dict[str, Any]:
    """How many there are by reason, of one model or of all, and the last `n` of them."""
    counts = rejects.reject_counts(site.source, model)
    last = rejects.last_rejects(site.source, n, model=model) if counts else []
    return {"rejects": last, "reject_counts": counts, "n_rejects": sum(one.n for one in counts)}
