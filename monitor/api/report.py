"""`driftline report`: the model's screens in one file that holds all it shows, to mail or attach to a pull request.

The file's own policy lets only the scripts and styles run whose hashes it names, and lets nothing be fetched.
"""

import base64
import hashlib
from collections.abc import Sequence
from importlib import metadata, resources
from typing import Final

from markupsafe import Markup

from monitor.api.address import Chosen, chosen, written
from monitor.api.pages import column_page, model_page, performance_page
from monitor.api.queries import rejects
from monitor.api.rendering import environment
from monitor.api.site import Site
from monitor.api.views.moved import MovedColumn
from monitor.api.views.seasonal import SeasonalColumn
from monitor.api.wording import named_version
from monitor.wording import instant

MOST_COLUMNS: Final = 8
"""Columns that a report shows in full: those that moved most. So many again that only the season explains follow."""
_SCRIPTS: Final = ("echarts.min.js", "charts.js", "page.js")


def choose(site: Site, model: str, version: str | None, from_ms: int | None, to_ms: int | None) -> Chosen:
    """What the report is about. Raises `monitor.api.address.NoSuchPlaceError`."""
    query = {"model": model}
    if version is not None:
        query["version"] = version
    sized = site.sized()
    whole = chosen(query, sized)
    query["from"] = written(whole.size.first_ms if from_ms is None else from_ms)
    query["to"] = written(whole.size.last_ms if to_ms is None else to_ms)
    return chosen(query, sized)


def html_report(site: Site, at: Chosen) -> str:
    """The whole file."""
    templates = environment()
    query = {
        "model": at.model, "version": at.version, "size": str(at.size.size_s), "from": written(at.from_ms),
        "to": written(at.to_ms),
    }  # fmt: skip
    name, context = model_page(site, query)
    counts, examples = rejects.rejects_of_report(site.source, at.model)
    context |= {"reject_counts": counts, "rejects": examples, "n_rejects": sum(one.n for one in counts)}
    columns = _inputs(context["lasting"] + context["past"])[:MOST_COLUMNS]
    columns += [column for column in _inputs(context["seasonal"]) if column not in columns]
    anchors = {column: f"#c{number}-top" for number, column in enumerate(columns)}
    context["heat"]["links"] = [anchors.get(column, "") for column in context["heat_columns"]]
    made = [templates.get_template(name).render(**context, uid="m-")]
    name, context_of = performance_page(site, query)
    if context_of["view"] is not None:
        made.append(templates.get_template(name).render(**context_of, uid="p-"))
    for number, column in enumerate(columns):
        name, context_of = column_page(site, {**query, "column": column})
        made.append(templates.get_template(name).render(**context_of, uid=f"c{number}-"))
    static = resources.files("monitor.api") / "static"
    scripts = [(static / script).read_text(encoding="utf-8") for script in _SCRIPTS]
    style = (static / "page.css").read_text(encoding="utf-8")
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; "
        f"script-src {' '.join(repr(_hash(script)) for script in scripts)}; base-uri 'none'; form-action 'none'"
    )
    return templates.get_template("report.html").render(
        title=f"{named_version(at.model, at.version)}, {instant(at.from_ms)} to {instant(at.to_ms)}",
        subtitle=f"{named_version(at.model, at.version)}: windows of {at.size_label} that ended from "
        f"{instant(at.from_ms)} to {instant(at.to_ms)} UTC",
        policy=policy,
        style=Markup(style),  # noqa: S704 - a file of ours
        scripts=[Markup(script) for script in scripts],  # noqa: S704 - likewise
        sections=[Markup(section) for section in made],  # noqa: S704 - rendered just now, every name escaped
        version=metadata.version("driftline"),
        now_ms=site.now_ms(),
    )


def _inputs(found: Sequence[MovedColumn | SeasonalColumn]) -> list[str]:
    return list(dict.fromkeys(one.top.column for one in found if not one.top.column.startswith("@")))


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
