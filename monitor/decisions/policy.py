"""What decisions on one model go by: as configured, and as its references say."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from monitor.config.decisions import AlertSettings, RetrainingSettings
from monitor.decisions.moved import Family
from monitor.decisions.tiling import Tiling


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What decisions on one model go by.

    Attributes
    ----------
    model: its name.
    alerts, retraining: as configured.
    tiling: the windows that count.
    compare: the comparison that counts.
    alpha: the largest q-value that is significant.
    retention_ms: how long late events may revise a window.
    lateness_ms: how far event time goes beyond the end of a window before it is over.
    label_horizon_ms, skew_horizon_ms: how long labels, and features that are computed again, may; 0: there are none.
    reference_versions: labels of references by digest.
    importances: by digest, what features matter by their reference; it counts where `alerts` say nothing of it.
    """

    model: str
    tiling: Tiling
    alerts: AlertSettings = field(default_factory=AlertSettings)
    retraining: RetrainingSettings = field(default_factory=RetrainingSettings)
    compare: str = "pinned"
    alpha: float = 0.05
    retention_ms: int = 14 * 86_400_000
    lateness_ms: int = 0
    label_horizon_ms: int = 0
    skew_horizon_ms: int = 0
    reference_versions: Mapping[str, str] = field(default_factory=dict)
    importances: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def n_kinds(self) -> int:
        """Kinds of verdicts that the model has: on its events, from labels, on features that are computed again."""
        return 1 + (self.label_horizon_ms > 0) + (self.skew_horizon_ms > 0)

    def lag_ms(self, family: Family) -> int:
        """By how much verdicts of a family may come later than those of the events."""
        return {"inputs": 0, "skew": self.skew_horizon_ms}.get(family, self.label_horizon_ms)

    def settings_on(self, reference: str) -> AlertSettings:
        """The alert settings where the reference of this digest is what is compared with."""
        importance = {} if self.alerts.importance else self.importances.get(reference, {})
        return msgspec.structs.replace(self.alerts, importance=dict(importance)) if importance else self.alerts
