"""What the labels of a window say, tested, as rows of the record `drift_verdict`.

The columns are `@loss` and `@relation` of each segment and, of the whole, `@subgroup`, `@delay`, `@labels_missing` and
`@labels_selective`. They are one family: q-values are corrected over all of them.
"""

import math
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import numpy as np

from detectors.performance.censoring import MATTERS
from detectors.performance.loss_test import LossTest, RelationTest, loss_unit, relative_size
from detectors.performance.space import PerformanceSpace
from detectors.performance.split import Split
from detectors.performance.subgroups import Subgroups
from detectors.reference import WHOLE
from detectors.significance import benjamini_hochberg
from monitor.evaluation.performance_delays import Delays

LOSS_MATTERS: Final = 0.05
"""The smallest change of a loss that counts, as a share of the reference's loss."""
SUBGROUP_MATTERS: Final = 0.1
"""Likewise of a subgroup, of its own loss: there are many, and each is small."""
PSI_MATTERS: Final = 0.2
_HOUR_MS: Final = 3_600_000.0
MISSING_MATTERS: Final = 0.1
"""The smallest share of the labels due that must be missing."""

QUANTITIES: Final = {"log_loss": "log loss", "zero_one": "error rate", "absolute": "absolute error"}


class Tested(msgspec.Struct, frozen=True, kw_only=True):
    """One test of a window, before it is corrected for the others. `direction` and `quantity` hold if it drifted."""

    segment: str
    column: str
    method: str
    p_value: float
    effect: float
    threshold: float
    direction: str
    quantity: str
    before: float
    after: float
    n_reference: int
    n_current: int


def of_loss(space: PerformanceSpace, segment: str, found: LossTest, errors: LossTest | None = None) -> Tested:
    """Whether the loss of a segment is another. With `errors` the surer test is told, with the p-value of two tests."""
    quantity, unit = QUANTITIES[space.loss], loss_unit(space)
    if errors is not None:
        if errors.p_value < found.p_value or math.isnan(found.p_value):
            found, quantity, unit = errors, QUANTITIES["zero_one"], 1.0
        found = msgspec.structs.replace(found, p_value=min(2.0 * found.p_value, 1.0))
    return Tested(
        segment=segment, column="@loss", method="loss", p_value=found.p_value, effect=found.effect,
        threshold=LOSS_MATTERS, direction="worse" if found.loss_now > found.loss_before else "better",
        quantity=quantity, before=found.loss_before * unit, after=found.loss_now * unit,
        n_reference=found.n_before, n_current=found.n_now,
    )  # fmt: skip


def of_relation(space: PerformanceSpace, segment: str, found: Split, tested: RelationTest) -> Tested:
    """Whether the relation of inputs to labels is another: what the loss of these inputs would have been, and is.

    Where it is less, the model does better on the same inputs than in the reference: nobody need retrain it for that.
    """
    unit = loss_unit(space)
    direction = "changed relation" if found.relation.value > 0.0 else "better"
    return Tested(
        segment=segment, column="@relation", method="split", p_value=tested.p_value, effect=tested.effect,
        threshold=LOSS_MATTERS, direction=direction, quantity=f"{QUANTITIES[space.loss]} of these inputs",
        before=(found.loss_now - found.relation.value) * unit, after=found.loss_now * unit,
        n_reference=found.n_before, n_current=found.n_now,
    )  # fmt: skip


def of_subgroups(space: PerformanceSpace, found: Subgroups) -> Tested | None:
    """Whether some part of some column fails: Simes over all that were looked at, told of the one that adds most."""
    if not found.parts:
        return None
    worse = [part for part in found.parts if part.loss_now > part.loss_before]
    worst = max(found.failing or found.parts, key=lambda part: (part.contribution, part.column, part.cell))
    p = min((part.q_value for part in worse), default=1.0)
    unit, change = loss_unit(space), max(worst.loss_now - worst.loss_before, 0.0)
    return Tested(
        segment=WHOLE, column="@subgroup", method="subgroups", p_value=p,
        effect=relative_size(change, worst.loss_before), threshold=SUBGROUP_MATTERS,
        direction="masked" if found.masked else "worse in part",
        quantity=f"{QUANTITIES[space.loss]} where {worst.column} is {worst.name}",
        before=worst.loss_before * unit, after=worst.loss_now * unit, n_reference=worst.n_before,
        n_current=worst.n_now,
    )  # fmt: skip


def of_delays(found: Delays) -> list[Tested]:
    """Whether labels come later or sooner, fewer than are due, or for some predictions rather than for others."""
    tested = []
    drift, missing = found.drift, found.missing
    if drift is not None and math.isfinite(drift.p_value):
        tested.append(
            Tested(
                segment=WHOLE, column="@delay", method="psi", p_value=drift.p_value, effect=drift.psi,
                threshold=PSI_MATTERS, direction="later" if found.median_now > found.median_before else "sooner",
                quantity="median delay in hours", before=found.median_before / _HOUR_MS,
                after=found.median_now / _HOUR_MS,
                n_reference=drift.n_before, n_current=drift.n_now,
            )
        )  # fmt: skip
    if missing is not None and math.isfinite(missing.p_value):
        tested.append(
            Tested(
                segment=WHOLE, column="@labels_missing", method="delay_curve", p_value=missing.p_value,
                effect=missing.missing, threshold=MISSING_MATTERS, direction="labels missing",
                quantity="share labelled", before=missing.expected / max(missing.n, 1), after=missing.maturity,
                n_reference=missing.n, n_current=missing.n_labelled,
            )
        )  # fmt: skip
    if found.selections:
        worst = max(found.selections, key=lambda one: (one.found.effect, one.by))
        shares = [share for share in worst.found.labelled if math.isfinite(share)]
        p = min(one.found.p_value for one in found.selections) * len(found.selections)
        tested.append(
            Tested(
                segment=WHOLE, column="@labels_selective", method="censoring", p_value=min(p, 1.0),
                effect=worst.found.effect, threshold=MATTERS, direction="labels selective",
                quantity=f"share labelled by {worst.by}, least and most", before=min(shares), after=max(shares),
                n_reference=0, n_current=0,
            )
        )  # fmt: skip
    return tested


def verdict_rows(tested: list[Tested], alpha: float, common: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The rows of one window, in the order of the tests."""
    if not tested:
        return []
    q_values = benjamini_hochberg(np.array([one.p_value for one in tested])).tolist()
    rows: list[Mapping[str, Any]] = []
    for one, q in zip(tested, q_values, strict=True):
        drifted = bool(q <= alpha and one.effect >= one.threshold)  # not if q is NaN
        told = msgspec.structs.asdict(one)
        if not drifted:
            told |= {"direction": "none", "quantity": "", "before": math.nan, "after": math.nan}
        rows.append({**common, **told, "q_value": q, "drifted": drifted})
    return rows
