"""The rules of `concept_drift`: parameters that their detector has, and losses that it can read."""

from typing import cast

import msgspec

from monitor.config.nearest import nearest
from monitor.config.report import Report, check_repeats
from monitor.config.schema import Model


def check_concept_drift(model: Model, path: str, report: Report) -> None:
    """Report detectors that are there twice, that cannot read the model's losses, or that lack a parameter."""
    from detectors.errors import InvalidSetting
    from detectors.sequential_registry import sequential_detector, sequential_detectors

    check_repeats(path, [one.detector for one in model.concept_drift], "this detector", report)
    for i, one in enumerate(model.concept_drift):
        detector = sequential_detectors()[one.detector]
        if model.task == "regression" and detector.errors_only:
            others = ", ".join(name for name, own in sequential_detectors().items() if not own.errors_only)
            report(f"{path}[{i}]", f"{one.detector} reads errors, right or wrong; for a regression take {others}")
        known = [field.name for field in msgspec.structs.fields(cast("type[msgspec.Struct]", detector))]
        unknown = [name for name in one.parameters if name not in known]
        for name in unknown:
            report(
                f"{path}[{i}].parameters.{name}", f"unknown key; {one.detector} has {', '.join(known)}",
                nearest(name, known),
            )  # fmt: skip
        if not unknown:
            try:
                sequential_detector(one.detector, one.parameters)
            except InvalidSetting as error:
                report(f"{path}[{i}].parameters", str(error))
