"""Known shifts in rows that have been read: what would a policy find? Pure."""

import dataclasses
from collections.abc import Mapping
from typing import Final, Literal

import msgspec
import numpy as np

from detectors.columns import NULL
from detectors.layout import Layout
from detectors.reference import WHOLE, Reference, segment_name
from monitor.events.batch import Batch

SIZES: Final = (0.1, 0.2, 0.3, 0.5, 1.0)
"""Of a mean, in the reference's standard deviations."""
SEGMENT_SIZES: Final = (0.5, 1.0)
NULLS: Final = 0.05
_MOST_SHARE: Final = 0.4
"""Of a category that is doubled."""


class Shift(msgspec.Struct, frozen=True, kw_only=True):
    """What happens to one column from some time on.

    Attributes
    ----------
    column: its name.
    kind: `mean`: `size` is added; `nulls`: so large a share becomes null; `category`: rows with a value become
        `category`, this share of them.
    segment: dimension and value, of whose rows alone; None: of all.
    said: in words.
    """

    column: str
    kind: Literal["mean", "nulls", "category"]
    size: float
    said: str
    category: str = ""
    segment: tuple[str, str] | None = None


def known_shifts(reference: Reference, importance: Mapping[str, float]) -> list[Shift]:
    """Shifts of the most important numeric and categorical feature that vary; of equals the first."""
    layout, whole = reference.layout, reference.sketches[WHOLE]
    features = sorted(layout.features, key=lambda index: -importance.get(layout.columns[index].name, 1.0))
    shifts: list[Shift] = []
    deviations = dict(zip(layout.numeric, whole.std.tolist(), strict=True))
    numeric = [index for index in features if np.isfinite(deviations.get(index, np.nan)) and deviations[index] > 0.0]
    if numeric:
        name, deviation = layout.columns[numeric[0]].name, deviations[numeric[0]]
        shifts += [
            Shift(column=name, kind="mean", size=size * deviation, said=f"mean of {name} + {size:g} sd")
            for size in SIZES
        ]
        shifts.append(Shift(column=name, kind="nulls", size=NULLS, said=f"{100 * NULLS:g} % of {name} null"))
        largest = _largest_segment(reference)
        if largest is not None:
            shifts += [
                Shift(
                    column=name, kind="mean", size=size * deviation, segment=largest,
                    said=f"mean of {name} + {size:g} sd in {segment_name(*largest)} alone",
                )
                for size in SEGMENT_SIZES
            ]  # fmt: skip
    for index in (index for index in features if index in layout.categorical):
        column = layout.columns[index]
        counts = whole.counts[layout.cells(index)][: len(column.categories)]
        shares = counts / max(int(counts.sum()), 1)
        small = [place for place in np.argsort(-shares, kind="stable").tolist() if 0.0 < shares[place] <= _MOST_SHARE]
        if small:
            share, category = float(shares[small[0]]), column.categories[small[0]]
            said = f"share of {category} in {column.name} doubled, {100 * share:.2g} % to {200 * share:.2g} %"
            shifts.append(
                Shift(column=column.name, kind="category", size=share / (1.0 - share), category=category, said=said)
            )
            break
    return shifts


def shifted(
    batch: Batch, layout: Layout, shift: Shift, dimensions: Mapping[str, tuple[str, ...]], rng: np.random.Generator
) -> Batch:
    """The batch after the shift; the one given is not changed.

    Parameters
    ----------
    layout, dimensions: of the batch's columns and segments (`ModelSpec`).
    """
    own = np.ones(batch.n, dtype=np.bool_)
    if shift.segment is not None:
        name, value = shift.segment
        row = list(dimensions).index(name)
        own = batch.segments[row] == dimensions[name].index(value)
    index = layout.index(shift.column)
    if shift.kind == "category":
        row = layout.categorical.index(index)
        codes = batch.codes.copy()
        hit = own & (codes[row] >= 0) & (rng.random(batch.n) < shift.size)
        codes[row, hit] = layout.columns[index].categories.index(shift.category)
        unseen = dict(batch.unseen)
        if row in unseen:
            unseen[row] = [(at, value) for at, value in unseen[row] if not hit[at]]
            if not unseen[row]:
                del unseen[row]
        return dataclasses.replace(batch, codes=codes, unseen=unseen)
    row = layout.numeric.index(index)
    numeric = batch.numeric.copy()
    own &= np.isfinite(numeric[row])
    if shift.kind == "nulls":
        numeric[row, own & (rng.random(batch.n) < shift.size)] = NULL
    else:
        numeric[row, own] += shift.size
    return dataclasses.replace(batch, numeric=numeric)


def _largest_segment(reference: Reference) -> tuple[str, str] | None:
    sizes = {
        (name, value): reference.sketches[segment_name(name, value)].n
        for name, values in reference.dimensions.items()
        for value in values
        if segment_name(name, value) in reference.sketches
    }
    return max(sizes, key=lambda key: (sizes[key], key), default=None)
