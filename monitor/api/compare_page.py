"""The screen of two versions side by side."""

from collections.abc import Mapping
from typing import Any

from monitor.api import next_steps
from monitor.api.address import chosen
from monitor.api.charts import distribution_parts
from monitor.api.queries import performance, profiles, verdicts
from monitor.api.site import Site
from monitor.api.views.performance import performance_view
from monitor.api.wording import column_name, named_version

Query = Mapping[str, str]
View = tuple[str, dict[str, Any]]


def compare_page(site: Site, query: Query) -> View:
    """Two versions side by side, on the same sketches."""
    at = chosen(query, site.sized())
    others = [version for version in at.versions if version != at.version]
    other = query.get("other", others[0] if others else "")
    found = profiles.versus(site.source, at.span, other) if others else []
    figures: dict[str, list[performance.Figure]] = {}
    for version in (at.version, other):
        own = next((one for one in at.known if (one.version, one.size_s) == (version, at.size.size_s)), None)
        if own is not None and site.has("performance"):
            scope = verdicts.Scope(
                model=at.model, version=version, size_s=own.size_s, from_ms=at.from_ms, to_ms=at.to_ms,
                segment=at.segment,
            )  # fmt: skip
            figures[version] = performance.figures(site.source, scope)
    sides = {version: performance_view(own) for version, own in figures.items()}
    score = {
        version: profiles.distribution(
            site.source,
            profiles.Span(model=at.model, version=version, segment=at.segment, from_ms=at.from_ms, to_ms=at.to_ms),
            "@score",
        )
        for version in (at.version, other)
        if others
    }
    if not others:
        sentence = f"{named_version(at.model, at.version)} is the only version."
    elif not found:
        sentence = f"No column of versions {at.version} and {other} was counted in the same cells in this span."
    else:
        top = found[0]
        sentence = (
            f"Versions {at.version} and {other} differ most in {column_name(top.column)}: "
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
        "sides": sides,
        "scores": {version: distribution_parts(one) for version, one in score.items() if one is not None and one.n},
    }
