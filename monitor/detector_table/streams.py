"""The errors of a model that is not trained again, on River's synthetic streams with one change of concept each."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from river.datasets import synth
from river.datasets.base import SyntheticDataset
from sklearn.tree import DecisionTreeClassifier  # type: ignore[import-untyped]  # scikit-learn has no types

from detectors.arrays import Bools, Floats

N_TRAINING: Final = 2_000
N_REFERENCE: Final = 2_000
N_BEFORE: Final = 10_000
N_AFTER: Final = 10_000
WIDTHS: Final = MappingProxyType({"abrupt": 0, "gradual": 2_000})
"""Losses during which the new concept comes: its share is 2 % at first, half in the middle, 98 % at the end."""

_Rows = tuple[Floats, Floats]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorStream:
    """A model's errors.

    Attributes
    ----------
    reference: (N_REFERENCE,) errors, 0 or 1, of rows that the model was not trained on.
    errors: (N_BEFORE + N_AFTER,) errors, 0 or 1, of those that come then.
    begin: how many of them come before the first of the new concept.
    """

    reference: Floats
    errors: Floats
    begin: int


def _sea(seed: int) -> tuple[SyntheticDataset, SyntheticDataset]:
    return synth.SEA(variant=2, noise=0.1, seed=2 * seed), synth.SEA(variant=3, noise=0.1, seed=2 * seed + 1)


def _agrawal(seed: int) -> tuple[SyntheticDataset, SyntheticDataset]:
    old, new = seed % 10, (seed + 1) % 10
    return (
        synth.Agrawal(classification_function=old, perturbation=0.05, seed=2 * seed),
        synth.Agrawal(classification_function=new, perturbation=0.05, seed=2 * seed + 1),
    )


def _stagger(seed: int) -> tuple[SyntheticDataset, SyntheticDataset]:
    old, new = seed % 3, (seed + 1) % 3
    return (
        synth.STAGGER(classification_function=old, seed=2 * seed),
        synth.STAGGER(classification_function=new, seed=2 * seed + 1),
    )


def _hyperplane(seed: int) -> tuple[SyntheticDataset, SyntheticDataset]:
    return synth.Hyperplane(seed=2 * seed), synth.Hyperplane(seed=2 * seed + 1)


CONCEPTS: Final[Mapping[str, Callable[[int], tuple[SyntheticDataset, SyntheticDataset]]]] = MappingProxyType(
    {"SEA": _sea, "Agrawal": _agrawal, "STAGGER": _stagger, "hyperplane": _hyperplane}
)


def error_streams(name: str, seed: int) -> dict[str, ErrorStream]:
    """By kind of change, the streams of one seed: the same rows of both concepts, in another mixture."""
    old, new = CONCEPTS[name](seed)
    n_stream = N_BEFORE + N_AFTER
    rows, classes = _take(old, N_TRAINING + N_REFERENCE + n_stream)
    tree = DecisionTreeClassifier(max_depth=8, min_samples_leaf=20, random_state=0)
    tree.fit(rows[:N_TRAINING], classes[:N_TRAINING])
    of_old = _errors(tree, (rows[N_TRAINING:], classes[N_TRAINING:]))
    of_new = _errors(tree, _take(new, n_stream))
    chance = np.random.default_rng((seed, sorted(CONCEPTS).index(name))).random(n_stream)
    found = {}
    for kind, width in WIDTHS.items():
        is_new = _is_new(chance, width)
        errors = np.where(is_new, of_new, of_old[N_REFERENCE:])
        found[kind] = ErrorStream(reference=of_old[:N_REFERENCE], errors=errors, begin=int(np.argmax(is_new)))
    return found


def _is_new(chance: Floats, width: int) -> Bools:
    """Which rows are the new concept's: (n,). A logistic curve, from N_BEFORE on for `width` rows."""
    position = np.arange(chance.size, dtype=np.float64)
    if width == 0:
        is_new: Bools = position >= N_BEFORE
        return is_new
    steepness = 8.0 / width
    share = 1.0 / (1.0 + np.exp(-steepness * (position - N_BEFORE - width / 2)))
    mixed: Bools = (chance < share) & (position >= N_BEFORE)
    return mixed


def _errors(tree: Any, rows: _Rows) -> Floats:
    wrong: Floats = (tree.predict(rows[0]) != rows[1]).astype(np.float64)
    return wrong


def _take(stream: SyntheticDataset, n: int) -> _Rows:
    rows: Iterator[tuple[dict[Any, Any], Any]] = islice(iter(stream), n)
    features, classes = zip(*((list(x.values()), float(y)) for x, y in rows), strict=True)
    return np.array(features, dtype=np.float64), np.array(classes)
