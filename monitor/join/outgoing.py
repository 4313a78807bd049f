"""From decoded predictions and labels to what `drift.joins` carries: blocks by the hash of the id. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from detectors.arrays import Bools
from detectors.columns import ABSENT, CODE_ABSENT
from detectors.reference import Reference
from monitor.events.batch import Batch
from monitor.events.label_batch import LabelBatch
from monitor.events.models import LABEL as PREDICTED
from monitor.events.models import SCORE
from monitor.join.block import Labels, Predictions, columns_of
from monitor.join.coarse import CoarseColumns
from monitor.join.records import CLASS, LABEL, MAX_CODE, NUMBER, Shape, numbers, set_times
from monitor.sketching.versions import bounded

MAX_BLOCK_ROWS: Final = 50_000
"""Rows of one block: the message is then below 8 MB for 100 columns."""


class PredictionBlocks:
    """Blocks of the predictions of one model.

    Parameters
    ----------
    reference
        whose codes and cells predictions have.
    pane_ms, max_versions
        how the model's events are cut.
    """

    def __init__(self, model: str, reference: Reference, pane_ms: int, max_versions: int) -> None:
        observed = reference.layout.observed
        names = [observed.columns[index].name for index in observed.numeric]
        self._scores = [row for row, name in enumerate(names) if name == SCORE or name.startswith(f"{SCORE}.")]
        categorical = [observed.columns[index].name for index in observed.categorical]
        self._label = categorical.index(PREDICTED) if PREDICTED in categorical else None
        self._coarse = CoarseColumns(reference)
        self._max_versions = max_versions
        self.shape = Shape(
            model=model,
            reference=reference.digest,
            pane_ms=pane_ms,
            n_scores=len(self._scores),
            n_dimensions=len(reference.dimensions),
            n_columns=len(self._coarse.names),
        )

    def wanted(self, batch: Batch) -> Bools:
        """(n,) the rows that have an id and speak of their prediction."""
        if batch.ids is None:
            return np.zeros(batch.n, dtype=np.bool_)
        wanted: Bools = (batch.ids != 0).any(axis=1)
        spoken = [batch.numeric[row] != ABSENT for row in self._scores]
        if self._label is not None:
            spoken.append(batch.codes[self._label] != CODE_ABSENT)
        return wanted & np.any(spoken, axis=0) if spoken else wanted

    def blocks(self, batch: Batch, n_partitions: int) -> Iterator[tuple[int, Predictions]]:
        """Partition and block, of all rows that have an id and speak of their prediction."""
        wanted = self.wanted(batch)
        if batch.ids is None or not wanted.any():
            return
        ids = batch.ids
        batch = bounded(batch, self.shape.pane_ms, self._max_versions)
        records = np.empty(batch.n, dtype=self.shape.dtype)
        set_times(records, batch.timestamps_ms)
        records["version"] = batch.version_codes
        records["class"] = CODE_ABSENT if self._label is None else batch.codes[self._label]
        if self._scores:
            records["scores"] = batch.numeric[self._scores].T
        records["segments"] = np.clip(batch.segments, 0, MAX_CODE).T
        records["cells"] = self._coarse.packed(batch).T
        matrix = records.view(np.uint8).reshape(batch.n, records.dtype.itemsize)  # copied far faster than records are
        for partition, rows in by_hash(ids, wanted, n_partitions):
            yield (
                partition,
                Predictions(
                    shape=self.shape,
                    versions=batch.versions,
                    ids=ids[rows].tobytes(),
                    columns=matrix[rows].T.tobytes(),
                ),
            )


def label_blocks(batch: LabelBatch, n_partitions: int) -> Iterator[tuple[int, Labels]]:
    """Partition and block, of all labels."""
    records = np.empty(batch.n, dtype=LABEL)
    set_times(records, batch.timestamps_ms)
    is_class = batch.class_codes >= 0
    records["kind"] = np.where(is_class, CLASS, NUMBER)
    plain = np.where(is_class, 0.0, batch.numbers)
    records["label"] = np.where(is_class, batch.class_codes.astype(np.int64).view(np.uint64), numbers(plain))
    records["value"] = batch.values
    for partition, rows in by_hash(batch.ids, np.ones(batch.n, dtype=np.bool_), n_partitions):
        yield (
            partition,
            Labels(
                model=batch.model,
                classes=batch.classes,
                ids=batch.ids[rows].tobytes(),
                columns=columns_of(records[rows]),
            ),
        )


def blocks_by_partition(
    batches: Sequence[Batch],
    labels: Sequence[LabelBatch],
    models: Mapping[str, PredictionBlocks],
    n_partitions: int,
) -> Mapping[int, tuple[list[Predictions], list[Labels]]]:
    """All blocks of one commit."""
    found: dict[int, tuple[list[Predictions], list[Labels]]] = defaultdict(lambda: ([], []))
    for batch in batches:
        if batch.model in models:
            for partition, block in models[batch.model].blocks(batch, n_partitions):
                found[partition][0].append(block)
    for batch_of_labels in labels:
        for partition, label_block in label_blocks(batch_of_labels, n_partitions):
            found[partition][1].append(label_block)
    return found


def by_hash(ids: Any, wanted: Any, n_partitions: int) -> Iterator[tuple[int, Any]]:
    """The rows of each partition, in their order, and no more than a block takes."""
    partition = (ids[:, 0] % np.uint64(n_partitions)).astype(np.int16)
    partition[~wanted] = n_partitions
    order = np.argsort(partition, kind="stable")
    bounds = np.searchsorted(partition[order], np.arange(n_partitions + 1))
    for number in range(n_partitions):
        for start in range(int(bounds[number]), int(bounds[number + 1]), MAX_BLOCK_ROWS):
            yield number, order[start : min(start + MAX_BLOCK_ROWS, int(bounds[number + 1]))]
