"""Templates: everything in them is text until proven otherwise (autoescape), numbers have three digits."""

import re
from datetime import UTC, datetime
from typing import Any, Final

import jinja2
from markupsafe import Markup, escape

from monitor.api.metrics import metric_name, worse_by
from monitor.api.pages import HELPERS
from monitor.api.queries.sizes import size_name
from monitor.api.site import Site
from monitor.api.views.fleet import changed_words, spark_path, spark_words
from monitor.api.views.fleet_words import ago
from monitor.api.wording import clip, column_name, moved, rate, since, times
from monitor.wording import counted, figure, instant

_SAID: Final = re.compile(
    r"(?:(?<=since )|(?<=until )|(?<=from )|(?<=to )|(?<=quiet at ))"
    r"(\d{4}-\d\d-\d\d(?: \d\d:\d\d|(?! \d\d:\d\d)))(?![\w-]|:\d)"
)
"""Times as `monitor.wording.instant` writes them, behind the words that lead to one."""
_NOT_KNOWN: Final = "\N{EN DASH}"


def environment(site: Site | None = None) -> jinja2.Environment:
    """Jinja with the functions that templates use."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("monitor.api", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.policies["json.dumps_kwargs"] = {"sort_keys": False, "separators": (",", ":")}
    made.filters.update(
        figure=_figure, share=_share, clip=clip, time=_time, count=lambda n: f"{n:,}", signed=_signed, p=_p,
        coded=_coded, twice=lambda name: (name, name), timed=_timed, interval=_interval,
        named=lambda name: clip(column_name(name), 40),
    )  # fmt: skip
    made.globals.update(
        spark_path=spark_path, spark_words=spark_words, changed_words=changed_words,
        **HELPERS, moved=moved, rate=rate, since=since, times=times, metric_name=metric_name, size_name=size_name,
        worse_by=worse_by, ago=ago, counted=counted, instant=instant, report=site is None,
        wants_token=site.access.wants_token if site is not None else False,
        layout="section.html" if site is None else "base.html", uid="",
    )  # fmt: skip
    return made


def _figure(value: float | None, quantity: str = "") -> str:
    return _NOT_KNOWN if value is None or value != value else figure(quantity, value)


def _share(value: float | None) -> str:
    """Per cent, to three digits."""
    return _NOT_KNOWN if value is None or value != value else f"{100 * value:.3g} %"


def _signed(value: float | None) -> str:
    return _NOT_KNOWN if value is None or value != value else f"{value:+.3g}"


def _p(value: float | None) -> str:
    """A p- or q-value."""
    if value is None or value != value:
        return _NOT_KNOWN
    return "< 0.0001" if value < 1e-4 else f"{value:.2g}"


def _coded(text: str) -> Markup:
    """A sentence in which what stands between backquotes is code, and times are in the viewer's zone."""
    parts = text.split("`")
    if len(parts) % 2 == 0:  # a name that has one
        return _timed(text)
    made = [Markup("<code>{}</code>").format(part) if number % 2 else _timed(part) for number, part in enumerate(parts)]
    return Markup("").join(made)


def _interval(of: Any) -> str:
    """From `ci_low` to `ci_high`."""
    if of.ci_low is None and of.ci_high is None:
        return _NOT_KNOWN
    if of.ci_low is None or of.ci_high is None:  # an end beyond what was counted apart
        return f"up to {_figure(of.ci_high)}" if of.ci_low is None else f"from {_figure(of.ci_low)}"
    return f"{_figure(of.ci_low)} {_NOT_KNOWN} {_figure(of.ci_high)}"


def _timed(text: str) -> Markup:
    """A sentence whose times the browser shows in the viewer's zone; its names stay text."""
    parts = _SAID.split(text)
    made = [escape(part) for part in parts]
    for number in range(1, len(parts), 2):
        try:
            at = datetime.fromisoformat(parts[number]).replace(tzinfo=UTC)
        except ValueError:  # a name that only looks like one
            continue
        made[number] = Markup('<time datetime="{}" title="{} UTC">{}</time>').format(
            at.isoformat(), f"{at:%Y-%m-%d %H:%M}", parts[number]
        )
    return Markup("").join(made)


def _time(time_ms: int) -> Any:
    """A `<time>` that the browser shows in the viewer's zone; without scripts, and on hover, in UTC."""
    try:
        at = datetime.fromtimestamp(time_ms / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return str(time_ms)
    text = f"{at:%Y-%m-%d %H:%M} UTC"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(at.isoformat(), text, escape(text))
