"""`docs/verdicts.md`: what was simulated, the tables, and how to read them. From results alone."""

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final

from monitor.config.methods import default_threshold
from monitor.verdicts.added import FEWER, STEPS
from monitor.verdicts.awake import FOUND, Cell, Power
from monitor.verdicts.changes import KINDS, Kind
from monitor.verdicts.changes import SIZES as CHANGED_SIZES
from monitor.verdicts.first_release import COMMIT, MAY_LOSE
from monitor.verdicts.flights import Month
from monitor.verdicts.peers import RULES
from monitor.verdicts.product import ALPHA, MIN_SAMPLES, SETTINGS
from monitor.verdicts.quiet import CASES, SIZES, Tally
from monitor.verdicts.quiet_windows import N_REFERENCE
from monitor.verdicts.reading import FLIGHTS, SEED, TARGETS
from monitor.verdicts.targets import gaps, targets
from monitor.verdicts.worlds import AR, CATEGORICAL, IID, N_SEGMENTS, NULLS, NUMERIC, SEASONS

AT_MOST: Final = {case.name: case.at_most for case in CASES}
"""Windows with a false verdict, at most, per cent; None where a false verdict is what must come."""
_LIBRARIES: Final = ("numpy", "scipy", "numba", "pyarrow", "scikit-learn")


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What was simulated.

    Attributes
    ----------
    seed, rounds: of the command.
    quiet: by name of the case, then by rows of a window.
    quiet_rules: by world, then rows, then rule: windows, those with anything flagged, those with half of the whole's
        columns.
    awake, first: by cell; `first` is the first release's.
    rules: by rule, then by cell.
    added: by step and rows, windows without a verdict before, and with one after.
    flights: by what days are compared with, then by month (1 is January 2014).
    """

    seed: int
    rounds: int
    quiet: Mapping[str, Mapping[int, Tally]]
    quiet_rules: Mapping[str, Mapping[int, Mapping[str, tuple[int, int, int]]]]
    awake: Mapping[Cell, Power]
    first: Mapping[Cell, Power]
    rules: Mapping[str, Mapping[Cell, Power]]
    added: Mapping[tuple[str, int], tuple[int, int]]
    flights: Mapping[str, Mapping[int, Month]]


def page(results: Results) -> str:
    """The page in Markdown."""
    sections = (
        _head(results),
        _targets(results),
        _quiet(results),
        _sources(results),
        _awake(results),
        _first(results),
        _added(results),
        _flights(results),
        _redo(),
    )
    return _joined(*sections) + "\n"


def _head(results: Results) -> str:
    methods = ", ".join(f"`{setting.method}` {default_threshold(setting.method):g}" for setting in SETTINGS)
    numeric = ", ".join(name for name, _ in NUMERIC)
    categorical = ", ".join(f"{name} (rank^-{exponent:g})" for name, _, exponent in CATEGORICAL)
    return _joined(
        "# What verdicts are worth",
        _paragraph(
            "Written by `make verdicts`; what a person read in it is in `monitor/verdicts/reading.py`. Seed",
            f"{results.seed}, {results.rounds} references of",
            f"{N_REFERENCE:,} rows. A figure is followed by its standard error: that of a quiet figure by",
            "its scatter over",
            "references (windows share theirs), or that of as many independent windows if it is larger; of",
            "another that of",
            "independent windows.",
        ),
        _paragraph(
            f"**Data.** {len(NUMERIC)} numeric columns, {len(CATEGORICAL)} categorical ones, and",
            f"{N_SEGMENTS} segments of",
            "equal size; `monitor/verdicts/worlds.py` is the definition. Each column is a fixed function of",
            "a standard",
            f"normal variable of its own: {numeric}; with shares by rank, {categorical}. {len(NULLS)}",
            "columns have nulls,",
            f"from variables of their own. A row a second. In *{IID.name}* the variables are independent",
            "from row to row;",
            f"in *{AR.name}* each is an autoregressive process, a step a row; in *{SEASONS.name}* rows are",
            "independent,",
            f"{SEASONS.step_ms / 1000:g} seconds apart (50 an hour: a window of 200 takes four hours, the reference",
            "six weeks), and every variable follows the hour by a sine of amplitude",
            f"{SEASONS.daily:g} and is {SEASONS.weekend:g} higher on Saturdays and Sundays.",
        ),
        _paragraph(
            "**Path.** `reference build` reads the reference's rows and times from Parquet; windows are",
            "counted by the",
            f"kernel of ingest and scored as `evaluate` scores them. Defaults: {methods}; alpha {ALPHA:g},",
            "`min_samples`",
            f"{MIN_SAMPLES}.",
        ),
    )


def _targets(results: Results) -> str:
    wanted = [kind.name for kind in KINDS if kind.wanted]
    behind = gaps(results.awake, results.first, wanted)
    rows = [target.row for target in targets(results.quiet, results.awake, behind, results.added)]
    return _joined(
        "## What was promised",
        _table(["promised", "measured", "reached"], rows),
        *(_paragraphs(TARGETS) if results.seed == SEED else ()),
    )


def _quiet(results: Results) -> str:
    rows = []
    for name, tallies in results.quiet.items():
        most = AT_MOST[name]
        at_most = "" if most is None else f"{most:g}"
        rows.append([f"**Driftline**, {name}", at_most, *(_tally(tallies.get(n)) for n in SIZES)])
        for rule in RULES:
            own = results.quiet_rules.get(name, {})
            if own:
                rows.append([f"{rule}, {name}", "", *(_rule(own[n][rule]) if n in own else "" for n in SIZES)])
    n = "; ".join(
        f"{world}: " + ", ".join(f"{tally.n:,} of {size:,}" for size, tally in own.items())
        for world, own in results.quiet.items()
    )
    judged = sorted(
        {own[0] for sizes in results.quiet_rules.values() for rules in sizes.values() for own in rules.values()}
    )
    return _joined(
        "## Quiet: windows of unchanged data with any false verdict, per cent",
        _table(["", "at most", *(f"{size:,} rows" for size in SIZES)], rows),
        _paragraph(
            "Whole and segments together: a window of 25 columns gives up to 275 verdicts. Windows by rows:",
            f"{n}. The other rules judge {_names(judged)} windows a cell, the first of the same worlds.",
            f"*{SEASONS.name}* alone is compared with the whole reference (`compare: pinned`), and a window that is no",
            "whole week does differ from it, as the reference's own panes do among themselves, so that few such",
            "windows have a verdict, at the price of power; with `season: hour_of_week` it is compared with",
            "the reference's rows of the hours of the week that it takes up. Evidently looks at the whole alone; its",
            "*dataset drift*,",
            f"half of the columns, is found in {_dataset(results)} of these windows.",
        ),
    )


def _dataset(results: Results) -> str:
    found = [rules["Evidently"] for own in results.quiet_rules.values() for rules in own.values()]
    return f"{sum(one[2] for one in found):,} of {sum(one[0] for one in found):,}"


def _sources(results: Results) -> str:
    rows = []
    for world, tallies in results.quiet.items():
        for size, tally in tallies.items():
            methods, columns = Counter[str](), Counter[str]()
            for (method, column, _), number in tally.verdicts.items():
                methods[method] += number
                columns[column] += number
            whole = sum(number for (_, _, is_whole), number in tally.verdicts.items() if is_whole)
            rows.append(
                [world, f"{size:,}", f"{sum(methods.values()):,}", f"{whole:,}", _most(methods, 4), _most(columns, 3)]
            )
    return _joined(
        "### Which methods and columns the false verdicts come from",
        _table(["world", "rows", "verdicts", "of the whole", "methods", "columns"], rows),
    )


def _awake(results: Results) -> str:
    who: list[tuple[str, Mapping[Cell, Power]]] = [
        ("**Driftline**", results.awake),
        *(("first release", results.first) for _ in (0,) if results.first),
        *results.rules.items(),
    ]
    parts = []
    for kind in (kind for kind in KINDS if kind.wanted):
        rows = [[name, *(_smallest(kind, size, own) for size in CHANGED_SIZES)] for name, own in who]
        head = [f"{kind.name}, {kind.unit}", *(f"{size:,} rows" for size in CHANGED_SIZES)]
        parts.append(_table(head, rows))
    unwanted = []
    for kind in (kind for kind in KINDS if not kind.wanted):
        rows = [
            [name, *(_percent(own.get((kind.name, kind.sizes[n][0], n))) for n in CHANGED_SIZES)] for name, own in who
        ]
        head = [f"{kind.name}: found in % of windows", *(f"{n:,} rows" for n in CHANGED_SIZES)]
        unwanted.append(_table(head, rows))
    windows = {power.n for power in results.awake.values()}
    others = {power.n for own in results.rules.values() for power in own.values()}
    return _joined(
        f"## Awake: the smallest change that is found in {FOUND:.0%} of windows",
        _paragraph(
            "One column of 25 changes: the standard normal one, the one of six categories, the one of mean",
            "50 and standard",
            "deviation 10, or (float32) the one of tenths. Rows are independent. Found: that column has a",
            "verdict, on the",
            "whole or in a segment; by the other rules, it is flagged in either. In brackets the per cent",
            "of windows in",
            "which that size was found; `>`: the largest size tried was not; `<=`: the smallest tried was.",
            f"{_names(windows)} windows a cell; the other rules judge {_names(others)} of them. KS sees no",
            "categories.",
            "Of the first release few cells of 20,000 rows were measured. A rule that flags unchanged data finds",
            "changes too: read this beside the table above.",
        ),
        *parts,
        "### What must not be found",
        *unwanted,
    )


def _first(results: Results) -> str:
    if not results.first:
        return _joined(
            "## Power beside the first release",
            "Not recorded for this seed: `make verdicts ARGS=--record` does it, in an hour.",
        )
    wanted = {kind.name for kind in KINDS if kind.wanted}
    behind = gaps(results.awake, results.first, wanted)
    rows = [
        [
            f"{gap.cell[0]} {gap.cell[1]:g}",
            f"{gap.cell[2]:,}",
            _counted(gap.now),
            _counted(gap.first),
            f"{-100 * gap.share:+.1f} ± {100 * gap.standard_error:.1f}",
        ]
        for gap in behind[:8]
    ]
    windows = Counter(gap.first.n for gap in behind)
    n = ", ".join(f"{number} of {size:,} windows" for size, number in sorted(windows.items()))
    return _joined(
        "## Power beside the first release, independent rows",
        _paragraph(
            f"Its own code (commit {COMMIT}) on the same windows; {len(behind)} cells: {n}. It is slow: after its",
            "first windows a cell was measured on only while its share, with three standard errors, was more than",
            f"{100 * MAY_LOSE:.0f} points above that of today. Where it is ahead most, or behind least:",
        ),
        _table(["change", "rows", "now, % (of windows)", "first release, % (of windows)", "points"], rows),
    )


def _counted(power: Power) -> str:
    return f"{_percent(power)} ({power.n:,})"


def _added(results: Results) -> str:
    rows = [
        [step, f"{n:,}", f"{quiet:,}", _percent(Power(n=quiet, found=turned))]
        for step in STEPS
        for (own, n), (quiet, turned) in results.added.items()
        if own == step
    ]
    few = ", ".join(f"`{setting.method}`" for setting in FEWER)
    return _joined(
        "## More methods, or more segments, that did not change",
        _paragraph(
            f"Unchanged independent rows: windows that have no verdict with fewer methods ({few}) or without",
            "segments, and",
            "how many of them get one when the others are added.",
        ),
        _table(["added", "rows", "windows without a verdict before", "of them with one after, %"], rows),
    )


def _flights(results: Results) -> str:
    parts = []
    for compare, months in results.flights.items():
        rows = [
            [_MONTHS[number - 1], f"{own.days}", f"{own.drifted}", f"{own.whole}", _most(own.columns, 5)]
            for number, own in months.items()
        ]
        head = ["month", "days", "days with a verdict", "of them on the whole", "days of the columns that have most"]
        parts += [f"`compare: {compare}`", _table(head, rows)]
    return _joined(
        "## The flights",
        _paragraph(
            "The demo's flights: January 2013 is the reference, every day from February on a window, with",
            "segments by origin",
            "and carrier. Not simulated: what is found there is for a person to read. Days are those of",
            "UTC; the last,",
            "1 January 2014, holds the evening of 31 December.",
        ),
        *parts,
        *(() if not results.flights else ("### Read month by month", *_paragraphs(FLIGHTS))),
    )


_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _redo() -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    return _joined(
        "## To do it again",
        _paragraph(
            '`make verdicts` does all of it; `ARGS="--rounds 2"` is quicker, with larger standard errors;',
            "`--seed` takes",
            "other data. The same seed and rounds write the same page. Rounds are kept in `.build/verdicts` by the",
            "source that made them: a run that was broken off goes on where it was, and `--again` begins anew.",
            f"With {versions}.",
        ),
        _paragraph(
            "The first release is its own code, from git (`monitor/verdicts/first_release.py`). Evidently's",
            "rule is that of",
            "release 0.7.23, which itself takes seconds a window: `monitor/verdicts/evidently_peer.py` runs",
            "it on windows of",
            "the table.",
        ),
    )


def _joined(*blocks: str) -> str:
    return "\n\n".join(blocks)


def _paragraph(*parts: str) -> str:
    return textwrap.fill(" ".join(parts), 120, break_long_words=False, break_on_hyphens=False)


def _paragraphs(text: str) -> Iterator[str]:
    return (_paragraph(*part.split()) for part in text.strip().split("\n\n"))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _smallest(kind: Kind, n: int, own: Mapping[Cell, Power]) -> str:
    tried = [(size, own[kind.name, size, n]) for size in kind.sizes[n] if (kind.name, size, n) in own]
    if len(tried) < len(kind.sizes[n]):  # not all were measured
        return ""
    for position, (size, power) in enumerate(tried):
        if all(later.share >= FOUND for _, later in tried[position:]):
            mark = "<= " if position == 0 and len(tried) > 1 else ""
            return f"{mark}{size:g} ({100 * power.share:.0f})"
    size, power = tried[-1]
    return f"> {size:g} ({100 * power.share:.0f})"


def _percent(power: Power | None) -> str:
    return "" if power is None or not power.n else f"{100 * power.share:.1f} ± {100 * power.standard_error:.1f}"


def _tally(tally: Tally | None) -> str:
    return "" if tally is None else f"**{100 * tally.share:.1f}** ± {100 * tally.standard_error:.1f}"


def _rule(found: tuple[int, int, int]) -> str:
    return _percent(Power(n=found[0], found=found[1]))


def _most(counter: Counter[str], n: int) -> str:
    return ", ".join(
        f"{name} {number}" for name, number in sorted(counter.items(), key=lambda pair: (-pair[1], pair[0]))[:n]
    )


def _names(numbers: Iterable[int]) -> str:
    return " or ".join(f"{number:,}" for number in sorted(numbers))
