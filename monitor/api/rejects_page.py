"""The screen of events that could not be used, and what other screens say of them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from monitor.api import next_steps
from monitor.api.queries import rejects
from monitor.api.site import Site
from monitor.api.wording import clip
from monitor.wording import counted

Query = Mapping[str, str]
View = tuple[str, dict[str, Any]]
_LAST: Final = 10
_REJECTS_A_PAGE: Final = 50


def rejects_page(site: Site, query: Query) -> View:
    """Which events could not be used, and why? With examples."""
    model, reason = query.get("model", ""), query.get("reason", "")
    offset = min(int(query["offset"]), 1_000_000) if query.get("offset", "").isdecimal() else 0
    counts = rejects.reject_counts(site.source)
    chosen = [one for one in counts if model in ("", one.model) and reason in ("", one.reason)]
    found = rejects.last_rejects(site.source, _REJECTS_A_PAGE + 1, model=model, reason=reason, offset=offset)
    return "rejects.html", {
        "title": "Rejects",
        "sentence": rejects_sentence(chosen, model, reason),
        "next_step": next_steps.of_rejects(chosen),
        "counts": counts,
        "rejects": found[:_REJECTS_A_PAGE],
        "next_offset": offset + _REJECTS_A_PAGE if len(found) > _REJECTS_A_PAGE else None,
        "model": model,
        "reason": reason,
    }


def rejects_sentence(counts: Sequence[rejects.RejectCount], model: str = "", reason: str = "") -> str:
    """The first line. `counts`: of the model and reason that were chosen, all without."""
    by_reason = _by_reason(counts)
    total = sum(by_reason.values())
    of_model = f" of {clip(model)}" if model else ""
    as_what = f" as {clip(reason)}" if reason else ""
    if not total:
        return f"No event{of_model} was rejected{as_what}."
    top = max(by_reason, key=lambda name: by_reason[name])
    most = ""
    if not reason:
        how = "all" if by_reason[top] == total else "most" if 2 * by_reason[top] > total else "the largest part"
        most = f", {'' if total == 1 else f'{how} of them '}{top}"
    return f"{counted(total, 'event')}{of_model} {'was' if total == 1 else 'were'} rejected{as_what}{most}."


def _by_reason(counts: Sequence[rejects.RejectCount]) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in counts:
        found[one.reason] = found.get(one.reason, 0) + one.n
    return found


def rejected(site: Site, n: int = _LAST, model: str = "") -> dict[str, Any]:
    """How many there are by reason, of one model or of all, and the last `n` of them."""
    counts = rejects.reject_counts(site.source, model)
    last = rejects.last_rejects(site.source, n, model=model) if counts else []
    by_reason = sorted(_by_reason(counts).items(), key=lambda one: (-one[1], one[0]))
    return {
        "rejects": last,
        "reject_counts": counts,
        "reject_reasons": by_reason,
        "n_rejects": sum(one.n for one in counts),
    }
