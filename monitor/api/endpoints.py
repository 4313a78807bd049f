"""The JSON API, version 1: each endpoint once, from which its address, its checks and its documentation come."""

import functools
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from monitor.api import record_rows
from monitor.api.queries import fleet, models, profiles, rejects, verdicts
from monitor.api.source import Source
from sinks.records import RECORDS, Record

PREFIX: Final = "/api/v1"
Text = Annotated[str, Meta(max_length=20_000)]
_MS: Final = "milliseconds since 1970 in UTC"
TimeMs = Annotated[int, Meta(ge=0, le=10_413_791_999_999, description=_MS)]
_Segment = Annotated[Text, Meta(description="empty: all rows together; left out: every segment")]
Limit = Annotated[int, Meta(ge=1, le=record_rows.MOST_ROWS, description="how many rows")]
Offset = Annotated[int, Meta(ge=0, le=1_000_000, description="how many rows to leave out before them")]
Flag = Annotated[bool, Meta(description="only rows of which this is so, or is not")]
# A path of the API, its record, and whether rows are asked of one model.
_OF_RECORDS: Final = (
    ("verdicts", "drift_verdict", True),
    ("scores", "drift_score", True),
    ("windows", "window", True),
    ("profiles", "column_profile", True),
    ("performance", "performance", True),
    ("performance_parts", "performance_part", True),
    ("references", "reference_column", True),
    ("rejects", "reject", False),
    ("alerts", "alert", False),
    ("retraining", "retraining", False),
    ("deliveries", "delivery", False),
    ("label_outcomes", "label_outcome", True),
    ("feature_skew", "feature_skew", True),
    ("late_dropped", "late_dropped", False),
)


class NotFoundError(LookupError):
    """There is nothing of that name; the message says what."""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One address.

    Attributes
    ----------
    path: below `PREFIX`.
    summary: one line for people.
    parameters: a struct whose fields are the query's; unknown ones are refused.
    result: the type of the answer.
    call: makes it. Raises `NotFoundError`.
    """

    path: str
    summary: str
    parameters: type[msgspec.Struct]
    result: Any
    call: Callable[[Source, Any], Any]


class NoParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """None at all."""


class Models(msgspec.Struct, frozen=True):
    """Every model, version and length of windows that there are results of."""

    items: list[models.Sized]


class InSpan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a version held between two instants."""

    model: Text
    version: Text = ""
    segment: Text = ""
    from_ms: Annotated[TimeMs, Meta(description=f"{_MS}: panes that begin then or later")]
    to_ms: Annotated[TimeMs, Meta(description=f"{_MS}: panes that end then or earlier")]

    def span(self) -> profiles.Span:
        """As queries take it."""
        return profiles.Span(
            model=self.model, version=self.version, segment=self.segment, from_ms=self.from_ms, to_ms=self.to_ms
        )


class OfColumn(InSpan, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of one column."""

    column: Text


class OfTwo(InSpan, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Beside another version."""

    other: Text


class DistributionAnswer(msgspec.Struct, frozen=True):
    """A column over the span, beside its reference; PSI and JS are None where a side is empty."""

    distribution: profiles.Distribution
    psi: float | None
    js: float | None


class Columns(msgspec.Struct, frozen=True):
    """Columns of two versions that were counted in the same cells."""

    items: list[profiles.Versus]


class InTime(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Between two instants."""

    from_ms: Annotated[TimeMs, Meta(description=f"{_MS}: windows that end later")]
    to_ms: Annotated[TimeMs, Meta(description=f"{_MS}: windows that end then or earlier")]


class RunsOf(InTime, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What moved: of windows of one length."""

    model: Text
    version: Text = ""
    segment: _Segment | msgspec.UnsetType = msgspec.UNSET
    size_s: Annotated[int, Meta(ge=1, le=100_000_000, description="length of the windows in seconds")]
    column: Text = ""


class Runs(msgspec.Struct, frozen=True):
    """For each column, segment and baseline the last unbroken run of drifted windows."""

    items: list[verdicts.Run]


class Changed(msgspec.Struct, frozen=True):
    """Windows of all rows of all models, and how many columns changed in each, the season apart."""

    items: list[fleet.Changes]


class RejectCounts(msgspec.Struct, frozen=True):
    """Rejects by model and reason."""

    items: list[rejects.RejectCount]


def _models(source: Source, _: NoParameters) -> Models:
    return Models(items=models.sized_windows(source))


def _distribution(source: Source, asked: OfColumn) -> DistributionAnswer:
    found = profiles.distribution(source, asked.span(), asked.column)
    if found is None:
        raise NotFoundError("no panes of this column, version and segment lie in that span")
    return DistributionAnswer(distribution=found, psi=found.psi, js=found.js)


def _versus(source: Source, asked: OfTwo) -> Columns:
    return Columns(items=profiles.versus(source, asked.span(), asked.other))


def _runs(source: Source, asked: RunsOf) -> Runs:
    scope = verdicts.Scope(
        model=asked.model, version=asked.version, size_s=asked.size_s, from_ms=asked.from_ms, to_ms=asked.to_ms
    )
    found = verdicts.runs(source, scope, asked.column)
    return Runs(items=[one for one in found if asked.segment in (msgspec.UNSET, one.segment)])


def _changes(source: Source, asked: InTime) -> Changed:
    longest_s = max((one.size_s for one in models.sized_windows(source)), default=1)
    return Changed(items=fleet.changes(source, asked.from_ms, asked.to_ms, longest_s))


def _reject_counts(source: Source, _: NoParameters) -> RejectCounts:
    return RejectCounts(items=rejects.reject_counts(source))


def _of_record(path: str, record: Record, *, of_model: bool) -> Endpoint:
    names = record_rows.filters(record)
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = [
        (name, Text) if name == "model" and of_model else (name, Text | msgspec.UnsetType, msgspec.UNSET)
        for name in names
    ]
    fields += [(name, Flag | msgspec.UnsetType, msgspec.UNSET) for name in record_rows.flags(record)]
    if (time := record_rows.time_field(record)) is not None:
        for name, when in (("from_ms", "then or later"), ("to_ms", "earlier")):
            said = Meta(description=f"{_MS}: rows whose `{time.name}` is {when}")
            fields.append((name, Annotated[TimeMs, said] | msgspec.UnsetType, msgspec.UNSET))
    fields += [("limit", Limit, 100), ("offset", Offset, 0)]
    title = "".join(part.capitalize() for part in path.split("_"))
    parameters = msgspec.defstruct(f"{title}Query", fields, frozen=True, kw_only=True, forbid_unknown_fields=True)
    page = msgspec.defstruct(
        f"{title}Page",
        [("items", list[record_rows.row_type(record)]), ("next_offset", int | None)],  # type: ignore[misc]  # as above
        frozen=True,
    )

    def call(source: Source, asked: Any) -> Any:
        given = {name: getattr(asked, name, msgspec.UNSET) for name in (*names, *record_rows.flags(record))}
        found = record_rows.rows(
            source,
            record,
            equal={name: value for name, value in given.items() if value is not msgspec.UNSET},
            from_ms=_or_none(getattr(asked, "from_ms", None)),
            to_ms=_or_none(getattr(asked, "to_ms", None)),
            limit=asked.limit + 1,
            offset=asked.offset,
        )
        more = len(found) > asked.limit
        return page(found[: asked.limit], asked.offset + asked.limit if more else None)

    return Endpoint(path=f"/{path}", summary=record.meaning, parameters=parameters, result=page, call=call)


def _or_none(value: Any) -> int | None:
    return value if isinstance(value, int) else None


@functools.cache
def endpoints() -> Mapping[str, Endpoint]:
    """All of them, by path; those of records that this release does not know are not there."""
    own = [
        Endpoint(
            path="/models",
            summary="Every model, version and length of windows, with the times of its results.",
            parameters=NoParameters,
            result=Models,
            call=_models,
        ),
        Endpoint(
            path="/runs",
            summary="What moved, since when, for whom: the last run of drifted windows of each column and segment.",
            parameters=RunsOf,
            result=Runs,
            call=_runs,
        ),
        Endpoint(
            path="/changes",
            summary="How many columns of each model's windows changed, how many differ only as the season does, and "
            "which changed most.",
            parameters=InTime,
            result=Changed,
            call=_changes,
        ),
        Endpoint(
            path="/distribution",
            summary="A column over any span beside its reference, in the reference's cells, with PSI and JS.",
            parameters=OfColumn,
            result=DistributionAnswer,
            call=_distribution,
        ),
        Endpoint(
            path="/versions",
            summary="Two versions side by side: the columns that were counted in the same cells, most different first.",
            parameters=OfTwo,
            result=Columns,
            call=_versus,
        ),
        Endpoint(
            path="/reject_counts",
            summary="How many events were rejected, by model and reason.",
            parameters=NoParameters,
            result=RejectCounts,
            call=_reject_counts,
        ),
    ]
    own += [
        _of_record(path, RECORDS[name], of_model=of_model) for path, name, of_model in _OF_RECORDS if name in RECORDS
    ]
    return {one.path: one for one in own}
