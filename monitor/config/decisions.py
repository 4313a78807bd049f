"""The keys `alerts` and `retraining` of a model: what verdicts lead to. The defaults are meant to be left alone."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, field

from monitor.config.rates import RaiseRule, Rate

_HOUR_MS, _DAY_MS = 3_600_000, 86_400_000

Duration = Annotated[int, Meta(extra={"form": "duration"})]
Time = Annotated[int, Meta(ge=1, extra={"form": "duration"})]
Share = Annotated[float, Meta(ge=0, le=1)]
Cause = Literal[
    "schema",
    "data_quality",
    "data_drift",
    "prediction_drift",
    "subgroup",
    "performance",
    "concept_drift",
    "label_delay",
    "silence",
    "rejects",
]
"""What an alert is about; `monitor.decisions.cause` says which verdicts are which."""


class SilenceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known and raises no alert meanwhile: the windows that end in `[from_ms, until_ms)`. It goes on counting
    as evidence."""

    reason: Annotated[str, Meta(extra={"form": "name"})]
    """For those who ask why nothing was said."""
    until_ms: Annotated[int, Meta(extra={"form": "instant"})] = field(name="until")
    """A silence has an end."""
    from_ms: Annotated[int, Meta(extra={"form": "instant"})] = field(name="from", default=0)
    column: Annotated[str | None, Meta(extra={"form": "name"})] = None
    """Reserved ones, such as ``@score``, too; None: any."""
    segment: Annotated[str | None, Meta(extra={"form": "name"})] = None
    """As results write it, ``origin=EWR``; None: any, and the whole."""
    cause: Cause | None = None

    def __post_init__(self) -> None:
        if self.until_ms <= self.from_ms:
            raise ValueError("until must come after from")


class AlertSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When people are told."""

    false_alarms: Annotated[Rate, Meta(extra={"form": "rate"})] = Rate(n=1, per_ms=30 * _DAY_MS)
    """What the model's columns and segments together may raise on unchanged data, on average."""
    calibration: Annotated[float, Meta(ge=1, le=1_000_000)] = 1.0
    """How many times the evidence that `false_alarms` asks for an alert wants: what `driftline calibrate` finds where
    the model's windows say more than they should."""
    raise_when: Annotated[RaiseRule, Meta(extra={"form": "raise"})] = field(name="raise", default=RaiseRule())
    """``budget``: by `false_alarms`. ``verdicts, 2 of 3``: where a column drifted in so many of its last windows."""
    resolve_after_ms: Duration = field(name="resolve_after", default=_DAY_MS)
    """How long nothing must have drifted; of drift at least five windows, of data that is broken two."""
    hysteresis: Annotated[float, Meta(gt=0, le=1)] = 0.8
    """An open alert holds while a significant effect is at least this share of its threshold."""
    cooldown_ms: Duration = field(name="cooldown", default=_DAY_MS)
    """After it was resolved an alert is not raised again for so long, unless it is critical."""
    update_every_ms: Duration = field(name="update_every", default=_DAY_MS)
    """An open alert is told again no more often, unless it became critical or late data changed it."""
    critical: Annotated[float, Meta(ge=1)] = 5.0
    """From which effect on, in thresholds, drift is critical, if `critical_share` of the importance moved."""
    critical_share: Share = 0.3
    importance: dict[Annotated[str, Meta(extra={"form": "column"})], Annotated[float, Meta(ge=0)]] = {}
    """Of features, in any unit; those that are left out have 1."""
    fewest_events: Share = 0.2
    """Fewer events than this share of the usual number of that hour of the week are silence; 0: never."""
    most_rejects: Share = 0.05
    """A larger share of events that are rejected is an alert; 1: never."""
    silences: tuple[SilenceSettings, ...] = ()


class RetrainingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a pipeline is asked for a new model. Only an alert, or age, asks."""

    causes: tuple[Cause, ...] = ("performance", "concept_drift", "prediction_drift", "data_drift")
    """Of alerts that ask; () for none."""
    require_confirmation: bool = True
    """Drift of inputs and predictions asks only once labels show a loss. False: also where no label says anything;
    never where labels contradict it."""
    min_labels: Annotated[int, Meta(ge=0, le=1_000_000_000)] = 1_000
    """Labels since the change, where labels are joined: what the new model can learn from."""
    min_maturity: Share = 0.8
    """Share of a window's predictions whose labels must have come before it counts as measured, if more may come."""
    cooldown_ms: Duration = field(name="cooldown", default=7 * _DAY_MS)
    """Between two requests."""
    budget: Annotated[Rate, Meta(extra={"form": "rate"})] = Rate(n=2, per_ms=30 * _DAY_MS)
    """Most requests."""
    stale_after_ms: Annotated[int | None, Meta(ge=1, extra={"form": "duration"})] = field(
        name="stale_after", default=None
    )
    """Asks without drift, too, when a version is this old; None: never."""
    outcome_within_ms: Time = field(name="outcome_within", default=7 * _DAY_MS)
    """How long a request waits for its outcome, and holds back others, before it is given up."""
    dry_run: bool = False
    """Requests are written and marked, and nothing is to act on them."""


class PolicyFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A policy in a file of its own, to be compared with a model's."""

    alerts: AlertSettings = AlertSettings()
    retraining: RetrainingSettings = RetrainingSettings()
