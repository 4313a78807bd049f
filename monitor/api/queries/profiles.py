"""What a column held: its counts over any span, added up from panes, beside its reference's."""

from collections.abc import Sequence
from typing import Final

import msgspec

from monitor.api.source import Source

_IN_SPAN = (
    "pane_start >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') "
    "AND pane_end <= fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')"
)
_REFERENCES = """
    SELECT reference, segment, column, any(r.kind) AS kind, any(r.n) AS n, any(r.nulls) AS nulls, any(r.edges) AS edges,
        any(r.categories) AS categories, any(r.counts) AS counts, any(r.decile) AS decile
    FROM references AS r
    WHERE model = {model:String} AND segment IN {segments:Array(String)}
        AND (column = {column:String} OR {column:String} = '')
    GROUP BY reference, segment, column
"""  # a reference may be known under several version labels; its content is the same under each
_LIVE = f"""
    SELECT reference, segment, column, any(p.kind) AS kind, sum(p.n) AS n, sum(p.nulls) AS nulls,
        sum(p.invalid) AS invalid, min(p.minimum) AS minimum, max(p.maximum) AS maximum, sumForEach(p.counts) AS counts,
        sumIf(p.mean * p.n, p.n > 0) / sum(p.n) AS mean, max(pane_end) AS newest,
        arraySlice(arrayReverseSort(x -> x.2, groupArrayArray(arrayMap(x -> (x.value, x.count), p.frequent_unseen))), 1, 5)
            AS frequent
    FROM column_profiles_latest AS p
    WHERE model = {{model:String}} AND version = {{version:String}} AND segment IN {{segments:Array(String)}}
        AND (column = {{column:String}} OR {{column:String}} = '') AND {_IN_SPAN}
    GROUP BY reference, segment, column
"""  # noqa: S608 - our own words
_DISTRIBUTION: Final = f"""
SELECT * EXCEPT (newest, reference_cells, live_cells),
    driftline_psi(reference_cells, live_cells) AS psi, driftline_js(reference_cells, live_cells) AS js
FROM
(
    -- A step of its own: functions are written out where they are used, and their arguments with them, each time.
    SELECT live.reference AS reference, live.segment AS segment, live.column AS column, live.kind AS kind,
        live.n AS n, live.nulls AS nulls, live.invalid AS invalid, live.newest AS newest,
        live.minimum AS minimum, live.maximum AS maximum, live.mean AS mean, live.counts AS counts,
        arrayMap(x -> x.1, live.frequent) AS frequent_unseen,
        pinned.n AS reference_n, pinned.nulls AS reference_nulls, pinned.edges AS edges, pinned.categories AS categories,
        pinned.counts AS reference_counts,
        driftline_cells(live.kind, pinned.counts, pinned.nulls, pinned.decile) AS reference_cells,
        driftline_cells(live.kind, live.counts, live.nulls, pinned.decile) AS live_cells
    FROM ({_LIVE}) AS live INNER JOIN ({_REFERENCES}) AS pinned
        ON live.reference = pinned.reference AND live.column = pinned.column AND live.segment = pinned.segment
    ORDER BY newest DESC, reference LIMIT 1 BY segment
)
"""  # noqa: S608
_PANES: Final = f"""
SELECT reference, toUnixTimestamp64Milli(min(pane_start)) AS start_ms, toUnixTimestamp64Milli(max(pane_end)) AS end_ms,
    sum(p.n) AS n, sum(p.nulls) AS nulls, sum(p.invalid) AS invalid,
    min(p.minimum) AS minimum, max(p.maximum) AS maximum, sumForEach(p.counts) AS counts
FROM column_profiles_latest AS p
WHERE model = {{model:String}} AND version = {{version:String}} AND segment = {{segment:String}}
    AND column = {{column:String}} AND {_IN_SPAN}
GROUP BY reference, intDiv(toUnixTimestamp64Milli(pane_start) - {{from_ms:Int64}}, {{bucket_ms:Int64}}) AS bucket
ORDER BY start_ms LIMIT 2000
"""  # noqa: S608
_VERSUS: Final = f"""
SELECT * EXCEPT (a_cells, b_cells), driftline_psi(a_cells, b_cells) AS psi, driftline_js(a_cells, b_cells) AS js
FROM
(
SELECT column, any(kind) AS kind,
    sumIf(n, version = {{version:String}}) AS a_n, sumIf(n, version = {{other:String}}) AS b_n,
    sumIf(nulls, version = {{version:String}}) AS a_nulls, sumIf(nulls, version = {{other:String}}) AS b_nulls,
    anyIf(mean, version = {{version:String}}) AS a_mean, anyIf(mean, version = {{other:String}}) AS b_mean,
    anyIf(cells, version = {{version:String}}) AS a_cells, anyIf(cells, version = {{other:String}}) AS b_cells
FROM
(
    SELECT live.column AS column, live.version AS version, live.kind AS kind, live.reference AS reference,
        live.n AS n, live.nulls AS nulls, live.mean AS mean,
        driftline_cells(live.kind, live.counts, live.nulls, pinned.decile) AS cells
    FROM
    (
        SELECT reference, version, column, any(p.kind) AS kind, sum(p.n) AS n, sum(p.nulls) AS nulls,
            sumIf(p.mean * p.n, p.n > 0) / sum(p.n) AS mean, sumForEach(p.counts) AS counts
        FROM column_profiles_latest AS p
        WHERE model = {{model:String}} AND version IN ({{version:String}}, {{other:String}})
            AND segment = {{segment:String}} AND {_IN_SPAN}
        GROUP BY reference, version, column
    ) AS live INNER JOIN ({_REFERENCES}) AS pinned
        ON live.reference = pinned.reference AND live.column = pinned.column
)
GROUP BY reference, column HAVING a_n > 0 AND b_n > 0
)
ORDER BY js DESC, column LIMIT 2000
"""  # noqa: S608


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """A column of a segment over a span, and in the reference that fixed its cells.

    Attributes
    ----------
    n, nulls, invalid: values; `n` are the valid ones.
    minimum, maximum, mean: of a numeric column.
    counts, reference_counts: a count a cell; categorical: one a category, then `other` and `unseen`.
    edges: (cells - 1,) of a numeric column; categories: of a categorical one.
    frequent_unseen: of the values that the reference lacks, some that were frequent.
    psi, js: between the two; None where a side is empty.
    """

    reference: str
    segment: str
    column: str
    kind: str
    n: int
    nulls: int
    invalid: int
    minimum: float | None
    maximum: float | None
    mean: float | None
    counts: list[int]
    frequent_unseen: list[str]
    reference_n: int
    reference_nulls: int
    edges: list[float]
    categories: list[str]
    reference_counts: list[int]
    psi: float | None
    js: float | None


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """Some panes of a column, added up."""

    reference: str
    start_ms: int
    end_ms: int
    n: int
    nulls: int
    invalid: int
    minimum: float | None
    maximum: float | None
    counts: list[int]


class Versus(msgspec.Struct, frozen=True, kw_only=True):
    """A column of two versions `a` and `b` that were counted in one reference's cells."""

    column: str
    kind: str
    a_n: int
    b_n: int
    a_nulls: int
    b_nulls: int
    a_mean: float | None
    b_mean: float | None
    psi: float | None
    js: float | None


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """Panes that lie wholly in [from_ms, to_ms), of one version and segment."""

    model: str
    version: str
    from_ms: int
    to_ms: int
    segment: str = ""


def distribution(source: Source, span: Span, column: str) -> Distribution | None:
    """Of the span's segment; None without panes, or where the reference is not known."""
    return distributions(source, span, column, [span.segment]).get(span.segment)


def distributions(source: Source, span: Span, column: str, segments: Sequence[str]) -> dict[str, Distribution]:
    """By segment, those that have panes, each beside the reference in use last."""
    parameters = {**msgspec.structs.asdict(span), "column": column, "segments": list(segments)}
    return {found.segment: found for found in source.rows(_DISTRIBUTION, Distribution, parameters)}


def buckets(source: Source, span: Span, column: str, bucket_ms: int) -> list[Bucket]:
    """In order of time, each of so many milliseconds of panes."""
    parameters = {**msgspec.structs.asdict(span), "column": column, "bucket_ms": bucket_ms}
    return source.rows(_PANES, Bucket, parameters)


def versus(source: Source, span: Span, other: str) -> list[Versus]:
    """The columns of the span's version beside another's, the most different first."""
    return source.rows(_VERSUS, Versus, {**msgspec.structs.asdict(span), "other": other, "column": "", "segments": [span.segment]})
