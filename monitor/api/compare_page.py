"""The screen of two versions side by side."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from monitor.api import next_steps
from monitor.api.address import Chosen, chosen
from monitor.api.charts import distribution_parts
from monitor.api.queries import performance, profiles, verdicts
from monitor.api.site import Site
from monitor.api.views.performance import performance_view
from monitor.api.wording import column_name, named_version, place

Query = Mapping[str, str]
View = tuple[str, dict[str, Any]]


def compare_page(site: Site, query: Query) -> View:
    """Two versions side by side, on the same sketches."""
    at = chosen(query, site.sized())
    others = [version for version in at.versions if version != at.version]
    other = query.get("other", others[0] if others else "")
    source = site.source
    with_figures = {
        version: site.begin("performance", [], performance.figures, source, scope)
        for version in (at.version, other)
        if (scope := _scope(at, version)) is not None
    }
    with_score = {
        version: source.begin(profiles.distribution, source, replace(at.span, version=version), "@score")
        for version in (at.version, other)
        if others
    }
    found = profiles.versus(source, at.span, other) if others else []
    score = {version: one.result() for version, one in with_score.items()}
    rows = f", of {place(at.segment)}" if at.segment else ""
    if not others:
        sentence = f"{named_version(at.model, at.version)} is the only version."
    elif not found:
        sentence = f"No column of versions {at.version} and {other} was counted in the same cells in this span{rows}."
    else:
        top = found[0]
        sentence = (
            f"Versions {at.version} and {other} differ most in {column_name(top.column)}{rows}: "
            f"Jensen-Shannon distance {top.js or 0.0:.3g} of at most 1."
        )
    return "compare.html", {
        "title": f"Versions of {at.model}",
        "at": at,
        "other": other,
        "others": others,
        "sentence": sentence,
        "next_step": next_steps.of_versions(at, others, [one.column for one in found]),
        "columns": found,
        "sides": {version: performance_view(one.result()) for version, one in with_figures.items()},
        "scores": {version: distribution_parts(one) for version, one in score.items() if one is not None and one.n},
    }


def _scope(at: Chosen, version: str) -> verdicts.Scope | None:
    """Of a version's windows of the chosen length; None where it has none."""
    own = any((one.version, one.size_s) == (version, at.size.size_s) for one in at.known)
    return replace(at.scope, version=version, compare="") if own else None
