"""The sentences of the page and the report."""

import unicodedata
from collections.abc import Sequence
from typing import Final

from monitor.api.queries.verdicts import Cell, Run
from monitor.wording import counted, figure, instant, listed

LONGEST_NAME: Final = 80
_NAMES: Final = {
    "@score": "the score",
    "@label": "the predicted class",
    "@coverage": "how many events carry both features and predictions",
    "@joint": "all inputs taken together",
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
    return _NAMES.get(column) or clip(column)


def rate(events_per_min: float) -> str:
    """``900 events/min``, in the unit in which it is above 1."""
    for unit, minutes in (("min", 1), ("h", 60)):
        if events_per_min * minutes >= 1:
            return f"{figure('', events_per_min * minutes)} events/{unit}"
    return f"{figure('', events_per_min * 1440)} events/day"


def place(segment: str) -> str:
    """``all rows``, or the segment."""
    return clip(segment) or "all rows"


def named_version(model: str, version: str) -> str:
    """``flight-delay v3``."""
    return f"{clip(model)} v{clip(version, 40)}" if version else clip(model)


def moved(one: Run | Cell) -> str:
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


def model_sentence(
    title: str,
    whole: Sequence[Run],
    in_segments: Sequence[Run],
    *,
    has_labels: bool,
    seasonal: Sequence[Run] = (),
) -> str:
    """The first line of a model's screen.

    Parameters
    ----------
    whole: runs of all rows that last. in_segments: those of segments that last, of columns that are not in `whole`.
    has_labels: whether any performance was measured.
    seasonal: runs that last and are only the season, which are not in the others.
    """
    inputs = list({run.column: run for run in whole if not run.column.startswith("@")}.values())
    outputs = [run for run in whole if run.column in ("@score", "@label")]
    parts = []
    if inputs:
        first = min(run.first_ms for run in inputs)
        names = listed([clip(run.column, 40) for run in inputs], 3)
        parts.append(f"since {instant(first)}, {counted(len(inputs), 'input')} moved ({names})")
    if outputs:
        who = " and ".join(dict.fromkeys(column_name(run.column) for run in outputs))
        parts.append(f"{who} moved too" if inputs else f"since {instant(outputs[0].first_ms)} {who} moved")
    elif inputs:
        parts.append("the score did not")
    if not parts and in_segments:
        places = len({run.segment for run in in_segments})
        parts.append(f"all rows taken together are as before, but columns moved in {counted(places, 'segment')}")
    if not parts and seasonal:
        names = listed(list(dict.fromkeys(column_name(run.column) for run in seasonal)), 3)
        parts.append(f"nothing changed in the newest window: only the season moves {names}")
    if not parts:
        parts.append("nothing differs from the reference in the newest window")
    parts.append(_labels(whole, has_labels=has_labels))
    return f"{title}: {', '.join(parts[:-1])}; {parts[-1]}."


def _labels(whole: Sequence[Run], *, has_labels: bool) -> str:
    lost = {run.column: run for run in whole}
    if run := lost.get("@loss"):
        return f"labels show a loss that is {run.direction}: {moved(run)}"
    if run := lost.get("@relation"):
        if run.direction == "better":
            return f"labels show that the model does better on the same inputs: {moved(run)}"
        return "labels show that the relation of inputs to labels changed"
    if run := lost.get("@subgroup"):
        return f"labels show a part of the data that is {run.direction}: {moved(run)}"
    if run := lost.get("@labels_missing"):
        return f"labels are missing, so that a loss need not show: {moved(run)}"
    if run := lost.get("@labels_selective"):
        return f"labels show no loss, but come for some predictions rather than for others: {moved(run)}"
    return "labels show no loss" if has_labels else "no labels came, so the loss is not known"


def column_sentence(column: str, runs: Sequence[Run], beyond: float | None, segment: str = "") -> str:
    """The first line of a column's screen.

    Parameters
    ----------
    beyond: the share of rows outside the reference's range.
    segment: the rows that were chosen; "" for all, of which segments are told too.
    """
    name, rows = column_name(column), place(segment)
    own = [run for run in runs if run.segment == segment]
    whole = next((run for run in own if run.lasts and not run.season), None)
    parts = [] if segment else [run for run in runs if run.segment and run.lasts and not run.season]
    season = next((run for run in own if run.lasts and run.season), None)
    more = f", {100 * beyond:.2g} % of rows beyond the reference's range" if beyond and beyond >= 0.001 else ""
    if whole is not None:
        return f"{name}: {moved(whole)} ({whole.direction}) in {rows}, {since(whole)}{more}; {times(whole.strength)}."
    if parts:
        top = parts[0]
        where = f"in {place(top.segment)} only" if len(parts) == 1 else f"most of all in {place(top.segment)}"
        whole_words = f"all rows together move {season_words(season)}" if season else "all rows together are as before"
        return f"{name}: {moved(top)} ({top.direction}) {where}, {since(top)}{more}; {whole_words}."
    if season is not None:
        what = f"{moved(season)} ({season.direction})"
        return f"{name}: {what} in {rows}, {since(season)}{more}, but {season_words(season)}."
    where = f" in {rows}" if segment else ""
    past = next(iter(own), None)
    if past is not None:
        return f"{name}: as in the reference now{where}{more}; it had moved from {since(past)}: {moved(past)}."
    return f"{name}: as in the reference{where}{more}."
