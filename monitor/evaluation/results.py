"""From scores and profiles to the rows of the public output contract (`sinks.records`)."""

import msgspec

from detectors.profile import Profile
from detectors.score import Score
from monitor.evaluation.panes import Group
from monitor.eventtime.windows import Window
from sinks.records import ColumnProfile, DriftScore, LateDropped, ResultBatch, encoded_bytes

# Rows of one message of `drift.results` together, encoded. Far below a broker's limit: one row more may follow, and a
# profile holds up to 64 unseen values, the version of a model is as long as its producer likes.
BYTES_PER_BATCH = 768 * 1024


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where a message of `drift.sketches` stands."""

    topic: str
    partition: int
    offset: int


def score_row(model: str, group: Group, window: Window, revision: int, row: Score) -> DriftScore:
    """One score as a row."""
    return DriftScore(
        model=model,
        version=group[0],
        reference=group[1],
        segment=row.segment,
        column=row.column,
        method=row.method,
        window_start_ms=window.start_ms,
        window_end_ms=window.end_ms,
        statistic=row.statistic,
        p_value=row.p_value,
        q_value=row.q_value,
        threshold=row.threshold,
        drifted=row.drifted,
        insufficient=row.insufficient,
        n_reference=row.n_reference,
        n_current=row.n_current,
        error_bound=row.error_bound,
        revision=revision,
    )


def profile_row(model: str, group: Group, segment: str, interval: Window, revision: int, row: Profile) -> ColumnProfile:
    """One column's profile in one pane as a row."""
    return ColumnProfile(
        model=model,
        version=group[0],
        reference=group[1],
        segment=segment,
        column=row.column,
        kind=row.kind.value,
        pane_start_ms=interval.start_ms,
        pane_end_ms=interval.end_ms,
        n=row.n,
        nulls=row.nulls,
        invalid=row.invalid,
        minimum=row.minimum,
        maximum=row.maximum,
        mean=row.mean,
        std=row.std,
        quantiles=list(row.quantiles),
        counts=row.counts,
        frequent_unseen=[(item.value, item.count, item.error) for item in row.frequent],
        revision=revision,
    )


def batches_of_results(
    source: Source, scores: list[DriftScore], profiles: list[ColumnProfile], late: list[LateDropped]
) -> list[ResultBatch]:
    """The rows in as few messages as a broker's limit allows; none when there are no rows.

    The split is a function of the rows alone, so a repeated message is repeated to the byte.
    """
    batches: list[ResultBatch] = []
    room = 0
    rows: list[DriftScore | ColumnProfile | LateDropped] = [*scores, *profiles, *late]
    for row in rows:
        n_bytes = encoded_bytes(row)
        if not batches or n_bytes > room:
            batches.append(
                ResultBatch(
                    source_topic=source.topic, source_partition=source.partition, source_offset=source.offset,
                    scores=[], profiles=[], late=[],
                )
            )  # fmt: skip
            room = BYTES_PER_BATCH
        if isinstance(row, DriftScore):
            batches[-1].scores.append(row)
        elif isinstance(row, ColumnProfile):
            batches[-1].profiles.append(row)
        else:
            batches[-1].late.append(row)
        room -= n_bytes
    return batches
