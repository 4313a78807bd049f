"""Predictions with their labels, as arrays: what the join emits."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.arrays import Codes, Floats, Ints
from detectors.errors import ConfigurationError
from detectors.performance.space import PerformanceSpace


class Matches(msgspec.Struct, frozen=True, kw_only=True):
    """n matches of one model version. A corrected label is two rows: the old match with sign -1, the new one with 1.

    Attributes
    ----------
    sign: (n,) 1 or -1.
    label: (n,) int32 codes of the true class (`PerformanceSpace.classes`); empty for regression.
    predicted: (n,) int32 codes of the class the model said, `space.unsaid` where it said none; empty for regression.
    target: (n,) float64 the true value; empty for classes.
    scores: (n_scores, n) float64, rows as in `space.scores`; NaN where there is none.
    parts: (n_parts, n) uint8 coarse cells, rows as in `space.parts`.
    value: (n,) float64 a business number that came with the label; NaN where none came.
    """

    sign: Ints
    label: Codes
    predicted: Codes
    target: Floats
    scores: Floats
    parts: NDArray[np.uint8]
    value: Floats

    @classmethod
    def of(
        cls,
        space: PerformanceSpace,
        n: int,
        *,
        sign: Ints | None = None,
        label: Codes | None = None,
        predicted: Codes | None = None,
        target: Floats | None = None,
        scores: Floats | None = None,
        parts: NDArray[np.uint8] | None = None,
        value: Floats | None = None,
    ) -> "Matches":
        """What is left out is "none" in all rows: no class said, no score, no value; cells: the last.

        Raises
        ------
        ConfigurationError: an array has another shape than the space and `n` demand, or a code or cell is out of range.
        """
        classes = n if space.classes else 0
        last = np.array([len(part.cells) - 1 for part in space.parts], dtype=np.uint8)
        made = cls(
            sign=np.ones(n, dtype=np.int64) if sign is None else sign,
            label=np.full(classes, space.other, dtype=np.int32) if label is None else label,
            predicted=np.full(classes, space.unsaid, dtype=np.int32) if predicted is None else predicted,
            target=np.full(n - classes, np.nan) if target is None else target,
            scores=np.full((len(space.scores), n), np.nan) if scores is None else scores,
            parts=np.repeat(last[:, None], n, axis=1) if parts is None else parts,
            value=np.full(n, np.nan) if value is None else value,
        )
        shapes = {
            "sign": (n,), "label": (classes,), "predicted": (classes,), "target": (n - classes,),
            "scores": (len(space.scores), n), "parts": (len(space.parts), n), "value": (n,),
        }  # fmt: skip
        for name, shape in shapes.items():
            if getattr(made, name).shape != shape:
                raise ConfigurationError(f"{name} has the shape {getattr(made, name).shape}, not {shape}")
        if n and (
            not np.isin(made.sign, (-1, 1)).all()
            or (classes and not (made.label.min() >= 0 and made.label.max() <= space.other))
            or (classes and not (made.predicted.min() >= 0 and made.predicted.max() <= space.unsaid))
            or np.any(made.parts > last[:, None])
        ):
            raise ConfigurationError("a sign, a class code or a coarse cell is out of range")
        return made
