"""Which classes a model has, and the codes of the texts that name them. In a boolean 0 is false and 1 is true."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np

from detectors.arrays import Codes
from detectors.columns import Column
from detectors.performance.space import PerformanceSpace

MOST_CLASSES: Final = 100
"""Of a multiclass model: its confusion matrix is then 80 KB. What is rarer is "any other class"."""
NUMBERS: Final = ("0", "1")
BOOLEANS: Final = ("false", "true")
_OTHER_SPELLING: Final = dict(zip((*NUMBERS, *BOOLEANS), (*BOOLEANS, *NUMBERS), strict=True))


def class_codes(classes: Sequence[str], texts: Iterable[str]) -> Codes:
    """(n,) int32: the place of each text among the classes, `len(classes)` of what is none of them.

    Where the two classes are 0 and 1, "false" and "true" name them too, and the other way about.

    >>> class_codes(("0", "1"), ["1", "true", "false", "maybe"]).tolist()
    [1, 1, 0, 2]
    """
    codes = {text: code for code, text in enumerate(classes)}
    if set(classes) in ({*NUMBERS}, {*BOOLEANS}):
        codes |= {_OTHER_SPELLING[text]: code for text, code in codes.items()}
    return np.array([codes.get(text, len(classes)) for text in texts], dtype=np.int32)


def said_codes(space: PerformanceSpace, column: Column | None) -> Codes:
    """(column.n_cells + 3,) int32: what each code of a prediction's class (`@label`) is among the space's classes.

    The last three are the negative codes, which index from the end: null, invalid and absent name no class
    (`space.unsaid`). Without a column all name none.
    """
    none = np.full(3, space.unsaid, dtype=np.int32)
    if column is None:
        return none
    known = class_codes(space.classes, column.categories)
    return np.concatenate([known, np.full(2, space.other, dtype=np.int32), none])


def two_classes(counts: Mapping[str, int], positive: str | None) -> tuple[str, ...]:
    """The classes of a binary model from what names some, most frequent first (ties by name): at most two.

    One of 0, 1, false and true brings its opposite. Of more than two, `positive` and the most frequent other one; with
    one, `positive` is the other. The order says nothing yet: see `with_positive`.
    """
    ranked = sorted((name for name, n in counts.items() if n > 0), key=lambda name: (-counts[name], name))
    if ranked and set(ranked) <= {*NUMBERS, *BOOLEANS}:
        return NUMBERS if set(ranked) <= {*NUMBERS} else BOOLEANS
    if positive is not None and (positive in ranked or len(ranked) == 1):
        ranked = [positive, *(name for name in ranked if name != positive)]
    return tuple(ranked[:2])


def with_positive(classes: Sequence[str], positive: str) -> tuple[str, str] | None:
    """Two classes, the negative one first; None if `positive` names neither."""
    code = int(class_codes(classes, [positive])[0])
    return None if len(classes) != 2 or code > 1 else (classes[1 - code], classes[code])


def many_classes(counts: Mapping[str, int]) -> tuple[str, ...]:
    """The classes of a multiclass model: the 100 most frequent, ties by name."""
    ranked = sorted((name for name, n in counts.items() if n > 0), key=lambda name: (-counts[name], name))
    return tuple(ranked[:MOST_CLASSES])
