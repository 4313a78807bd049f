"""The demo's findings on a terminal: what flights taught first, how much was counted last."""

import calendar
import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.text import Text

from monitor.cli.decided import ToldAlert, ToldRequest
from monitor.demo.findings import Findings
from monitor.demo.flights import UNITS
from monitor.demo.lessons import Lesson, Lessons
from monitor.wording import counted, figure, listed, sure

MOST_PARTS = 4
MOST_ALERTS = 4
WHOLE_YEAR = 11
"""Months from February on; of fewer none can say that a change was the season's."""
_EXAMPLE = "SELECT * FROM drift_verdicts_latest WHERE drifted AND column = 'dest' ORDER BY window_start LIMIT 10"


def show_findings(console: Console, findings: Findings, n_open: int, elapsed_s: float, keep: Path | None) -> None:
    """Print what was learned, by month how much moved and what it cost, what people were told, and where to look next.

    Parameters
    ----------
    n_open: events in panes that were not over.
    keep: the folder that holds the results; None where they are gone with the run.
    """
    console.print()
    for line in screen(findings, n_open, elapsed_s, keep):
        heading = bool(line) and not line.startswith(" ")
        console.print(Text(line, style="bold" if heading else ""), soft_wrap=True)


def screen(findings: Findings, n_open: int, elapsed_s: float, keep: Path | None) -> Iterator[str]:
    """The lines of the last screen."""
    learned = findings.learned
    months = [calendar.month_name[month.month] for month in findings.months]
    span = months[0] if len(months) == 1 else f"{months[0]} to {months[-1]}"
    yield (
        f"What {findings.n_events:,} flights of {span} 2013 teach, beside the {findings.n_reference:,} of January: "
        f"{counted(learned.n_windows, 'week')}, each a day after the other"
    )
    yield "  q is the share of false ones among findings as sure as that; of overlapping weeks a run is one finding"
    yield ""
    last = calendar.month_name[learned.last_month]
    if len(months) >= WHOLE_YEAR:
        yield f"Changed and stayed: still so in {last}"
    else:
        yield f"Changed: still so in {last}. Whether that is more than the season, a whole year tells: driftline demo"
    yield from _rows([_stayed(one) for one in learned.stayed]) or _none()
    yield from _parts(learned.in_parts)
    yield ""
    yield "Changed and mattered: the model was worse"
    yield from _rows(_failures(findings)) or _none()
    yield ""
    if len(months) >= WHOLE_YEAR:
        yield f"Only the season and its weather: away from January for weeks, and like it again in {last}"
    else:
        yield f"Came and went: away from January for weeks, and like it again in {last}"
    yield from _rows([_seasonal(one) for one in learned.seasonal]) or _none()
    if learned.now_and_then:
        names = [f"{_name(one.column)} ({one.n_windows:,})" for one in learned.now_and_then]
        yield f"  now and then, in less than half of any month's weeks: {listed(names)}"
    yield from _gaps(learned)
    yield ""
    yield from _by_month(findings)
    yield ""
    yield from _told(findings.alerts, findings.requests)
    yield ""
    n_sent = findings.n_events + findings.n_rejects + findings.n_late + n_open
    yield "Counted: nothing is lost in silence"
    yield (
        f"  {n_sent:,} events sent = {findings.n_events:,} counted + {findings.n_rejects:,} "
        f"rejected + {findings.n_late:,} too late + {n_open:,} in a day that is not over"
    )
    yield (
        f"  {counted(findings.n_windows, 'window')}, {findings.n_drifted:,} of {findings.n_verdicts:,} verdicts "
        f"drifted; {findings.n_columns_unscored:,} columns of segments not scored, for too few flights"
    )
    rate = findings.n_events / elapsed_s
    yield f"  {elapsed_s:.0f} s from the first event sent to the last row in ClickHouse: {rate:,.0f} flights/s"
    yield ""
    yield from _next(keep)


def _stayed(one: Lesson) -> tuple[str, ...]:
    return _name(one.column), f"since {_day(one.start_ms)}", _what(one), _how_sure(one)


def _seasonal(one: Lesson) -> tuple[str, ...]:
    return (
        _name(one.column),
        f"most {_day(one.start_ms)} to {_last_day(one.end_ms)}",
        _what(one),
        _how_sure(one),
    )


def _parts(in_parts: Sequence[Lesson]) -> Iterator[str]:
    """Two columns at most of each segment, the longest away first."""
    by_segment: dict[str, list[Lesson]] = {}
    for one in sorted(in_parts, key=lambda one: -one.n_windows):
        by_segment.setdefault(one.segment, []).append(one)
    if not by_segment:
        return
    yield "  and in parts alone, where all flights together stand still:"
    rows = [
        (one.segment, one.column, f"since {_day(one.start_ms)}", _what(one), _how_sure(one))
        for segment in list(by_segment)[:MOST_PARTS]
        for one in by_segment[segment][:2]
    ]
    yield from _rows(rows)
    n_more = len(in_parts) - len(rows)
    if n_more:
        yield f"  and {n_more:,} more, of {counted(len(by_segment), 'segment')} in all"


def _failures(findings: Findings) -> list[tuple[str, ...]]:
    """When performance was worse; where the relation changed meanwhile, with what the same inputs cost before."""
    related = findings.failures.get("@relation", [])
    rows: list[tuple[str, ...]] = []
    for one in findings.failures.get("@loss", []):
        meanwhile = [two for two in related if two.start_ms < one.end_ms and one.start_ms < two.end_ms]
        why = "moved inputs explain it"
        if meanwhile:
            before = figure("", meanwhile[0].told.before)
            why = f"{before} for the same inputs in January, so they do not explain it"
        rows.append(("log loss", f"{_day(one.start_ms)} to {_last_day(one.end_ms)}", _what(one), _how_sure(one), why))
    return rows


def _gaps(learned: Lessons) -> Iterator[str]:
    if not learned.gaps:
        return
    yield ""
    yield "Faults of the data, not of the world: values that were missing"
    yield from _rows(
        [
            (
                f"{_day(gap[0].start_ms)} to {_last_day(max(one.end_ms for one in gap))}",
                _missing(gap),
                listed(sorted({one.column for one in gap})),
            )
            for gap in learned.gaps
        ]
    )


def _missing(gap: Sequence[Lesson]) -> str:
    worst = max((one.told for one in gap), key=lambda told: told.after)
    return f"up to {figure('share', worst.after)} missing, {figure('share', worst.before)} in January"


def _by_month(findings: Findings) -> Iterator[str]:
    measured = findings.performance
    of_month = {datetime.fromtimestamp(one.start_ms / 1000, UTC).month: one for one in measured.months}
    yield "By month: features away from January, and how good the model was once flights had landed"
    rows = [
        ("", "flights", "features away", "PSI of score", "log loss", "change by inputs", "by relation", "ROC AUC"),
        (
            "Jan", f"{findings.n_reference:,}", "", "", _number(measured.reference_log_loss), "", "",
            _number(measured.reference_roc_auc),
        ),
    ]  # fmt: skip
    for month in findings.months:
        own = of_month.get(month.month)
        rows.append(
            (
                calendar.month_abbr[month.month],
                f"{month.n:,}",
                f"{month.columns_drifted:,}",
                f"{month.score_psi:.2f}",
                _number(own.log_loss) if own else "",
                _number(own.inputs, "+") if own else "",
                _number(own.relation, "+") if own else "",
                _number(own.roc_auc) if own else "",
            )
        )
    yield from _rows(rows, right=True)


def _told(alerts: Sequence[ToldAlert], requests: Sequence[ToldRequest]) -> Iterator[str]:
    """The alerts that were raised, critical ones first, each in its first sentence, and what became of requests."""
    raised = [one for one in alerts if one.state == "raised"]
    if not raised:
        yield "No alert was raised"
    else:
        n_critical = sum(one.severity == "critical" for one in raised)
        yield f"Told to people: {counted(len(raised), 'alert')}, {n_critical:,} critical"
    first = sorted(raised, key=lambda one: (one.severity != "critical", one.at_ms))[:MOST_ALERTS]
    for one in first:
        yield f"  {_day(one.at_ms)} [{one.severity}] {_first_sentence(one.summary)}"
    if len(raised) > len(first):
        yield f"  and {len(raised) - len(first):,} more"
    asked = sum(one.status == "requested" for one in requests)
    held = sum(one.status == "held_back" for one in requests)
    yield f"  requests to retrain: {asked:,}, and {held:,} held back" + (
        f": {_last_reason(requests)}" if held and not asked else ""
    )


def _last_reason(requests: Sequence[ToldRequest]) -> str:
    held = [one for one in requests if one.status == "held_back"]
    return held[-1].reason.partition("held back: ")[2] or held[-1].reason


def _first_sentence(summary: str) -> str:
    """Without the model, which is one, and what follows the first sentence: figures have points, but no space after."""
    return summary.partition(": ")[2].partition(". ")[0]


def _next(keep: Path | None) -> Iterator[str]:
    if keep is None:
        yield "The results are gone with this run. Next:"
        yield "  driftline demo --keep flights       the same, and its results stay: to see, to ask in SQL"
    else:
        config = keep / "demo.yaml"
        yield f"The results lie in {keep / 'clickhouse'}. Next:"
        yield f"  driftline ui {config}"
        yield f'  driftline query {config} "{_EXAMPLE}"'
    yield "  driftline init --data FILE          the same for rows of your own"


def _what(one: Lesson) -> str:
    """From what to what, in the column's unit."""
    told = one.told
    unit = UNITS.get(one.column, "") if not told.quantity.startswith("share") else ""
    before, after = (figure(told.quantity, value) for value in (told.before, told.after))
    quantity = "" if told.quantity == "log loss" else f"{told.quantity} "
    return f"{quantity}{before} -> {after} {unit}".rstrip()


def _how_sure(one: Lesson) -> str:
    return f"{counted(one.n_windows, 'week')}, {sure(one.told.q_value)}"


def _name(column: str) -> str:
    return {"@score": "score", "@label": "class said"}.get(column, column)


def _day(time_ms: int) -> str:
    day = datetime.fromtimestamp(time_ms / 1000, UTC)
    return f"{day.day} {calendar.month_abbr[day.month]}"


def _last_day(end_ms: int) -> str:
    """The day before an end at midnight."""
    return _day(end_ms - 1)


def _number(value: float, sign: str = "") -> str:
    return "" if math.isnan(value) else f"{value:{sign}.3f}"


def _none() -> list[str]:
    return ["  nothing"]


def _rows(rows: Sequence[tuple[str, ...]], *, right: bool = False) -> list[str]:
    """Cells in columns; `right`: all but the first end where their column does."""
    if not rows:
        return []
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    return [
        "  "
        + "  ".join(
            cell.rjust(width) if right and place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
