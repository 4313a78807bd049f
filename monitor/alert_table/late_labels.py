"""A changed relation of which labels tell days later, by the live path: how long it is until somebody is told.

The streams are those of `relation`, but whole ones, in their order: each window closes and is decided on without
labels, and again as its labels come, as `driftline replay --labels` and the stream do it. Time is that at which an
alert is told, so that the wait for labels is in it.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from monitor import models
from monitor.alert_table.relation import NOW_MS, built, drawn
from monitor.alert_table.streams import FIRST_MS, HOUR_MS
from monitor.config.schema import Config
from monitor.decisions.alert import Alert
from monitor.decisions.stage import DecisionStage, policy_of
from monitor.events.arrow.table import decode_table
from monitor.files.labels import iter_labels
from monitor.reference.opened import References
from monitor.replay.replay import Replay, run_replay

LATE_SHARES: Final = (0.0, 0.2, 0.4)
"""Of the predictions, those whose label has nothing to do with the score any more."""
LEAST_HOURS: Final = 48
MOST_HOURS: Final = 72
"""A label comes so long after its prediction, any time between equally likely."""
QUIET_HOURS: Final = 24
LATE_HORIZON: Final = 120
"""Hours after the change that a stream goes on."""
_LABEL_HORIZON: Final = "4d"


@dataclass(frozen=True, slots=True, kw_only=True)
class LateRound:
    """By share, a number a stream: hours from the change until somebody is told that the relation changed, None where
    nobody was by the end; likewise that the model got worse; and alerts of whatever cause from the beginning on."""

    relation: dict[float, list[int | None]]
    loss: dict[float, list[int | None]]
    alerts: dict[float, list[int]]


def late_round(seed: Sequence[int], n_streams: int) -> LateRound:
    """Streams on one reference."""
    found = LateRound(relation={}, loss={}, alerts={})
    with tempfile.TemporaryDirectory(prefix="driftline-") as name:
        folder = Path(name)
        config, references = built(folder, np.random.default_rng([*seed, 0]), label_horizon=_LABEL_HORIZON)
        for place, share in enumerate(LATE_SHARES):
            told = [
                _told(config, references, np.random.default_rng([*seed, 1, place, number]), share, folder)
                for number in range(n_streams)
            ]
            found.relation[share] = [_delay(alerts, "@relation") for alerts in told]
            found.loss[share] = [_delay(alerts, "@loss") for alerts in told]
            found.alerts[share] = [sum(one.state == "raised" for one in alerts) for alerts in told]
    return found


def _told(config: Config, references: References, rng: np.random.Generator, share: float, folder: Path) -> list[Alert]:
    """The alerts of one stream that ends with its last prediction."""
    begin_ms = _begin_ms()
    quiet = drawn(rng, QUIET_HOURS, FIRST_MS, 0.0)
    changed = drawn(rng, LATE_HORIZON, begin_ms, share)
    columns = {name: _joined(quiet[name], changed[name]) for name in quiet}
    outcomes = columns.pop("outcome")
    late = rng.uniform(LEAST_HOURS * HOUR_MS, MOST_HOURS * HOUR_MS, len(outcomes))
    times = columns["timestamp"] + late.astype(np.int64)
    came = times < begin_ms + LATE_HORIZON * HOUR_MS
    labels = folder / "late-labels.parquet"
    table = pa.table({"prediction_id": columns["prediction_id"], "timestamp": times, "label": outcomes})
    pq.write_table(table.filter(pa.array(came)), labels)
    join = models.join_models(config), models.prediction_blocks(config, references)
    replay = Replay(models.watched(config, references), {"m": references["m"].current}, join)
    try:
        report = run_replay(
            [decode_table(models.model_specs(config, references), pa.table(columns), "predictions", NOW_MS)],
            replay,
            folder / "out",
            close=False,
            labels=iter_labels(labels, models.label_specs(config), models.label_decoder(config), NOW_MS),
            decisions=DecisionStage([policy_of(config.models[0])]),
        )
    finally:
        assert replay.join is not None
        replay.join.close()
    return report.alerts


def _joined(before: Any, after: Any) -> Any:
    return before + after if isinstance(before, list) else np.concatenate([before, after])


def _begin_ms() -> int:
    """When the relation changes."""
    return FIRST_MS + QUIET_HOURS * HOUR_MS


def _delay(alerts: Sequence[Alert], column: str) -> int | None:
    begin_ms = _begin_ms()
    for alert in alerts:
        if alert.at_ms > begin_ms and alert.state != "resolved" and any(one.column == column for one in alert.columns):
            return (alert.at_ms - begin_ms) // HOUR_MS
    return None
