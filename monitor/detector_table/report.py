"""The page `docs/detectors.md`."""

import statistics
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final

from monitor.detector_table.contenders import ALWAYS, CONTENDERS, EVERY, N_PANE, Outcome
from monitor.detector_table.flights import MONTHS, Flights
from monitor.detector_table.stable import N_STREAM, PANES, RATES
from monitor.detector_table.streams import CONCEPTS, N_AFTER, N_BEFORE, N_REFERENCE, N_TRAINING, WIDTHS

_LIBRARIES: Final = ("river", "scikit-learn", "numpy", "numba", "scipy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What the page shows.

    Attributes
    ----------
    n_stable: stable streams an error rate.
    stable: by contender, error rate and losses a pane: streams with a false alarm, and all false alarms.
    streams: by concept and kind of change, error rates of the model before and long after it, a pair a seed.
    outcomes: by losses a pane, concept, kind of change and contender, an outcome a seed.
    flights: the demo's.
    sizes: by detector, bytes of its state after 100,000 losses.
    """

    seed: int
    n_seeds: int
    n_stable: int
    stable: Mapping[tuple[str, float, int], tuple[int, int]]
    streams: Mapping[tuple[str, str], Sequence[tuple[float, float]]]
    outcomes: Mapping[tuple[int, str, str, str], Sequence[Outcome]]
    flights: Flights
    sizes: Mapping[str, int]


def page(results: Results) -> str:
    """The whole page, ending with a new line."""
    parts = (
        _head(results),
        _stable(results),
        _changed(results),
        _panes(results),
        _flights(results),
        _sizes(results),
        _redo(),
    )
    return "\n\n".join(parts) + "\n"


def _head(results: Results) -> str:
    return _joined(
        "# What sequential detectors are worth",
        _paragraph(
            f"Written by `make detectors`, never by hand; seed {results.seed}. Names are those of the",
            "configuration, with the defaults of `detectors/sequential/`, where each is described; bold ones",
            "are on by default. They read the errors of a model pane by closed pane, spread evenly inside a",
            "pane. *page_hinkley, unit of the reference* has losses divided by twice the standard deviation",
            f"of the reference's. *River's default* is the same detector with River's parameters. *{ALWAYS}*",
            "alarms without looking: what cannot beat it is worth nothing.",
        ),
    )


def _stable(results: Results) -> str:
    head = ["streams with a false alarm (all false alarms)"]
    head += [f"{rate:.0%} errors, {_of_panes(n)}" for n in PANES for rate in RATES]
    rows = [[name, *(_pair(results.stable[name, rate, n]) for n in PANES for rate in RATES)] for name in CONTENDERS]
    rows.append([ALWAYS, *[_pair((results.n_stable, results.n_stable * (N_STREAM // EVERY)))] * (len(head) - 1)])
    return _joined(
        f"## Stable: {results.n_stable} streams of {N_STREAM:,} independent errors of one rate",
        _paragraph(
            "At most one stream with a false alarm is wanted of those on by default. Errors spread evenly vary",
            "less inside a pane than the events did, so that most detectors have fewer false alarms by panes;",
            "one by one is the hardest for those on by default.",
        ),
        _table(head, rows),
    )


def _changed(results: Results) -> str:
    parts = []
    for kind in WIDTHS:
        head = [kind, *(_rates(name, results.streams[name, kind]) for name in CONCEPTS)]
        rows = [
            [contender, *(_cell(results.outcomes[N_PANE, name, kind, contender]) for name in CONCEPTS)]
            for contender in (*CONTENDERS, ALWAYS)
        ]
        parts.append(_table(head, rows))
    return _joined(
        f"## One change: median delay (missed / false alarms), {results.n_seeds} streams each, panes of {N_PANE}",
        _paragraph(
            "`river.datasets.synth`: SEA (variants 2 and 3, noise 10 %), Agrawal (function s, then s + 1,",
            "perturbation 5 %; s is the seed), STAGGER (likewise), hyperplane (weights drawn anew, noise 5",
            f"%). A decision tree of depth 8 learns from {N_TRAINING:,} rows, and is not trained again;",
            f"{N_REFERENCE:,} rows are its reference; then {N_BEFORE:,} rows before the change begins and",
            f"{N_AFTER:,} from there. *Abrupt*: all rows from there are the new concept's. *Gradual*: its",
            f"share rises along a logistic curve, 2 % at the beginning, 98 % {WIDTHS['gradual']:,} rows later.",
            "Delay: labelled predictions from there to the end of the pane with the first alarm. Missed: none",
            f"came. False: all alarms in the {N_BEFORE:,} rows before, over all streams. In brackets the mean",
            "error rate before, and in the last half after. Some of the changes are small: a model that loses",
            "nothing has no alarm.",
        ),
        *parts,
    )


def _panes(results: Results) -> str:
    sizes = sorted({n for n, *_ in results.outcomes})
    rows = []
    for contender in (*CONTENDERS, ALWAYS):
        cells = [
            _cell([one for name in CONCEPTS for kind in WIDTHS for one in results.outcomes[n, name, kind, contender]])
            for n in sizes
        ]
        rows.append([contender, *cells])
    number = results.n_seeds * len(CONCEPTS) * len(WIDTHS)
    return _joined(
        f"## The same by the size of a pane: all {number} streams",
        _paragraph(
            "A pane ends later than its events, and what is shorter than a pane is not seen: `kswin` and",
            "`hddm_w`, which look at some tens of losses, lose most by panes, of changes and of false alarms.",
            "`ddm` takes the first error for a change where its first 30 losses were all right, which even",
            "spacing of rare errors makes a rule.",
        ),
        _table(["median delay (missed / false alarms)", *(_of_panes(n) for n in sizes)], rows),
    )


def _flights(results: Results) -> str:
    flights = results.flights
    rates = ["*error rate*", *(f"{rate:.1%}" for rate in flights.rates)]
    tables = [
        _table([title, *MONTHS], [rates, *([name, *(str(n or "") for n in months)] for name, months in alarms.items())])
        for title, alarms in (("panes of an hour", flights.alarms), ("days, design effect", flights.effective))
    ]
    return _joined(
        "## The flights: alarms by month",
        _paragraph(
            "The demo's flights of 2013 and its model, which has learned from January: was the class right?",
            "A label comes at the scheduled arrival. January is the reference, and is read first. Not",
            "simulated: what is found is for a person to read. Errors depend on the hour and on the weather",
            "of the day, so that they come in bunches: detectors that believe them independent alarm every",
            "day. The second table has panes of a day and January's design effect: days vary",
            f"{flights.design_effect:.0f} times as much as independent errors would, and a pane counts as so many",
            "times fewer losses.",
        ),
        *tables,
    )


def _sizes(results: Results) -> str:
    return _joined(
        "## Size of the state after 100,000 losses",
        _table(["detector", "bytes"], [[name, f"{size:,}"] for name, size in results.sizes.items()]),
    )


def _redo() -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    return _joined(
        "## To do it again",
        _paragraph(
            '`make detectors`; `ARGS="--seeds 2 --stable 5"` is quicker. The same numbers write the same page. With',
            f"{versions}.",
        ),
    )


def _cell(outcomes: Sequence[Outcome]) -> str:
    delays = [one.delay for one in outcomes if one.delay is not None]
    median = f"{statistics.median_low(delays):,}" if delays else "-"
    return f"{median} ({len(outcomes) - len(delays)} / {sum(one.false for one in outcomes):,})"


def _rates(name: str, pairs: Sequence[tuple[float, float]]) -> str:
    before, after = (statistics.fmean(pair[side] for pair in pairs) for side in (0, 1))
    return f"{name} ({before:.0%} to {after:.0%})"


def _pair(found: tuple[int, int]) -> str:
    return f"{found[0]} ({found[1]:,})" if found[0] else "0"


def _of_panes(n: int) -> str:
    return "one by one" if n == 1 else f"panes of {n:,}"


def _joined(*blocks: str) -> str:
    return "\n\n".join(blocks)


def _paragraph(*parts: str) -> str:
    return textwrap.fill(" ".join(parts), 120, break_long_words=False, break_on_hyphens=False)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
