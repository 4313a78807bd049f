"""What a column held: its counts over any span, added up from panes, beside its reference's."""

from collections.abc import Sequence
from typing import Final

import msgspec

from detectors.arrays import Floats
from monitor.api.between import compared_cells, js, psi
from monitor.api.source import Source

_IN_SPAN = (
    "pane_start >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') "
    "AND pane_end <= fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')"
)
_REFERENCES: Final = """
SELECT reference, segment, column, any(r.n) AS n, any(r.nulls) AS nulls, any(r.edges) AS edges,
    any(r.categories) AS categories, any(r.counts) AS counts, any(r.decile) AS decile
FROM references AS r
WHERE model = {model:String} AND segment IN {segments:Array(String)}
    AND (column = {column:String} OR {column:String} = '')
GROUP BY reference, segment, column
"""  # a reference may be known under several version labels; its content is the same under each
_LIVE: Final = f"""
SELECT reference, version, segment, column, any(p.kind) AS kind, sum(p.n) AS n, sum(p.nulls) AS nulls,
    sum(p.invalid) AS invalid, min(p.minimum) AS minimum, max(p.maximum) AS maximum,
    sumIf(p.mean * p.n, p.n > 0) / sum(p.n) AS mean, sumForEach(p.counts) AS counts,
    toUnixTimestamp64Milli(max(pane_end)) AS newest_ms,
    arrayMap(x -> x.1, arraySlice(arrayReverseSort(x -> x.2, groupArrayArray(
        arrayMap(x -> (x.value, x.count), p.frequent_unseen))), 1, 5)) AS frequent_unseen
FROM column_profiles_latest AS p
WHERE model = {{model:String}} AND version IN {{versions:Array(String)}} AND segment IN {{segments:Array(String)}}
    AND (column = {{column:String}} OR {{column:String}} = '') AND {_IN_SPAN}
GROUP BY reference, version, segment, column
"""  # noqa: S608 - our own words
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


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """A column of a segment over a span, and in the reference that fixed its cells.

    Attributes
    ----------
    n, nulls, invalid: values; `n` are the valid ones.
    minimum, maximum, mean: of a numeric column.
    counts, reference_counts: a count a cell; categorical: one a category, then `other` and `unseen`.
    edges: (cells - 1,) of a numeric column; categories: of a categorical one.
    frequent_unseen: of the values that the reference lacks, some that were frequent.
    decile: the coarse cell of each cell.
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
    decile: list[int]

    @property
    def psi(self) -> float | None:
        """Between the two, over what `between.compared_cells` says; None where a side is empty."""
        return psi(*self._cells())

    @property
    def js(self) -> float | None:
        """The Jensen-Shannon distance, likewise."""
        return js(*self._cells())

    def _cells(self) -> tuple[Floats, Floats]:
        return (
            compared_cells(self.kind, self.reference_counts, self.reference_nulls, self.decile),
            compared_cells(self.kind, self.counts, self.nulls, self.decile),
        )


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


class _Live(msgspec.Struct):
    reference: str
    version: str
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
    newest_ms: int
    frequent_unseen: list[str]


class _Pinned(msgspec.Struct):
    reference: str
    segment: str
    column: str
    n: int
    nulls: int
    edges: list[float]
    categories: list[str]
    counts: list[int]
    decile: list[int]


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
    found = _live(source, span, [span.version], column, segments)
    pinned = _pinned(source, span.model, column, segments)
    made: dict[str, Distribution] = {}
    for live in sorted(found, key=lambda one: (one.newest_ms, one.reference)):
        known = pinned.get((live.reference, live.segment, live.column))
        if known is not None:
            made[live.segment] = _distribution(live, known)
    return made


# Two statements, put together here: ClickHouse takes longer to join them than to answer both.
def _live(source: Source, span: Span, versions: list[str], column: str, segments: Sequence[str]) -> list[_Live]:
    parameters = {**msgspec.structs.asdict(span), "versions": versions, "column": column, "segments": list(segments)}
    return source.rows(_LIVE, _Live, parameters)


def _pinned(source: Source, model: str, column: str, segments: Sequence[str]) -> dict[tuple[str, str, str], _Pinned]:
    rows = source.rows(_REFERENCES, _Pinned, {"model": model, "column": column, "segments": list(segments)})
    return {(one.reference, one.segment, one.column): one for one in rows}


def _distribution(live: _Live, known: _Pinned) -> Distribution:
    return Distribution(
        reference=live.reference,
        segment=live.segment,
        column=live.column,
        kind=live.kind,
        n=live.n,
        nulls=live.nulls,
        invalid=live.invalid,
        minimum=live.minimum,
        maximum=live.maximum,
        mean=live.mean,
        counts=live.counts,
        frequent_unseen=live.frequent_unseen,
        reference_n=known.n,
        reference_nulls=known.nulls,
        edges=known.edges,
        categories=known.categories,
        reference_counts=known.counts,
        decile=known.decile,
    )


def buckets(source: Source, span: Span, column: str, bucket_ms: int) -> list[Bucket]:
    """In order of time, each of so many milliseconds of panes."""
    parameters = {**msgspec.structs.asdict(span), "column": column, "bucket_ms": bucket_ms}
    return source.rows(_PANES, Bucket, parameters)


def versus(source: Source, span: Span, other: str) -> list[Versus]:
    """The columns of the span's version beside another's, where both were counted in one reference's cells; the most
    different first."""
    pinned = _pinned(source, span.model, "", [span.segment])
    sides: dict[tuple[str, str, str], dict[str, _Live]] = {}
    for live in _live(source, span, [span.version, other], "", [span.segment]):
        sides.setdefault((live.reference, live.segment, live.column), {})[live.version] = live
    lines = [
        _versus(both[span.version], both[other], pinned[place].decile)
        for place, both in sides.items()
        if place in pinned and {span.version, other} <= set(both) and all(side.n for side in both.values())
    ]
    return sorted(lines, key=lambda one: (-(one.js or 0.0), one.column))


def _versus(a: _Live, b: _Live, decile: Sequence[int]) -> Versus:
    cells = [compared_cells(side.kind, side.counts, side.nulls, decile) for side in (a, b)]
    return Versus(
        column=a.column, kind=a.kind, a_n=a.n, b_n=b.n, a_nulls=a.nulls, b_nulls=b.nulls, a_mean=a.mean, b_mean=b.mean,
        psi=psi(*cells), js=js(*cells),
    )  # fmt: skip
