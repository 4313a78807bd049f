"""The sentences of the page and the report."""

import unicodedata
from collections.abc import Sequence
from typing import Final

from monitor.api.queries.performance import Detection
from monitor.api.queries.verdicts import Cell, Run, Volume
from monitor.wording import counted, figure, instant, listed

LONGEST_NAME: Final = 80
_NAMES: Final = {
    "@score": "the score",
    "@scores": "the scores of all classes together",
    "@label": "the predicted class",
    "@coverage": "how many events carry both features and predictions",
    "@joint": "all inputs taken together",
    "@distance": "how far inputs lie from their centre",
    "@residual": "what inputs lack of their usual pattern",
    "@events": "the number of events",
    "@rejects": "the share of rejected events",
    "@loss": "the loss",
    "@relation": "the relation of inputs to labels",
    "@subgroup": "the loss in a part of the data",
    "@delay": "the delay of labels",
    "@labels_missing": "the share of labels that are missing",
    "@labels_selective": "which predictions get labels",
}


def clip(text: str, most: int = LONGEST_NAME) -> str:
    """A name on a line: without what turns the direction of text or draws nothing, and of bounded length."""
    plain = "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) in ("Cc", "Cf", "Cs") else c for c in text)
    return plain if len(plain) <= most else f"{plain[:most]}… ({len(plain):,} characters)"


def column_name(column: str) -> str:
    """What people call a column; a feature by its own name."""
    if column.startswith("@segments "):
        return f"the segments by {clip(column.removeprefix('@segments '))}"
    if column.startswith("@score."):
        return f"the score of {clip(column.removeprefix('@score.'))}"
    return _NAMES.get(column) or clip(column)


def rate(events_per_min: float) -> str:
    """``900 events/min``, in the unit in which it is above 1."""
    for unit, minutes in (("min", 1), ("h", 60)):
        if events_per_min * minutes >= 1:
            return _rate(events_per_min * minutes, unit)
    return _rate(events_per_min * 1440, "day")


def _rate(n: float, unit: str) -> str:
    said = figure("", n)
    return f"{said} {'event' if said == '1' else 'events'}/{unit}"


def place(segment: str) -> str:
    """``all rows``, or the segment."""
    return clip(segment) or "all rows"


def named_version(model: str, version: str) -> str:
    """``flight-delay v3``."""
    return f"{clip(model)} v{clip(version, 40)}" if version else clip(model)


def moved(one: Run | Cell | Detection) -> str:
    """``mean 38.0 → 25.1``."""
    if not one.quantity:
        return one.direction
    return f"{clip(one.quantity)} {figure(one.quantity, one.before)} → {figure(one.quantity, one.after)}"


def times(strength: float | None) -> str:
    """``4.2 times the smallest effect that counts``."""
    if strength is None:
        return "an effect without measure"
    return f"{strength:.2g} times the smallest effect that counts" if strength < 10 else (
        f"{strength:,.0f} times the smallest effect that counts"
    )  # fmt: skip


def since(run: Run) -> str:
    """``since 2013-02-21``, or from when to when."""
    return f"since {instant(run.first_ms)}" if run.lasts else f"{instant(run.first_ms)} to {instant(run.end_ms)}"


def run_sentence(run: Run, n_other_segments: int = 0) -> str:
    """One line about a run: what moved, how far, where, since when."""
    season = f"; {season_words(run)}" if run.n_season else ""
    other = f" and {counted(n_other_segments, 'segment')}" if n_other_segments else ""
    name = column_name(run.column)
    return (
        f"{name[:1].upper() + name[1:] if run.column.startswith('@') else name}: {moved(run)} ({run.direction}) in "
        f"{place(run.segment)}{other}, {since(run)}; {times(run.strength)}{season}"
    )


def compare_words(compare: str) -> str:
    """What a comparison is with: ``the same hour of week``, ``the 28d before``, ``version 3``, ``the reference``."""
    kind, _, rest = compare.partition(" ")
    if kind == "season":
        return f"the same {clip(rest.replace('_', ' '))}"
    if kind == "trailing":
        return f"the {clip(rest)} before"
    return "the whole reference" if compare == "pinned" else clip(compare)


def beside_words(beside: Sequence[tuple[str, float | None]]) -> str:
    """``0.31 times beside the same hour of week``: the effect over the smallest that counts, of each comparison."""
    return listed(
        [
            f"{figure('', strength)} times beside {compare_words(compare)}"
            for compare, strength in beside
            if strength is not None
        ],
        3,
    )


def season_sentence(run: Run, n_others: int, beside: Sequence[tuple[str, float | None]]) -> str:
    """One line about what only the season explains: what moved and how far, and how little beside the season."""
    little = beside_words(beside)
    return run_sentence(run, n_others) + (f" ({little})" if little else "")


def season_words(run: Run) -> str:
    """``only the season: not beside the same hour of week``, and in how many windows; "" where it is not."""
    beside = listed([compare_words(one) for one in run.season.split(", ")], 3) if run.season else ""
    if not run.n_season:
        return ""
    if run.n_season == run.n_windows:
        return f"only the season: unchanged beside {beside}"
    part = f"in {run.n_season} of its {run.n_windows} windows only the season"
    return f"{part}, now too: unchanged beside {beside}" if run.season else part


def unscored_words(newest: Volume | None) -> str:
    """Why nothing of a window was scored: ``too few events, 3``; "" where something was."""
    if newest is None or newest.columns_scored or not newest.columns_not_scored:
        return ""
    why = unscored_reason(newest.reason)
    return f"{why}, {newest.events:,}" if newest.reason == "few events" else why


def unscored_reason(reason: str) -> str:
    """Why columns were not scored, as the record `window` has it, in words."""
    known = {"few events": "too few events", "absent": "no event speaks of what is watched"}
    return known.get(reason, reason or "no column could be")


def column_sentence(
    column: str,
    runs: Sequence[Run],
    beyond: float | None,
    segment: str = "",
    *,
    categorical: bool = False,
    not_compared: str = "",
) -> str:
    """The first line of a column's screen.

    Parameters
    ----------
    beyond: the share of values outside the reference's range; of a categorical column of those it has not seen.
    segment: the rows that were chosen; "" for all, of which segments are told too.
    not_compared: why no window of these rows has a verdict on the column; "" where one has.
    """
    name, rows = column_name(column), place(segment)
    own = [run for run in runs if run.segment == segment]
    whole = next((run for run in own if run.lasts and not run.season), None)
    parts = [] if segment else [run for run in runs if run.segment and run.lasts and not run.season]
    season = next((run for run in own if run.lasts and run.season), None)
    outside = "of values not in the reference" if categorical else "of values beyond the reference's range"
    more = f", {100 * beyond:.2g} % {outside}" if beyond and beyond >= 0.001 else ""
    if whole is not None:
        beside = "" if whole.compare == "pinned" else f" beside {compare_words(whole.compare)}"
        what = f"{moved(whole)} ({whole.direction})"
        return f"{name}: {what} in {rows}{beside}, {since(whole)}{more}; {times(whole.strength)}."
    if parts:
        top = parts[0]
        where = f"in {place(top.segment)} only" if len(parts) == 1 else f"most of all in {place(top.segment)}"
        whole_words = f"all rows together move {season_words(season)}" if season else "all rows together are as before"
        whole_words = "all rows together were not compared" if not_compared else whole_words
        return f"{name}: {moved(top)} ({top.direction}) {where}, {since(top)}{more}; {whole_words}."
    if season is not None:
        what = f"{moved(season)} ({season.direction})"
        return f"{name}: {what} in {rows}, {since(season)}{more}, but {season_words(season)}."
    if not_compared:
        return f"{name}: not compared with the reference in {rows}: {not_compared}{more}."
    where = f" in {rows}" if segment else ""
    past = next(iter(own), None)
    if past is not None:
        return f"{name}: as in the reference now{where}{more}; it had moved from {since(past)}: {moved(past)}."
    return f"{name}: as in the reference{where}{more}."
