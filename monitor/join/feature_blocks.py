"""From decoded events to the features that `drift.joins` carries: what was served, and what was computed again. Pure.

*Served* is an event with an id that speaks of its prediction and of features; *recomputed* one with an id that speaks
of features alone. The latter is the same prediction once more: it is compared, and counted in no sketch.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from detectors.arrays import Bools
from detectors.columns import ABSENT, CODE_ABSENT, CODE_INVALID, CODE_NULL, Column
from detectors.reference import Reference
from monitor.errors import InputError
from monitor.events.batch import Batch, where
from monitor.events.models import LABEL, SCORE
from monitor.join import feature_records as rec
from monitor.join.block import Features
from monitor.join.feature_records import FeatureShape, category_hash
from monitor.join.outgoing import by_hash
from monitor.join.records import set_times
from monitor.sketching.versions import bounded


class FeatureBlocks:
    """Blocks of the features of one model.

    Parameters
    ----------
    reference
        whose columns events are decoded by.
    pane_ms, max_versions
        how the model's events are cut.
    columns
        those that are compared; None: all features.

    Raises
    ------
    InputError
        More than `monitor.join.feature_records.MAX_COLUMNS` of them.
    """

    def __init__(
        self, model: str, reference: Reference, pane_ms: int, max_versions: int, columns: Sequence[str] | None = None
    ) -> None:
        observed = reference.layout.observed
        numeric = [observed.columns[index] for index in observed.numeric]
        categorical = [observed.columns[index] for index in observed.categorical]
        self._said = ([_is_prediction(one) for one in numeric], [_is_prediction(one) for one in categorical])
        wanted = {one.name for one in (*numeric, *categorical) if not _is_prediction(one)}
        if columns is not None:
            wanted &= set(columns)
        if len(wanted) > rec.MAX_COLUMNS:
            raise InputError(
                f"model {model!r} would have {len(wanted):,} features compared; at most {rec.MAX_COLUMNS:,} can be",
                hint="name those that matter in feature_skew.columns",
            )
        self._numeric = [row for row, one in enumerate(numeric) if one.name in wanted]
        self._categorical = [(row, _table(one)) for row, one in enumerate(categorical) if one.name in wanted]
        self._unseen = {row: categorical[row].unseen for row, _ in self._categorical}
        self._hashes: dict[str, int] = {}
        self._max_versions = max_versions
        self.shape = FeatureShape(
            model=model,
            reference=reference.digest,
            pane_ms=pane_ms,
            numeric=tuple(numeric[row].name for row in self._numeric),
            categorical=tuple(categorical[row].name for row, _ in self._categorical),
        )

    def sides(self, batch: Batch) -> tuple[Bools, Bools]:
        """(n,) which rows were served, and which were computed again."""
        if batch.ids is None:
            none = np.zeros(batch.n, dtype=np.bool_)
            return none, none
        with_id: Bools = (batch.ids != 0).any(axis=1)
        features = self._spoken(batch, said=False) & with_id
        said = self._spoken(batch, said=True)
        return features & said, features & ~said

    def live(self, batch: Batch) -> Batch:
        """The events that are counted in sketches: all but those that were computed again."""
        return where(batch, ~self.sides(batch)[1])

    def blocks(self, batch: Batch, n_partitions: int) -> Iterator[tuple[int, Features]]:
        """Partition and block, of the rows of both sides."""
        sides = self.sides(batch)
        if batch.ids is None or not any(side.any() for side in sides):
            return
        ids = batch.ids
        batch = bounded(batch, self.shape.pane_ms, self._max_versions)
        records = np.empty(batch.n, dtype=self.shape.dtype)
        set_times(records, batch.timestamps_ms)
        records["version"] = batch.version_codes
        values = records["values"]
        for place, row in enumerate(self._numeric):
            values[:, place] = (batch.numeric[row] + 0.0).view(np.uint64)  # -0.0 + 0.0 is 0.0
        for place, (row, table) in enumerate(self._categorical, len(self._numeric)):
            values[:, place] = table[batch.codes[row]]
            for at, text in batch.unseen.get(row, ()):
                values[at, place] = self._hash(text)
        matrix = records.view(np.uint8).reshape(batch.n, records.dtype.itemsize)
        for recomputed, side in zip((False, True), sides, strict=True):
            for partition, rows in by_hash(ids, side, n_partitions):
                yield (
                    partition,
                    Features(
                        shape=self.shape,
                        recomputed=recomputed,
                        versions=batch.versions,
                        ids=ids[rows].tobytes(),
                        columns=matrix[rows].T.tobytes(),
                    ),
                )

    def _spoken(self, batch: Batch, *, said: bool) -> Bools:
        """(n,) which rows speak of their prediction, or of features."""
        spoken = np.zeros(batch.n, dtype=np.bool_)
        matrices: tuple[tuple[Any, float], ...] = ((batch.numeric, ABSENT), (batch.codes, CODE_ABSENT))
        for (matrix, absent), own in zip(matrices, self._said, strict=True):
            for row, is_prediction in enumerate(own):
                if is_prediction is said and not spoken.all():
                    spoken |= matrix[row] != absent
        return spoken

    def _hash(self, text: str) -> int:
        if text not in self._hashes:
            if len(self._hashes) >= _MOST_HASHES:
                self._hashes.clear()
            self._hashes[text] = category_hash(text)
        return self._hashes[text]


_MOST_HASHES = 100_000


def live_batches(batches: Sequence[Batch], features: Mapping[str, FeatureBlocks]) -> Sequence[Batch]:
    """What is counted in sketches."""
    if not features:
        return batches
    own = [features[batch.model].live(batch) if batch.model in features else batch for batch in batches]
    return [batch for batch in own if batch.n]


def features_by_partition(
    batches: Sequence[Batch], features: Mapping[str, FeatureBlocks], n_partitions: int
) -> Mapping[int, list[Features]]:
    """All blocks of features of one commit."""
    found: dict[int, list[Features]] = {}
    for batch in batches:
        if batch.model in features:
            for partition, block in features[batch.model].blocks(batch, n_partitions):
                found.setdefault(partition, []).append(block)
    return found


def _is_prediction(column: Column) -> bool:
    return column.name in (SCORE, LABEL) or column.name.startswith(f"{SCORE}.")


def _table(column: Column) -> Any:
    """(n_cells + 3,) uint64: what stands for each code; negative codes count from the end."""
    table = np.zeros(column.n_cells + 3, dtype=np.uint64)
    table[: len(column.categories)] = [category_hash(text) for text in column.categories]
    table[column.other] = rec.OTHER
    table[CODE_NULL], table[CODE_INVALID], table[CODE_ABSENT] = rec.NULL, rec.INVALID, rec.ABSENT
    return table
