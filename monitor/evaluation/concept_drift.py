"""Sequential detectors on a version's errors, pane by closed pane of label time."""

from collections.abc import Mapping
from typing import Any

from detectors.error_pane import ErrorPane
from detectors.reference import Reference
from monitor.evaluation.watched import Watched


def advance_detectors(
    model: Watched, version: str, state: bytes | None, pane: ErrorPane, reference: Reference
) -> tuple[bytes, list[Mapping[str, Any]]]:
    """What the detectors keep after a pane, and the rows of `drift_verdict` that it leads to.

    Parameters
    ----------
    state: what they kept before; None at the beginning.
    pane: closed, the one that follows; no pane is given twice. One of no labels is not given.
    reference: that the version's predictions were last counted on.
    """
    del model, version, pane, reference
    return state or b"", []
