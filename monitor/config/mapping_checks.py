"""The rules of `mapping`: paths that are none, two keys that name one place, and what a preset leaves no room for."""

from collections.abc import Mapping as ReadOnly

from monitor.config.nearest import nearest
from monitor.config.report import Report
from monitor.config.schema import Model
from monitor.events.label_mapping import LabelMapping
from monitor.events.mapping import HEADER, MODEL, Mapping, is_origin

_TWO_MESSAGES = ("kserve", "seldon")


def check_mapping(model: Model, path: str, report: Report) -> None:
    """Report what is wrong with a model's mapping."""
    mapping = model.mapping
    own = {} if mapping.model == MODEL else {"model": mapping.model}
    segments = {f"segments.{name}": place for name, place in mapping.segments.items()}
    for key, place in {**own, **segments}.items():
        _check_header(place, f"{path}.{key}", report)
    check_places({**mapping.places, **{key: place for key, place in own.items() if not is_origin(place)}}, path, report)
    for key, place in segments.items():
        if not is_origin(place):
            check_places({key: place}, path, report)
    for name in mapping.segments:
        if name not in model.segments:
            close = nearest(name, model.segments)
            hint = f"did you mean {close!r}?" if close else "name it there, too"
            report(f"{path}.segments.{name}", f"is no dimension under `segments` of this model; {hint}")
    if mapping.is_serving:
        _check_serving(model, path, report)


def check_label_mapping(mapping: LabelMapping, path: str, report: Report) -> None:
    """Report what is wrong with where things lie in a label."""
    _check_header(mapping.model, f"{path}.model", report)
    own = {} if mapping.model == MODEL or is_origin(mapping.model) else {"model": mapping.model}
    check_places({**mapping.places, **own}, path, report)


def _check_header(place: str, path: str, report: Report) -> None:
    if place == HEADER:
        report(path, "expected the header's name after `header:`, such as header:model-name")


def check_places(places: ReadOnly[str, str], path: str, report: Report) -> None:
    """Report paths that are none, and two that are one."""
    keys: dict[str, str] = {}
    for key, place in places.items():
        if "" in place.split("."):
            report(f"{path}.{key}", "expected names with single dots between, such as prediction.score")
        elif (other := keys.setdefault(place, key)) != key:
            report(f"{path}.{key}", f"names the same place as {other}")


def _check_serving(model: Model, path: str, report: Report) -> None:
    preset = model.mapping.preset
    if model.mapping.features != Mapping().features:
        report(f"{path}.features", f"the preset {preset} takes the features from the request; leave the key out")
    if model.feature_skew is not None and preset in _TWO_MESSAGES:
        what = "requests come apart from responses, and would be taken for features that were computed again"
        report(f"{path}.preset", f"with {preset} {what}; leave feature_skew out")
