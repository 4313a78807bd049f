"""From scores and profiles to the rows of the public output contract (`sinks.records`)."""

import msgspec

from detectors.profile import Profile
from detectors.score import Score
from monitor.evaluation.state import PaneId
from monitor.windows import Window
from sinks.records import ColumnProfile, DriftScore, LateDropped, ResultBatch

# Rows a message of `drift.results` carries: a profile row holds up to about 500 counts, so 500 of them stay below 1
# MiB.
SCORES_PER_BATCH = 2_000
PROFILES_PER_BATCH = 250


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where a message of `drift.sketches` stands."""

    topic: str
    partition: int
    offset: int


def score_row(model: str, pane: PaneId, window: Window, revision: int, row: Score) -> DriftScore:
    """One score as a row."""
    return DriftScore(
        model=model,
        version=pane.version,
        reference=pane.reference,
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


def profile_row(model: str, pane: PaneId, segment: str, interval: Window, revision: int, row: Profile) -> ColumnProfile:
    """One column's profile in one pane as a row."""
    return ColumnProfile(
        model=model,
        version=pane.version,
        reference=pane.reference,
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
    parts = max(-(-len(scores) // SCORES_PER_BATCH), -(-len(profiles) // PROFILES_PER_BATCH), bool(late))
    return [
        ResultBatch(
            source_topic=source.topic,
            source_partition=source.partition,
            source_offset=source.offset,
            scores=scores[part * SCORES_PER_BATCH : (part + 1) * SCORES_PER_BATCH],
            profiles=profiles[part * PROFILES_PER_BATCH : (part + 1) * PROFILES_PER_BATCH],
            late=late if part == 0 else [],
        )
        for part in range(parts)
    ]
