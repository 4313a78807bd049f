"""A model card's section: data, performance by segment, drift and limits, for a registry; as JSON or Markdown.

After Mitchell et al. 2019, Model cards for model reporting, whose sections *evaluation data* and *metrics* it fills.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from monitor.api.address import Chosen
from monitor.api.metrics import is_quality, metric_name
from monitor.api.pages import model_page, performance_page
from monitor.api.queries.performance import Figure
from monitor.api.queries.sizes import size_name
from monitor.api.site import Site
from monitor.api.views.seasonal import SeasonalColumn
from monitor.api.wording import place, run_sentence, season_sentence, unscored_words
from monitor.wording import counted, figure, instant, listed

_MOST_SEGMENTS: Final = 30
_MOST_PAST: Final = 10


class CardFigure(msgspec.Struct, frozen=True, kw_only=True):
    """A metric's value; what is not known is None."""

    metric: str
    segment: str
    value: float | None
    ci_low: float | None
    ci_high: float | None
    reference: float | None
    n_labelled: int
    provisional: bool


class CardSeason(msgspec.Struct, frozen=True, kw_only=True):
    """A column that differs from the whole reference, and not from its season or the weeks before.

    Attributes
    ----------
    sentence: the rest in words.
    since_ms: start of the first window. quantity, before, after, direction: what differs, as in `drift_verdict`.
    strength: the largest effect beside the whole reference, over the smallest that counts.
    beside: the same in the newest window beside each season and span that it does not differ from.
    """

    column: str
    segment: str
    sentence: str
    since_ms: int
    quantity: str
    before: float | None
    after: float | None
    direction: str
    strength: float | None
    beside: dict[str, float | None]


class ModelCard(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of one version of a model in one span of time.

    Attributes
    ----------
    from_ms, to_ms: of the windows' ends. window_s: their length.
    events: in the span's newest window. sentence, performance_sentence: in words.
    performance: by metric, of all rows, of the newest window; by_segment: of the first metric.
    drift: a sentence a column that has changed; was: of those that did and went back.
    season: columns that only the season explains, the eight that differ most from the whole reference.
    unscored: why nothing of the newest window could be scored; "" where something was.
    limits: what this card cannot say, and why.
    """

    model: str
    version: str
    reference: str
    from_ms: int
    to_ms: int
    window_s: int
    n_windows: int
    events: int
    sentence: str
    performance_sentence: str
    performance: tuple[CardFigure, ...]
    by_segment: tuple[CardFigure, ...]
    drift: tuple[str, ...]
    season: tuple[CardSeason, ...] = ()
    was: tuple[str, ...]
    unscored: str = ""
    limits: tuple[str, ...]


def model_card(site: Site, at: Chosen, limits: Sequence[str] = ()) -> ModelCard:
    """The card. `limits`: what is known of the reference's own."""
    query = {
        "model": at.model, "version": at.version, "size": str(at.size.size_s), "from": str(at.from_ms),
        "to": str(at.to_ms),
    }  # fmt: skip
    _, seen = model_page(site, query)
    _, measured = performance_page(site, query)
    windows = seen["windows"]
    unscored = [one for one in windows if one.columns_not_scored]
    own = list(limits)
    if unscored:
        why = listed(sorted({one.reason for one in unscored if one.reason}), 3)
        most = max(one.columns_not_scored for one in unscored)
        own.append(
            f"in {len(unscored):,} of {counted(len(windows), 'window')} up to {counted(most, 'column')} could not be "
            f"scored{f': {why}' if why else ''}"
        )
    view = measured["view"]
    if view is None or not view.has_labels:
        own.append("no labels came: how good the model is was not measured")
    elif view.newest is not None and view.newest.provisional:
        own.append("the newest figures are provisional: labels are still coming")
    elif view.newest is not None and view.newest.reference_value is None and is_quality(view.metric):
        own.append("the reference has no labels: performance is compared with nothing")
    own += view.warnings if view is not None else ()
    return ModelCard(
        model=at.model,
        version=at.version,
        reference=windows[-1].reference if windows else "",
        from_ms=at.from_ms,
        to_ms=at.to_ms,
        window_s=at.size.size_s,
        n_windows=len(windows),
        events=windows[-1].events if windows else 0,
        sentence=seen["sentence"],
        performance_sentence=measured["sentence"],
        performance=tuple(map(_figure, view.others if view is not None else ())),
        by_segment=tuple(map(_figure, measured["by_segment"])),
        drift=tuple(run_sentence(one.top, len(one.others)) for one in seen["lasting"]),
        season=tuple(map(_season, seen["seasonal"])),
        was=tuple(run_sentence(one.top, len(one.others)) for one in seen["past"]),
        limits=tuple(own),
        unscored=unscored_words(windows[-1] if windows else None),
    )


def _season(one: SeasonalColumn) -> CardSeason:
    run = one.top
    return CardSeason(
        column=run.column,
        segment=run.segment,
        sentence=season_sentence(run, one.n_others, one.beside),
        since_ms=run.first_ms,
        quantity=run.quantity,
        before=run.before,
        after=run.after,
        direction=run.direction,
        strength=run.strength,
        beside=dict(one.beside),
    )


def _figure(one: Figure) -> CardFigure:
    return CardFigure(
        metric=one.metric,
        segment=one.segment,
        value=one.value,
        ci_low=one.ci_low,
        ci_high=one.ci_high,
        reference=one.reference_value,
        n_labelled=one.n_labelled,
        provisional=one.provisional,
    )


def markdown(card: ModelCard) -> str:
    """The card as Markdown: every name as plain text."""
    span = (
        f"- {counted(card.n_windows, 'window')} of {size_name(card.window_s)} that ended from "
        f"{instant(card.from_ms)} to {instant(card.to_ms)} UTC, the newest with {counted(card.events, 'event')}"
    )
    lines = [
        f"## Monitoring of {_text(card.model)}{f' v{_text(card.version)}' if card.version else ''}",
        "",
        _text(card.sentence),
        "",
        "### Data",
        "",
        span,
        f"- compared with the reference `{card.reference[:12] or 'none'}`",
        "",
        "### Performance",
        "",
        _text(card.performance_sentence),
        "",
    ]
    if card.performance:
        lines += ["| metric | measured | 95 % interval | reference | labelled |", "|---|---:|---|---:|---:|"]
        lines += [_row(metric_name(one.metric), one) for one in card.performance]
        lines.append("")
    if len(card.by_segment) > 1:
        lines += [
            f"| {metric_name(card.by_segment[0].metric)} by rows | measured | 95 % interval | reference | labelled |",
            "|---|---:|---|---:|---:|",
            *(_row(_text(place(one.segment)), one) for one in card.by_segment[:_MOST_SEGMENTS]),
            "",
        ]
        if len(card.by_segment) > _MOST_SEGMENTS:
            lines += [
                f"and {counted(len(card.by_segment) - _MOST_SEGMENTS, 'segment')} more, which are less surely worse",
                "",
            ]
    lines += ["### Drift", ""]
    quiet = f"nothing {'changed' if card.season else 'differs from the reference'} in the newest window"
    quiet = f"nothing was scored in the newest window: {card.unscored}" if card.unscored else quiet
    lines += [f"- {_text(one)}" for one in card.drift] or [f"- {quiet}"]
    lines += [f"- earlier: {_text(one)}" for one in card.was[:_MOST_PAST]]
    if len(card.was) > _MOST_PAST:
        lines.append(f"- and {counted(len(card.was) - _MOST_PAST, 'column')} more that had moved and went back")
    if card.season:
        lines += ["", "### Only the season: nothing to do", ""]
        lines += [f"- {_text(one.sentence)}" for one in card.season]
    lines += ["", "### Limits", ""]
    lines += [f"- {_text(one)}" for one in card.limits] or ["- none are known"]
    return "\n".join([*lines, ""])


def _row(name: str, one: CardFigure) -> str:
    low, high = (f"{word} {figure('', end)}" if end is not None else "" for word, end in _ends(one))
    interval = f"{low} {high}".strip()
    return f"| {name} | {figure('', one.value)} | {interval} | {figure('', one.reference)} | {one.n_labelled:,} |"


def _ends(one: CardFigure) -> tuple[tuple[str, float | None], tuple[str, float | None]]:
    """Both ends of an interval, and the words before them; of one alone it is said that it is one."""
    return ("" if one.ci_high is not None else "from", one.ci_low), (
        "to" if one.ci_low is not None else "up to",
        one.ci_high,
    )


def _text(value: str) -> str:
    """Nothing of it is markup."""
    line = " ".join(value.split())
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>#|!~" else c for c in line).replace("&", "&amp;")
