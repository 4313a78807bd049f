"""The screen of alerts, with the two things that can be said on it: who has one in hand, and what is silenced."""

from collections.abc import Callable, Mapping
from typing import Any, Final, get_args

from monitor.api import next_steps
from monitor.api.access import Access
from monitor.api.queries import alerts
from monitor.api.site import Site
from monitor.api.wording import clip
from monitor.config.decisions import Cause
from monitor.decisions.controls import Control, Removed, Silence
from monitor.decisions.said import acknowledgement_of, expect_model, silence_of, silenced
from monitor.errors import DriftlineError, InputError
from monitor.wording import instant

Query = Mapping[str, str]
WHOLE: Final = "(all rows)"
"""What a form says for all rows together, whose segment has no name. Names of segments contain `=`."""
_WAIT_S: Final = 0.3
"""The page waits this long for the broker, and shows afterwards what it then says."""
_DAY_MS: Final = 86_400_000


def alerts_page(site: Site, query: Query, **said: Any) -> tuple[str, dict[str, Any]]:
    """What asks for somebody: alerts, what is said of them, and requests to retrain.

    `said` has `done`, or `problem` with `hint` and the form's fields in `filled`: what came of a form that was sent.
    """
    model = query.get("model", "")
    found = alerts.last_alerts(site.source, model) if site.has("alerts") else []
    standing = site.told().standing(_WAIT_S) if site.access.wants_token else None
    controls = standing.controls if standing is not None else None
    in_hand = {one.dedupe_key: by for one in found if controls and (by := controls.acknowledged_by(one.dedupe_key))}
    return "alerts.html", {
        "title": "Alerts",
        "sentence": _sentence(site, found, in_hand, model),
        "next_step": next_steps.of_alerts(found, wants_token=site.access.wants_token),
        "alerts": found,
        "in_hand": in_hand,
        "silences": _silences(site, controls.silences() if controls else [], model),
        "standing": standing,
        "form_token": site.access.form_token,
        "models": [one.name for one in site.config.models],
        "causes": get_args(Cause),
        "whole": WHOLE,
        "newest": _newest(site) if found else {},
        "retraining": alerts.last_retraining(site.source, model) if site.has("retraining") else [],
        "model": model,
        "done": "",
        "problem": "",
        "hint": "",
        "filled": {},
        **said,
    }


def _sentence(site: Site, found: list[alerts.Alert], in_hand: Mapping[str, str], model: str) -> str:
    if not site.has("alerts"):
        return "This database keeps no alerts: verdicts are on each model's page."
    of_model = f" of {clip(model)}" if model else ""
    if not found:
        return f"No alert{of_model} was raised."
    is_open = [one for one in found if one.state != "resolved"]
    n_in_hand = sum(one.dedupe_key in in_hand or bool(one.acknowledged_by) for one in is_open)
    somebody = f", {n_in_hand:,} of them in somebody's hand" if n_in_hand else ""
    if not is_open:
        return f"No alert{of_model} is open."
    return (
        f"{len(is_open):,} {'alert' if len(is_open) == 1 else 'alerts'}{of_model} "
        f"{'is' if len(is_open) == 1 else 'are'} open{somebody}."
    )


def _silences(site: Site, found: list[Silence], model: str) -> list[dict[str, Any]]:
    """Those that have not ended by the clock or by their model's own events, whichever is behind."""
    newest = {one.model: one.last_ms for one in site.sized()}
    lasting = [
        {"of": one, "what": silenced(one)}
        for one in found
        if one.until_ms > min(site.now_ms(), newest.get(one.model, site.now_ms())) and model in ("", one.model)
    ]
    return sorted(lasting, key=lambda one: (one["of"].until_ms, one["of"].id))


def _newest(site: Site) -> dict[str, str]:
    """When a silence begins, of models whose events are not of today: silences are in the time of events."""
    old_ms = site.now_ms() - _DAY_MS
    newest: dict[str, int] = {}
    for one in site.sized():
        newest[one.model] = max(one.last_ms, newest.get(one.model, 0))
    return {name: f"{_utc(at_ms)}" for name, at_ms in newest.items() if at_ms < old_ms}


def _utc(at_ms: int) -> str:
    text = instant(at_ms)
    return f"{text.replace(' ', 'T')}:00Z" if " " in text else f"{text}T00:00:00Z"


def refused(access: Access, *, host: str, origin: str, fetch_site: str, form_token: str) -> str:
    """Why nothing is changed on such a request; empty where it may be."""
    if not access.wants_token:
        return "acknowledging and silencing want a token: set ui.token in the configuration"
    if not access.may_change(host=host, origin=origin, fetch_site=fetch_site, form_token=form_token):
        return "that was not sent by a form of this page, or by one that is old: load the page anew"
    return ""


def acknowledge(site: Site, form: Query) -> tuple[int, dict[str, Any]]:
    """Say who has an alert in hand; returns the answer's status, and what `alerts_page` takes as `said`."""
    model, key, by = form.get("model", ""), form.get("key", ""), form.get("by", "").strip()

    def say() -> tuple[Control, str]:
        if not by:
            raise InputError("who has it in hand?", hint="write a name, so that others know whom to ask")
        known = alerts.last_alerts(site.source, model, 10_000) if site.has("alerts") else []
        if not any((one.model, one.dedupe_key) == (model, key) for one in known):
            raise InputError("there is no such alert", hint="load the page anew")
        made = acknowledgement_of(
            model, key, by=by, reason=form.get("reason", "").strip(), now_ms=site.now_ms()
        )  # fmt: skip
        return made, f"{by} has it in hand: it is told again only when it becomes critical, or is resolved."

    return _said(site, form, say)


def silence(site: Site, form: Query) -> tuple[int, dict[str, Any]]:
    """Silence alerts, or end a silence (`remove`); returns as `acknowledge`."""
    model, segment, remove = form.get("model", ""), form.get("segment", "").strip(), form.get("remove", "")
    reason, by = form.get("reason", "").strip(), form.get("by", "").strip()
    names = [one.name for one in site.config.models]

    def say() -> tuple[Control, str]:
        if remove:
            expect_model(model, names)
            return Removed(id=remove, model=model, at_ms=site.now_ms(), by=by, reason=reason), "That silence ends."
        made = silence_of(
            model, models=names, column=form.get("column", "").strip(),
            segment={"": None, WHOLE: ""}.get(segment, segment), cause=form.get("cause", ""),
            since=form.get("since", "").strip(), until=form.get("until", "").strip(), reason=reason, by=by,
            now_ms=site.now_ms(), options="",
        )  # fmt: skip
        span = f"{instant(made.from_ms)} to {instant(made.until_ms)} UTC"
        return made, f"Silent from {span}, in the time of events: {silenced(made)}."

    return _said(site, form, say)


def _said(site: Site, form: Query, say: Callable[[], tuple[Control, str]]) -> tuple[int, dict[str, Any]]:
    try:
        control, done = say()
        site.told().say(control)
    except InputError as error:
        return 400, {"problem": f"Nothing was changed: {error.message}.", "hint": error.hint, "filled": form}
    except DriftlineError as error:
        hint = "forms work while Driftline runs (`driftline up` or `run`) and its Kafka answers"
        return 503, {"problem": f"Nothing was changed: {error.message}.", "hint": hint, "filled": form}
    return 200, {"done": done}


CHANGES: Final = {"/alerts/acknowledge": acknowledge, "/alerts/silence": silence}
"""What forms are sent to, by path."""
