"""What a response says of one instance to the `prediction` of an event: score, class or probabilities.

| what it says | what it is |
|---|---|
| a number | the score; an integer is the class where the task has classes |
| a text or a boolean | the class |
| a list of one | that one |
| numbers in a list or by class | probabilities; of a binary model the score: that of `positive`, else the second |
| an object of one | that one |
| an object with names such as `score`, `predicted_label`, `probabilities`, `predict_proba` | each as it is called |
"""

from typing import Any, Final

import msgspec

from monitor.events.mapping import Mapping, path
from monitor.events.models import CLASSES, Task
from monitor.events.serving.tensors import refused

_DEFAULT: Final = Mapping()
_SCORES: Final = ("score", "probability", "predicted_probability", "confidence", "value")
_LABELS: Final = (
    "label", "predicted_label", "predicted_class", "predictedlabel", "class", "predict", "prediction", "class_id",
    "classes", "class_ids", "labels",
)  # fmt: skip
_PROBABILITIES: Final = ("probabilities", "predict_proba", "proba", "probs", "scores", "probability")


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """How predictions are read.

    Attributes
    ----------
    score, label
        Dotted paths into what a response says of one instance, a number for a place in a list; None: not configured.
    """

    task: Task = "none"
    positive: str | None = None
    score: str | None = None
    label: str | None = None


def reading(mapping: Mapping, task: Task, positive: str | None) -> Reading:
    """How a model's predictions are read; where `score` or `label` is not the default, it is a path."""
    return Reading(
        task=task,
        positive=positive,
        score=mapping.score if mapping.score != _DEFAULT.score else None,
        label=mapping.label if mapping.label != _DEFAULT.label else None,
    )


def prediction_of(said: Any, how: Reading) -> Any:
    """A number, a text, or an object with `score`, `label` and `probabilities`.

    Raises
    ------
    Refused
        It is several things, and nothing says which is the prediction.
    """
    if how.score is not None or how.label is not None:
        found = {"score": how.score, "label": how.label}
        return {name: _at(said, dotted) for name, dotted in found.items() if dotted is not None}
    return _read(said, how)


def _read(said: Any, how: Reading) -> Any:
    while isinstance(said, list) and len(said) == 1:
        said = said[0]
    if not isinstance(said, list | dict):
        return said
    if isinstance(said, list):
        if not said or not all(map(_is_number, said)):
            raise refused("a prediction is a list of other things than numbers: say which with mapping.score")
        return _of_several(said, how)
    if len(said) == 1:
        ((name, value),) = said.items()
        return (
            _read(value, how) if name not in _PROBABILITIES or not isinstance(value, dict) else _of_several(value, how)
        )
    return _of_object(said, how)


def _of_object(said: dict[str, Any], how: Reading) -> dict[str, Any]:
    named = {str(name).lower(): value for name, value in said.items()}
    score = next((named[name] for name in _SCORES if _is_number(_one(named.get(name)))), None)
    label = next((_one(named[name]) for name in _LABELS if _is_class(_one(named.get(name)))), None)
    several = next((named[name] for name in _PROBABILITIES if isinstance(named.get(name), list | dict)), None)
    if isinstance(several, list) and len(several) < 2:
        score, several = (several[0] if several and score is None else score), None
    found: dict[str, Any] = {}
    if several is not None:
        names = next((named[name] for name in ("classes", "labels") if isinstance(named.get(name), list)), None)
        if isinstance(several, list) and names is not None and len(names) == len(several) > 1:
            several = dict(zip(map(str, names), several, strict=True))
            label = label if _is_class(label) else None
        found = _of_several(several, how)
    if score is not None:
        found["score"] = _one(score)
    if label is not None:
        found["label"] = label
    if not found and len(said) > 1 and all(map(_is_number, said.values())):
        return _of_several(said, how)
    if not found:
        raise refused(f"outputs {', '.join(map(str, list(said)[:5]))}: say which with mapping.score or mapping.label")
    return found


def _of_several(values: Any, how: Reading) -> dict[str, Any]:
    """Numbers in a list or by class as what they are in this task."""
    n = len(values)
    if how.task == "binary" and n == 2:
        if isinstance(values, list):
            return {"score": values[1]}
        return {"score": values[how.positive] if how.positive in values else list(values.values())[1]}
    if how.task not in CLASSES:
        raise refused(f"a prediction of {n} numbers, and the task is {how.task}: say which with mapping.score")
    return {"probabilities": values}


def _at(said: Any, dotted: str) -> Any:
    for key in path(dotted):
        if isinstance(said, dict):
            said = said.get(key)
        elif isinstance(said, list) and key.isascii() and key.isdigit() and int(key[:9]) < len(said):
            said = said[int(key[:9])]
        else:
            return None
    return _one(said)


def _one(value: Any) -> Any:
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_class(value: Any) -> bool:
    return isinstance(value, str | int | float)
