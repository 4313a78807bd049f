"""What is measured beside what, and the figures to reach."""

from typing import Final

import msgspec

from monitor.bench.report import Target


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One result of a pair: `ours` and `theirs` are the measures' names in what a round gives."""

    name: str
    unit: str
    yardstick: str
    ours: str
    theirs: str
    target: Target | None = None


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """Two pieces of work, each in a process of its own, that take turns.

    `case` and `beside` are names in `monitor.bench.worker.CASES`, or that of a script for another Python. `most_rounds`
    is fewer than are asked for where a round takes minutes.
    """

    title: str
    case: str
    beside: str
    figures: tuple[Figure, ...]
    most_rounds: int = 50


RATE: Final = "events/s"

DECODING: Final = (
    Pair(
        title="JSON",
        case="json",
        beside="msgspec",
        figures=(
            Figure(
                name="JSON decode + sketch, one event a message",
                unit=RATE,
                yardstick="msgspec decode of the same messages into typed structs, alone",
                ours="rate",
                theirs="rate",
                target=Target(value=0.8, of="ratio"),
            ),
        ),
    ),
    Pair(
        title="sketching",
        case="sketch",
        beside="binning",
        figures=(
            Figure(
                name="sketch alone, whole and segments, of decoded values",
                unit=RATE,
                yardstick="NumPy searchsorted + bincount of the same values, whole only, no moments",
                ours="rate",
                theirs="rate",
            ),
        ),
    ),
    Pair(
        title="Arrow",
        case="arrow",
        beside="sketch",
        figures=(
            Figure(
                name="Arrow decode + sketch",
                unit=RATE,
                yardstick="sketch alone, of the decoded values",
                ours="rate",
                theirs="rate",
                target=Target(value=0.75, of="ratio"),
            ),
        ),
    ),
)
MULTIVARIATE: Final = tuple(
    Pair(
        title=f"multivariate, {which}",
        case=f"{case}_multivariate",
        beside=case,
        figures=(
            Figure(
                name=f"{which} decode + sketch with `multivariate: true`",
                unit=RATE,
                yardstick="the same without it",
                ours="rate",
                theirs="rate",
                target=Target(value=target, of="ratio"),
            ),
        ),
    )
    for which, case, target in (("JSON", "json", 0.7), ("Arrow", "arrow", 0.5))
)
_STORE: Final = "RocksDB alone: the same rows put, looked up in another order, and put again"
LABELS: Final = (
    Pair(
        title="labels, ingest",
        case="json_labelled",
        beside="json_unlabelled",
        figures=(
            Figure(
                name="JSON decode + sketch + blocks for the join",
                unit=RATE,
                yardstick="the same without labels",
                ours="rate",
                theirs="rate",
                target=Target(value=0.8, of="ratio"),
            ),
        ),
    ),
    Pair(
        title="labels, join",
        case="join",
        beside="join_store",
        figures=(
            Figure(
                name="predictions joined with their labels, state on disk",
                unit=RATE,
                yardstick=_STORE,
                ours="rate",
                theirs="rate",
                target=Target(value=100_000.0, of="value"),
            ),
            Figure(
                name="a pending prediction of 25 columns on disk",
                unit="B",
                yardstick="its id and its record",
                ours="disk",
                theirs="disk",
                target=Target(value=100.0, of="value", less_is_better=True),
            ),
            Figure(
                name="rows of the join's state restored from its changelog",
                unit=RATE,
                yardstick=_STORE,
                ours="recovery",
                theirs="recovery",
            ),
        ),
    ),
    Pair(
        title="labels, 10 million predictions that wait",
        case="join_pending",
        beside="join_store",
        most_rounds=1,
        figures=(
            Figure(
                name="labels joined while the predictions of 30 days wait, 10 million of them on disk",
                unit=RATE,
                yardstick=_STORE,
                ours="rate",
                theirs="rate",
                target=Target(value=100_000.0, of="value"),
            ),
            Figure(
                name="a pending prediction in memory, of 10 million, caches and all",
                unit="B",
                yardstick="its id alone",
                ours="memory",
                theirs="memory",
                target=Target(value=30.0, of="value", less_is_better=True),
            ),
            Figure(
                name="10 million pending predictions restored after the disk was lost",
                unit="s",
                yardstick=f"{_STORE}, as many",
                ours="seconds",
                theirs="seconds",
            ),
            Figure(
                name="rows of 10 million pending predictions restored",
                unit=RATE,
                yardstick=_STORE,
                ours="recovery",
                theirs="recovery",
            ),
        ),
    ),
    Pair(
        title="labels, join and performance",
        case="join_measured",
        beside="join_store",
        figures=(
            Figure(
                name="predictions joined with labels in order of time, and counted in performance sketches",
                unit=RATE,
                yardstick=_STORE,
                ours="rate",
                theirs="rate",
                target=Target(value=100_000.0, of="value"),
            ),
        ),
    ),
)
KAFKA: Final = Pair(
    title="Kafka",
    case="ingest",
    beside="consume",
    figures=(
        Figure(
            name="Kafka to committed deltas, JSON one event a message",
            unit=RATE,
            yardstick="confluent-kafka consume() of the same topic with the same settings, alone",
            ours="rate",
            theirs="rate",
            target=Target(value=0.6, of="ratio"),
        ),
        Figure(
            name="Kafka to committed deltas, per processor second",
            unit=RATE,
            yardstick="confluent-kafka consume() of the same topic with the same settings, alone",
            ours="cpu_rate",
            theirs="cpu_rate",
        ),
    ),
)
SCORING: Final = Pair(
    title="scoring",
    case="score",
    beside="loop",
    figures=(
        Figure(
            name="score 1,000 numeric columns x psi, ks, js, chi2",
            unit="s",
            yardstick="NumPy and SciPy column by column, from the same counts",
            ours="seconds",
            theirs="seconds",
            target=Target(value=0.1, of="value", less_is_better=True),
        ),
    ),
)
RESULTS: Final = Pair(
    title="results",
    case="results",
    beside="insert",
    figures=(
        Figure(
            name="verdicts to rows in ClickHouse",
            unit="rows/s",
            yardstick="insert_arrow of the same rows into chDB, alone",
            ours="rate",
            theirs="rate",
            target=Target(value=0.185, of="ratio"),
        ),
    ),
)
FLIGHTS: Final = (
    Pair(
        title="scores of the flights",
        case="flight_scores",
        beside="flight_loop",
        figures=(
            Figure(
                name="the demo's flights, a score a column, segment and method",
                unit="scores/s",
                yardstick="NumPy and SciPy column by column, from the same counts",
                ours="rate",
                theirs="rate",
                target=Target(value=200_000, of="value"),
            ),
        ),
    ),
    Pair(
        title="flights",
        case="flights",
        beside="flight_sketches",
        figures=(
            Figure(
                name="the demo's flights, decoded events to messages of results",
                unit=RATE,
                yardstick="the same events sketched, alone",
                ours="rate",
                theirs="rate",
            ),
        ),
    ),
)
MEMORY: Final = Pair(
    title="memory",
    case="memory",
    beside="raw",
    figures=tuple(
        Figure(
            name=f"memory a numeric column and pane: {what}",
            unit="B",
            yardstick="the pane's 10,000 raw values as float64",
            ours=measure,
            theirs="raw",
            target=Target(value=1_000, of="value", less_is_better=True),
        )
        for what, measure in (
            ("sketch in memory", "live"),
            ("encoded, before compression", "encoded"),
            ("message on the wire", "wire"),
            ("stored by score", "stored"),
        )
    ),
)
LATENCY: Final = Pair(
    title="latency",
    case="latency",
    beside="hops",
    figures=tuple(
        Figure(
            name=f"window close to row in ClickHouse, {what}",
            unit="s",
            yardstick="one message sent and read back three times through the same broker",
            ours=measure,
            theirs=measure,
            target=target,
        )
        for what, measure, target in (
            ("median", "median", Target(value=0.3, of="value", less_is_better=True)),
            ("99th percentile", "p99", Target(value=0.8, of="value", less_is_better=True)),
        )
    ),
)

CHECK: Final = Pair(
    title="check",
    case="check",
    beside="import_numpy",
    figures=(
        Figure(
            name="driftline check, processor time of the process",
            unit="s",
            yardstick="a process that imports NumPy",
            ours="seconds",
            theirs="seconds",
            target=Target(value=4.0, of="ratio", less_is_better=True),
        ),
    ),
)
IDLE: Final = Pair(
    title="idle",
    case="idle",
    beside="idle_numpy",
    figures=tuple(
        Figure(
            name=f"all processes of driftline up, idle after 60,000 events: {what}",
            unit="B",
            yardstick="as many Python processes that have imported NumPy",
            ours=measure,
            theirs=measure,
            target=target,
        )
        for what, measure, target in (
            ("resident", "rss", Target(value=0.8e9, of="value", less_is_better=True)),
            ("proportional (shared pages counted once)", "pss", None),
        )
    ),
)

PAIRS: Final = (*DECODING, *MULTIVARIATE, *LABELS, KAFKA, LATENCY, SCORING, RESULTS, *FLIGHTS, MEMORY, CHECK, IDLE)

PEERS: Final = tuple(
    Pair(
        title=title,
        case="sketch",
        beside=case,
        figures=(
            Figure(
                name=f"sketch alone, beside whylogs {what}",
                unit=RATE,
                yardstick=f"whylogs {what}, whole only",
                ours="rate",
                theirs="rate",
            ),
        ),
    )
    for title, case, what in (
        ("whylogs, frames", "whylogs_frames", "on data frames of 10,000 rows"),
        ("whylogs, rows", "whylogs_rows", "row by row"),
    )
)

WEEK: Final = tuple(
    Pair(
        title=f"{library}, a week of flights",
        case="flights_week",
        beside=library,
        figures=(
            Figure(
                name=f"a week of flights, decoded rows to PSI of every column, beside {library}",
                unit="s",
                yardstick=what,
                ours="seconds",
                theirs="seconds",
            ),
        ),
    )
    for library, what in (
        ("evidently", "Evidently: PSI of the same columns of a data frame, without p-values"),
        ("nannyml", "NannyML: Jensen-Shannon distance of the same columns of a data frame; it has no PSI"),
        ("whylogs", "whylogs: a profile of the same data frame, compared with nothing; it has no PSI"),
    )
)
