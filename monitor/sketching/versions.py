"""How many versions of a model one batch may tell apart: an id that is mapped as the version has no end of them."""

from dataclasses import replace

import numpy as np

from detectors.arrays import Codes, Ints
from detectors.reference import REST
from monitor.events.batch import Batch


def bounded(batch: Batch, pane_ms: int, most: int) -> Batch:
    """The batch with at most so many versions in each pane, the most frequent ones; events of others are of `REST`.

    Panes by themselves: a batch that is read in arrears may hold years, in which versions come and go, and where no
    pane has too many nothing may change. Of equally frequent ones those whose names come first are kept.
    """
    if len(batch.versions) <= most:
        return batch
    _, pane = np.unique(batch.timestamps_ms // pane_ms, return_inverse=True)
    pairs, pair, n = np.unique(
        pane * np.int64(len(batch.versions)) + batch.version_codes, return_inverse=True, return_counts=True
    )
    kept = _ranks(pairs // len(batch.versions), n) < most
    if kept.all():
        return batch
    known = tuple(sorted({*batch.versions, REST}))
    place = {version: code for code, version in enumerate(known)}
    own = np.array([place[version] for version in batch.versions], dtype=np.int32)
    recoded: Codes = np.where(kept, own[pairs % len(batch.versions)], place[REST]).astype(np.int32)
    used, codes = np.unique(recoded[pair], return_inverse=True)
    return replace(
        batch,
        versions=tuple(known[code] for code in used.tolist()),
        version_codes=codes.astype(np.int32),
    )


def _ranks(groups: Ints, n: Ints) -> Ints:
    """(n_pairs,) each pair's place in its group by falling count; pairs come by group, then by name."""
    order = np.lexsort((np.arange(n.size), -n, groups))
    starts = np.searchsorted(groups[order], groups[order])
    ranks = np.empty(n.size, dtype=np.int64)
    ranks[order] = np.arange(n.size) - starts
    return ranks
