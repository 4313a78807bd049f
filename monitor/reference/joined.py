"""The rows of a reference's data with their labels, joined as the stream joins them: by the same blocks and the same
`Joiner`, of which all predictions come first and then all labels.

Some 600 bytes of memory a row.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from detectors.arrays import Bools, Floats, Ints
from detectors.reference import Reference
from monitor.config.schema import Model
from monitor.errors import InputError
from monitor.events.arrow.ids import id_hashes
from monitor.events.batch import Rejected
from monitor.events.label_batch import DecodedLabels
from monitor.events.label_mapping import LabelMapping
from monitor.events.labels import LabelDecoder, LabelSpec
from monitor.events.reasons import Reason
from monitor.events.times import MAX_TIMESTAMP_MS
from monitor.files.labels import iter_labels
from monitor.files.table import Progress, TableFile
from monitor.files.values import as_numbers, as_texts, is_mixed
from monitor.join.matches import Matches
from monitor.join.outgoing import PredictionBlocks
from monitor.join.state import DictStore, read_seal
from monitor.join.step import JoinModel
from monitor.reference.columns import FilePlaces, Leaf, chunks
from monitor.reference.sketches import batches_of
from monitor.replay.joining import JoinReplay

_UNLIMITED_MS: Final = 1 << 48
"""A horizon that nothing exceeds: where predictions or labels have no times."""


@dataclass(frozen=True, kw_only=True, eq=False)
class JoinedRows:
    """Predictions of the reference with their labels.

    Attributes
    ----------
    matches: each prediction once, with the label that counts; None without any.
    n_predictions: different ids of rows that say something of a prediction.
    n_without_id, n_without_time: rows that could not be joined for want of either.
    counts: by one of `monitor.join.outcomes.COUNTS`.
    n_orphans: ids of labels that no prediction has.
    rejects: labels that could not be read, by the reason, with the detail of the first of them.
    times_ms: (n_predictions,) of all predictions, -1 where the file has no times.
    timed: whether predictions and labels have times: then delays are known.
    end_ms: how far the reference was watched: its latest prediction or label.
    horizon_ms: how long after a prediction a label was waited for.
    notes: what else is to be said of the labels' file, in sentences.
    """

    matches: Matches | None
    n_predictions: int
    n_without_id: int
    n_without_time: int
    counts: Counter[str]
    n_orphans: int
    rejects: Counter[str]
    times_ms: Ints
    timed: bool
    end_ms: int
    horizon_ms: int
    notes: tuple[str, ...] = ()

    @property
    def n_labelled(self) -> int:
        """Predictions with a label."""
        return 0 if self.matches is None else self.matches.n

    def unlabelled_ages_ms(self) -> Floats:
        """(n_predictions - n_labelled,) for how long each prediction without a label was watched, milliseconds."""
        times, counts = np.unique(self.times_ms, return_counts=True)
        if self.matches is not None:
            np.subtract.at(counts, np.searchsorted(times, self.matches.times_ms), 1)
        ages: Floats = np.minimum(self.end_ms - np.repeat(times, counts), self.horizon_ms).astype(np.float64)
        return ages


def join_labels(
    table: TableFile,
    places: FilePlaces,
    reference: Reference,
    keep: Bools | None,
    row_times_ms: Ints,
    model: Model,
    labels: Path | None,
    progress: Progress,
) -> JoinedRows:
    """Join the rows of a reference with the labels of a file, or of their own column (`mapping.target`).

    Parameters
    ----------
    table, places, keep
        The data, where its columns lie, and which rows count.
    reference
        Of the same rows, still without labels.
    row_times_ms
        (n,) of the rows that count; -1 where there is none.
    labels
        The file; None: the column.
    progress
        Of the pass over the predictions.

    Raises
    ------
    InputError
        The rows have no ids, or the labels' file cannot be read.
    """
    times = bool((row_times_ms >= 0).any())
    notes: list[str] = []
    found, untimed = _labels_of(labels, model, notes, times=times) if labels is not None else (None, True)
    timed = times and not untimed
    horizon_ms = model.label_horizon_ms if timed and model.label_horizon_ms is not None else _UNLIMITED_MS
    ids = _ids(table, places, keep, row_times_ms.size, model, own=labels is None)
    # Without a time a row can only be joined where no time matters.
    joined = ids.any(axis=1) & ((row_times_ms >= 0) | (not timed))
    kept: list[Matches] = []
    blocks = PredictionBlocks(model.name, reference, model.pane_ms, model.max_versions)
    replay = JoinReplay(
        [JoinModel(name=model.name, horizon_ms=horizon_ms, label_is=model.label_is)],
        {model.name: blocks},
        kept.append,
    )
    layout, dimensions = reference.layout.observed, reference.dimensions
    start = 0
    said: list[Bools] = []
    for batch in batches_of(table, places, layout, dimensions, keep, progress):
        rows = slice(start, start + batch.n)
        start += batch.n
        own = replace(
            batch,
            model=model.name,
            timestamps_ms=np.maximum(row_times_ms[rows], 0),
            ids=np.where(joined[rows, None], ids[rows], np.uint64(0)),
        )
        said.append(blocks.wanted(own))
        replay.feed([own], [])
    wanted = np.concatenate([np.zeros(0, dtype=np.bool_), *said])
    rejected: list[Rejected] = []
    decoded = found if found is not None else _targets(table, places, keep, model, progress)
    for part in decoded:
        rejected += part.rejects
        replay.feed([], part.batches)
    store = DictStore()
    store.rows = replay.state
    seal = read_seal(store)
    first_ms = _first_times(ids[wanted], np.maximum(row_times_ms, 0)[wanted])
    return JoinedRows(
        matches=_settled(kept),
        n_predictions=first_ms.size,
        n_without_id=int((~ids.any(axis=1)).sum()),
        n_without_time=int((ids.any(axis=1) & ~joined).sum()),
        counts=Counter({what: n for (_, what), n in replay.counts.items()}),
        n_orphans=sum(stretch.waiting for own in seal.stretches.values() for stretch in own.values()),
        rejects=_reasons(rejected),
        times_ms=first_ms,
        timed=timed,
        end_ms=replay.latest_ms,
        horizon_ms=horizon_ms,
        notes=tuple(dict.fromkeys(notes)),
    )


def _labels_of(path: Path, model: Model, notes: list[str], *, times: bool) -> tuple[Iterable[DecodedLabels], bool]:
    """The labels of a file, and whether they have no times, or none that matters."""
    if times:
        parts = _read(path, model, None, notes)
        timeless = any(reject.reason is Reason.BAD_TIMESTAMP for part in parts for reject in part.rejects)
        if not timeless or any(part.batches for part in parts):
            return parts, False
    return _read(path, model, MAX_TIMESTAMP_MS, notes), True


def _read(path: Path, model: Model, untimed_ms: int | None, notes: list[str]) -> list[DecodedLabels]:
    spec = LabelSpec(
        name=model.name,
        task=model.task,
        mapping=model.label_mapping,
        times=model.label_mapping.times(model.mapping),
        untimed_ms=untimed_ms,
    )
    return list(iter_labels(path, [spec], LabelDecoder([spec], 1, must_name=False), MAX_TIMESTAMP_MS, notes))


def _targets(
    table: TableFile, places: FilePlaces, keep: Bools | None, model: Model, progress: Progress
) -> Iterator[DecodedLabels]:
    """The labels in the rows themselves; a null is none. Each has the hash of its row for its id."""
    assert places.target is not None
    mapping = LabelMapping(label=model.mapping.target or "")
    spec = LabelSpec(name=model.name, task=model.task, mapping=mapping, untimed_ms=MAX_TIMESTAMP_MS)
    decoder = LabelDecoder([spec], 1)
    start = 0
    for values in chunks(table, places.target, keep, progress):
        numbers = np.arange(start, start + len(values))
        start += len(values)
        plain = _plain(values, model)
        there = plain.is_valid()
        rows = pa.RecordBatch.from_arrays(
            [pa.array(numbers, pa.int64()).filter(there), plain.filter(there)], names=[mapping.id, mapping.label]
        )
        yield decoder.decode_table(rows, MAX_TIMESTAMP_MS)


def _plain(values: Any, model: Model) -> Any:
    """Values of several types as the task wants them; what is no such value is kept as a text that is none."""
    if not is_mixed(values.type):
        return values
    if model.task == "regression":
        return as_numbers(values)
    texts, _bad = as_texts(values)
    return texts


def _ids(table: TableFile, places: FilePlaces, keep: Bools | None, n_rows: int, model: Model, *, own: bool) -> Any:
    """(n_rows, 2) uint64 the hashes of the rows' ids, (0, 0) of none; with `own` each row's number is its id."""
    if own:
        return id_hashes(pa.array(np.arange(n_rows)), model.name)
    if places.prediction_id is None:
        raise InputError(
            f"{table.path} has no {model.mapping.prediction_id!r}, which labels are joined by",
            hint="name the column of ids under `mapping: {prediction_id: ...}`, or that of labels under "
            "`mapping: {target: ...}`",
        )
    return _hashes(table, places.prediction_id, keep, n_rows, model.name)


def _hashes(table: TableFile, leaf: Leaf, keep: Bools | None, n_rows: int, model: str) -> Any:
    ids = np.zeros((n_rows, 2), dtype=np.uint64)
    end = 0
    for values in chunks(table, leaf, keep):
        plain = as_texts(values)[0] if is_mixed(values.type) else values
        ids[end : end + len(values)] = id_hashes(plain, model)
        end += len(values)
    return ids


def _reasons(rejected: Iterable[Rejected]) -> Counter[str]:
    """By reason alone, for a detail may quote the value: a million bad ones would be as many reasons."""
    first: dict[Reason, str] = {}
    counts = Counter[str]()
    for reject in rejected:
        detail = first.setdefault(reject.reason, reject.detail)
        counts[f"{reject.reason} ({detail})" if detail else str(reject.reason)] += 1
    return counts


def _first_times(ids: Any, times: Ints) -> Ints:
    """The earliest time of each id, in any order."""
    if not times.size:
        return times
    order = np.lexsort((times, ids[:, 1], ids[:, 0]))
    ids, times = ids[order], times[order]
    first = np.concatenate([[True], np.any(ids[1:] != ids[:-1], axis=1)])
    found: Ints = times[first]
    return found


def _settled(parts: list[Matches]) -> Matches | None:
    """The matches that stay once those that were taken back are gone; in no order that means anything."""
    parts = [part for part in parts if part.n]
    if not parts:
        return None
    last = parts[-1]  # codes of classes and versions only grow
    predictions = np.concatenate([part.predictions for part in parts])
    labels = np.concatenate([part.labels for part in parts])
    sign = np.concatenate([part.sign for part in parts]).astype(np.int64)
    if (sign < 0).any():
        both = np.empty(sign.size, dtype=[("prediction", predictions.dtype), ("label", labels.dtype)])
        both["prediction"], both["label"] = predictions, labels
        rows = both.view(np.dtype((np.void, both.dtype.itemsize)))
        distinct, inverse = np.unique(rows, return_inverse=True)
        n = np.bincount(inverse, weights=sign, minlength=distinct.size).astype(np.int64)
        both = np.repeat(distinct.view(both.dtype), n)
        predictions, labels = both["prediction"].copy(), both["label"].copy()
    if not predictions.size:
        return None
    return Matches(
        shape=last.shape,
        versions=last.versions,
        classes=last.classes,
        predictions=predictions,
        labels=labels,
        sign=np.ones(predictions.size, dtype=np.int8),
    )
