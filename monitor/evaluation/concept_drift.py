"""Sequential detectors over a model's errors in label time: their state between panes, and their verdicts."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from detectors.error_pane import ErrorPane
from detectors.errors import MalformedState
from detectors.performance.loss_test import between_errors, between_windows, loss_deviation, loss_unit
from detectors.performance.space import PerformanceSpace
from detectors.reference import WHOLE, Reference
from detectors.sequential_registry import SequentialDetector
from detectors.sequential_state import Detection, SequentialState
from monitor.evaluation.performance_verdicts import QUANTITIES
from monitor.evaluation.watched import Watched

_UNITS: Final = {"page_hinkley": 2.0, "adwin": 4.0}
"""Of losses that are no errors, in standard deviations of the reference's: what their docstrings ask for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorContext:
    """Where the panes of one version were counted.

    Attributes
    ----------
    reference: on whose grid; what it says of its own windows gives the design effect.
    space: in whose cells; its loss is that of panes with squares.
    revision: of the rows to come.
    """

    reference: Reference
    space: PerformanceSpace
    revision: int = 1


class _Kept(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One detector's state; `setup` is all that it was made of, and another one begins anew."""

    setup: str
    state: bytes


_decoder: Final = msgspec.msgpack.Decoder(list[_Kept])


def advance_detectors(
    model: Watched, version: str, state: bytes | None, pane: ErrorPane, context: DetectorContext
) -> tuple[bytes, list[Mapping[str, Any]]]:
    """The state after one closed pane of label time, and the verdicts on it: a pure function.

    Parameters
    ----------
    model: whose `concept_drift` are the detectors. Each begins anew where its parameters, the reference or the kind of
        loss (errors, or others) are not those of the state.
    state: what this gave for the pane before; None at the beginning. At most some ten kilobytes a detector.
    pane: of all labels that came in it, once, in order of time. `squares` is None for errors, right or wrong.

    Returns
    -------
    The rows are of the record `drift_verdict`, all with the column `@loss` and drifted, compared with `sequential
    <detector>`: one a detector that saw a change in the pane. Of several changes in one pane: from the loss before the
    first to that after the last. Detectors that read errors only have nothing to say of other losses.

    Raises
    ------
    MalformedState: the state is none that this gave.
    """
    kept = _kept(state)
    states: list[_Kept] = []
    rows: list[Mapping[str, Any]] = []
    for plain in model.concept_drift:
        if plain.errors_only and pane.squares is not None:
            continue
        detector, effect = _fitted(plain, pane, context, model.pane_ms)
        setup = f"{detector!r} {effect!r} {pane.squares is None} {context.reference.digest}"
        before = kept.get(setup)
        start = (
            SequentialState(detector, design_effect=effect) if before is None else SequentialState.from_bytes(before)
        )
        after, found = start.update(pane)
        states.append(_Kept(setup, after.to_bytes()))
        if found:
            rows.append(_row(model.name, version, pane, context, found))
    return msgspec.msgpack.encode(states), rows


def _kept(state: bytes | None) -> dict[str, bytes]:
    if state is None:
        return {}
    try:
        return {one.setup: one.state for one in _decoder.decode(state)}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedState(f"no state of sequential detectors: {error}") from error


def _fitted(
    detector: SequentialDetector, pane: ErrorPane, context: DetectorContext, pane_ms: int
) -> tuple[SequentialDetector, float]:
    """The detector in units of the reference's losses, where it has a unit and the configuration did not choose one,
    and the design effect of the reference's own windows."""
    reference = context.reference.performance
    if reference is None:
        return detector, 1.0
    reference = reference.for_length(pane_ms)
    between = between_errors(reference) if pane.squares is None else between_windows(reference)
    # Rounded, so that a last bit does not make another detector of it.
    effect = max(round(between.design_effect, 3), 1.0)
    deviation = loss_deviation(reference)
    if pane.squares is not None and detector.name in _UNITS and deviation > 0.0 and _unit_of(detector) == 1.0:
        unit = float(f"{_UNITS[detector.name] * deviation:.6g}")
        changed = msgspec.convert({**msgspec.to_builtins(detector), "unit": unit}, type(detector))
        return changed, effect
    return detector, effect


def _unit_of(detector: SequentialDetector) -> float:
    return float(getattr(detector, "unit", math.nan))


def _row(
    model: str, version: str, pane: ErrorPane, context: DetectorContext, found: Sequence[Detection]
) -> Mapping[str, Any]:
    first, last = found[0], found[-1]
    errors = pane.squares is None
    unit = 1.0 if errors else loss_unit(context.space)
    before, after = first.loss_before, last.loss_after
    change = abs(after - before)
    return {
        "model": model,
        "version": version,
        "segment": WHOLE,
        "column": "@loss",
        "window_start_ms": pane.start_ms,
        "window_end_ms": pane.end_ms,
        "reference": context.reference.digest,
        "compare": f"sequential {first.detector}",
        "drifted": True,
        "p_value": math.nan,
        "q_value": math.nan,
        "method": first.detector,
        "effect": change / before if before > 0.0 else (math.inf if change > 0.0 else 0.0),
        "threshold": 0.0,
        "direction": "worse" if after > before else "better",
        "quantity": "error rate" if errors else QUANTITIES[context.space.loss],
        "before": before * unit,
        "after": after * unit,
        "n_reference": first.n_before,
        "n_current": last.n_after,
        "revision": context.revision,
    }
