"""The screens: from an address to a template and what it shows."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from monitor.api import charts, next_steps
from monitor.api.address import Chosen, NoSuchPlaceError, chosen
from monitor.api.alerts_page import alerts_page
from monitor.api.charts import distribution_parts
from monitor.api.compare_page import compare_page
from monitor.api.fleet_page import fleet_page
from monitor.api.metrics import offered
from monitor.api.model_sentence import model_sentence
from monitor.api.queries import alerts, confusion, models, performance, profiles, verdicts
from monitor.api.rejects_page import rejected, rejects_page
from monitor.api.site import Site
from monitor.api.views.distribution import bands, beyond
from monitor.api.views.heat import heat_cells, heat_lines
from monitor.api.views.moved import moved_columns
from monitor.api.views.performance import labels_say, performance_sentence, performance_view
from monitor.api.views.quality import outside, quality_lines
from monitor.api.views.seasonal import seasonal_columns
from monitor.api.wording import (
    beside_words,
    column_name,
    column_sentence,
    compare_words,
    named_version,
    place,
    run_sentence,
    season_words,
    unscored_words,
)
from monitor.decisions.cause import is_prediction

Query = Mapping[str, str]
View = tuple[str, dict[str, Any]]
_MOST_BUCKETS: Final = 120
_SMALL: Final = 4
"""Segments of a column that are drawn beside it."""
SEASONAL: Final = 8
"""Columns that a model's screen tells of those that only the season explains."""
_NEVER_SCORED: Final = "no window of this span has a verdict on it"


def _chosen(site: Site, query: Query) -> Chosen:
    return chosen(query, site.sized())


def model_page(site: Site, query: Query) -> View:
    """What moved, since when, for whom? One version of a model."""
    at = _chosen(site, query)
    source, begin = site.source, site.source.begin
    with_runs = begin(verdicts.runs, source, at.scope)
    with_others = [(one, begin(verdicts.runs, source, one.scope)) for one in at.other_sizes()]
    with_cells = begin(verdicts.cells, source, at.scope)
    with_windows = begin(verdicts.volume, source, at.scope)
    with_score = begin(_score, site, at)
    with_figures = site.begin("performance", [], performance.figures, source, at.scope)
    with_alerts = site.begin("alerts", [], alerts.last_alerts, source, at.model, 10)
    with_requests = site.begin("retraining", [], alerts.last_retraining, source, at.model, 10)
    with_segments = begin(models.segments, source, at.model, at.version)
    with_detections = begin(performance.detections, source, at.scope)
    with_rejects = begin(rejected, site, 1, at.model)
    windows, cells = with_windows.result(), with_cells.result()
    if at.segment and not windows:
        raise NoSuchPlaceError("no window of these rows lies in that span")
    if at.compare and not cells:
        raise NoSuchPlaceError("nothing was compared so in that span")
    runs = [run for run in with_runs.result() if at.segment in ("", run.segment)]
    found = moved_columns(runs)
    heat = heat_cells(cells)
    figures = with_figures.result()
    lasting = [one for one in found if one.lasts and not one.top.season]
    seasonal = [one for one in found if one.lasts and one.top.season]
    whole = [one.top for one in lasting if one.top.segment == at.segment]
    elsewhere = [(one, columns) for one, asked in with_others if (columns := _changed(asked.result(), at.segment))]
    title = named_version(at.model, at.version)
    links = {column: "/column?" + at.query(column=column) for column in {one.column: None for one in cells}}
    measured = performance_view(figures)
    told, score, detected = with_alerts.result(), with_score.result(), with_detections.result()
    labels = labels_say(figures, tested=any(one.column == "@loss" for one in cells))
    unscored = unscored_words(windows[-1] if windows else None)
    compares = sorted({one.compare for one in cells} | {run.compare for run in runs})
    return "model.html", {
        "title": title,
        "at": at,
        "sentence": model_sentence(
            f"{title} in {place(at.segment)}" if at.segment else title,
            whole,
            [one.top for one in lasting if one.top.segment != at.segment],
            labels=labels,
            detected=detected,
            seasonal=[one.top for one in seasonal],
            has_score=any(is_prediction(one.column) for one in cells) or score is not None,
            unscored=unscored,
            elsewhere=[(one.size_label, columns) for one, columns in elsewhere],
        ),
        "next_step": next_steps.of_model(
            at,
            told,
            lasting,
            labels=labels,
            unscored=bool(unscored),
            elsewhere=[one for one, _ in elsewhere],
            grew=any(one.direction == "worse" for one in detected),
        ),
        "elsewhere": elsewhere,
        "lasting": lasting,
        "seasonal": seasonal_columns(site.source, at.scope, seasonal, SEASONAL),
        "n_seasonal": len(seasonal),
        "past": [one for one in found if not one.lasts and one.top.segment == at.segment],
        "heat": charts.heat_chart(heat, windows, links),
        "heat_columns": charts.heat_columns(heat),
        "heat_lines": heat_lines(heat),
        "volume": charts.volume_chart(windows),
        "windows": windows,
        "score": score,
        "segments": with_segments.result(),
        "compares": compares,
        "performance": measured,
        "alerts": told,
        "retraining": with_requests.result(),
        "others": [version for version in at.versions if version != at.version],
        **with_rejects.result(),
    }


def _changed(runs: list[verdicts.Run], segment: str) -> list[str]:
    """Columns that changed in the newest window, the season apart, the strongest first."""
    found = moved_columns([run for run in runs if run.segment == segment])
    return [one.top.column for one in found if one.lasts and not one.top.season]


def _score(site: Site, at: Chosen) -> dict[str, Any] | None:
    for column in ("@score", "@label"):
        found = profiles.distribution(site.source, at.span, column)
        if found is not None and found.n:
            return distribution_parts(found)
    return None


def column_page(site: Site, query: Query) -> View:
    """Show me."""
    at, column = _chosen(site, query), query.get("column", "")
    if not column:
        raise NoSuchPlaceError("this address names no column")
    bucket_ms = max(_pane_ms(at), -(-(at.to_ms - at.from_ms) // _MOST_BUCKETS))
    source, begin = site.source, site.source.begin
    with_cells = begin(verdicts.cells, source, at.scope, column)
    with_buckets = begin(profiles.buckets, source, at.span, column, bucket_ms)
    with_windows = begin(verdicts.volume, source, at.scope)
    runs = sorted(verdicts.runs(source, at.scope, column), key=_run_order)
    parts = list(dict.fromkeys(run.segment for run in runs if run.segment and run.segment != at.segment))[:_SMALL]
    known = profiles.distributions(source, at.span, column, [at.segment, *parts])
    found = known.get(at.segment)
    cells = heat_cells(with_cells.result())
    if found is None and not cells and (at.segment or not runs):
        raise NoSuchPlaceError("this column was not seen in that span")
    buckets = with_buckets.result()
    own = [run for run in runs if run.segment == at.segment]
    windows = with_windows.result()
    why = "" if cells else unscored_words(windows[-1] if windows else None) or _NEVER_SCORED
    end_ms = own[0].top_end_ms if own else max((one.cell.end_ms for one in cells), default=at.to_ms)
    return "column.html", {
        "title": column_name(column),
        "at": at,
        "column": column,
        "sentence": column_sentence(
            column,
            runs,
            beyond(found) if found is not None else None,
            at.segment,
            categorical=found is not None and found.kind == "categorical",
            not_compared=why,
        ),
        "next_step": next_steps.of_column(at, column, own if at.segment else runs, compared=not why),
        "runs": runs,
        "now": distribution_parts(found) if found is not None else None,
        "bands": charts.bands_chart(bands(buckets, found.edges), found) if found is not None and found.edges else None,
        "buckets": buckets,
        "quality": charts.lines_chart(quality_lines(buckets), "%"),
        "strength": charts.strength_chart(cells),
        "cells": cells,
        "compared": len({one.cell.compare for one in cells} | {run.compare for run in runs}) > 1,
        "small": [
            {"segment": part, **distribution_parts(known[part])} for part in parts if part in known and known[part].n
        ],
        "evidence": verdicts.evidence(source, at.scope, column, end_ms),
        "evidence_ms": end_ms,
        "psi": found.psi if found is not None else None,
    }


def _run_order(run: verdicts.Run) -> tuple[bool, bool, float]:
    return (not run.lasts, bool(run.season), -(run.strength or 0.0))


def _pane_ms(at: Chosen) -> int:
    return min(one.size_s for one in at.sizes) * 1000


def performance_page(site: Site, query: Query) -> View:
    """How good is it? What has been labelled, and what is estimated."""
    at = _chosen(site, query)
    source, begin = site.source, site.source.begin
    with_figures = site.begin("performance", [], performance.figures, source, at.scope)
    with_detections = begin(performance.detections, source, at.scope)
    with_parts = site.begin("performance", [], performance.parts, source, at.scope)
    with_segments = begin(models.segments, source, at.model, at.version)
    figures = with_figures.result()
    if at.segment and not figures and not verdicts.volume(source, at.scope):
        raise NoSuchPlaceError("no window of these rows lies in that span")
    view = performance_view(figures, query.get("metric", ""))
    found_parts = with_parts.result()
    title = named_version(at.model, at.version) + (f" in {place(at.segment)}" if at.segment else "")
    told = view.newest if view is not None else None
    with_confusion = None
    if told is not None:  # of the very window that is told
        window = replace(at.scope, from_ms=told.end_ms - 1, to_ms=told.end_ms)
        with_confusion = begin(confusion.confusion, source, window)
    newest = [one for one in found_parts if told is not None and one.end_ms == told.end_ms] or [
        one for one in found_parts if one.start_ms == found_parts[0].start_ms
    ]
    split = [one for one in newest if one.part in ("inputs", "relation")]
    by_segment = (
        performance.by_segment(source, at.scope, view.metric, view.newest.end_ms)
        if view is not None and view.newest is not None
        else []
    )
    by_part = {
        part: [one for one in newest if one.part == part and (part != "subgroup" or (one.contribution or 0.0) > 0)][:10]
        for part in ("inputs by column", "relation by column", "subgroup")
    }
    return "performance.html", {
        "title": f"Performance of {named_version(at.model, at.version)}",
        "at": at,
        "sentence": performance_sentence(title, view, split),
        "next_step": next_steps.of_performance(at, view, worse=view is not None and view.is_worse),
        "view": view,
        "metrics": offered([one.metric for one in figures if one.value is not None]),
        "split": split,
        "label_prior": next((one for one in newest if one.part == "label prior"), None),
        "split_chart": charts.parts_chart(split, {"inputs": "moved inputs", "relation": "changed relation"}),
        "by_segment": by_segment,
        "by_part": by_part,
        "confused": with_confusion.result() if with_confusion is not None else [],
        "detections": with_detections.result(),
        "parts_window": (newest[0].start_ms, newest[0].end_ms) if newest else None,
        "segments": with_segments.result(),
    }


PAGES: Final[Mapping[str, Callable[[Site, Query], View]]] = {
    "/": fleet_page,
    "/model": model_page,
    "/column": column_page,
    "/performance": performance_page,
    "/alerts": alerts_page,
    "/rejects": rejects_page,
    "/compare": compare_page,
}
"""By path."""
HELPERS: Final = {
    "place": place, "column_name": column_name, "run_sentence": run_sentence, "season_words": season_words,
    "compare_words": compare_words, "beside_words": beside_words, "outside": outside,
}  # fmt: skip
"""Functions that templates call."""
