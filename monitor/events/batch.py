"""What decoding gives: columns for the sketches, and rejects for the dead letters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from monitor.events.reasons import Reason

if TYPE_CHECKING:
    from monitor.events.label_batch import LabelBatch
    from monitor.events.looked import Looked

MAX_DETAIL = 200
"""Characters of a reject's detail."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """The events of one model, as columns. Row order is the order of the input.

    Attributes
    ----------
    model
        its name.
    n
        number of events (rows).
    versions
        the distinct versions; version_codes: (n,) int32 indices into them.
    timestamps_ms
        (n,) int64, event time, milliseconds since 1970 UTC, not negative.
    numeric
        (n_numeric, n) float64, rows as `numeric` of the layout that events have, `Layout.observed`; NULL, INVALID and
        ABSENT as in `detectors.columns`.
    codes
        (n_categorical, n) int32, rows as `layout.categorical`; a cell of the column or a negative code.
    segments
        (n_dimensions, n) int32, rows in the order of `ModelSpec.dimensions`: the index of the dimension's
        value, `len(values)` for all others and nulls, "(rest)".
    unseen
        by position in `layout.categorical`: (row, value) of every row whose code is the column's `unseen`.
    sources
        (n,) int32, the message each row came from, as an index into the input; ascending.
    ids
        (n, 2) uint64, the hashes of the predictions' ids (`monitor.events.identity`), (0, 0) where there is none; None
        where nobody asked for them.
    """

    model: str
    n: int
    versions: tuple[str, ...]
    version_codes: npt.NDArray[np.int32]
    timestamps_ms: npt.NDArray[np.int64]
    numeric: npt.NDArray[np.float64]
    codes: npt.NDArray[np.int32]
    segments: npt.NDArray[np.int32]
    unseen: Mapping[int, list[tuple[int, str]]]
    sources: npt.NDArray[np.int32]
    ids: npt.NDArray[np.uint64] | None = None


def where(batch: Batch, kept: npt.NDArray[np.bool_]) -> Batch:
    """The rows where `kept`, (n,), is True, in their order."""
    if kept.all():
        return batch
    place = np.cumsum(kept) - 1
    return replace(
        batch,
        n=int(kept.sum()),
        version_codes=batch.version_codes[kept],
        timestamps_ms=batch.timestamps_ms[kept],
        numeric=batch.numeric[:, kept],
        codes=batch.codes[:, kept],
        segments=batch.segments[:, kept],
        unseen={
            column: [(int(place[row]), value) for row, value in values if kept[row]]
            for column, values in batch.unseen.items()
        },
        sources=batch.sources[kept],
        ids=None if batch.ids is None else batch.ids[kept],
    )


@dataclass(frozen=True, kw_only=True)
class Rejected:
    """One event that could not be counted.

    Attributes
    ----------
    message
        index of its message in the input.
    index
        the event's position in the message.
    reason
        of the closed set.
    detail
        for people; at most 200 characters.
    model
        its model if it, its header or its topic names one that is configured, else "".
    raw
        the event's own bytes where they can be told apart (a row of Arrow is given as JSON), else the message.
    time_ms
        the event's own time, where it could be read, and is not what it was rejected for.
    foreign
        it names a model that is not configured.
    """

    message: int
    index: int
    reason: Reason
    detail: str
    model: str
    raw: bytes
    time_ms: int | None = None
    foreign: bool = False


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """Everything that was in the messages: `n_events` is the rows of `batches` and of `labels`, and `rejects`.

    Attributes
    ----------
    batches
        at most one a model, none of them empty, in the order of the configured models.
    rejects
        in the order of the input.
    n_events
        events read; a message that cannot be divided counts as one.
    labels
        likewise at most one batch a model, of what label topics brought.
    complete_ms
        no row that is still to come is earlier; None: that is not known.
    looked
        by model: what some of its events have that the reference does not know.
    """

    batches: Sequence[Batch]
    rejects: Sequence[Rejected]
    n_events: int
    labels: "Sequence[LabelBatch]" = ()
    complete_ms: int | None = None
    looked: "Mapping[str, Looked]" = field(default_factory=dict)
