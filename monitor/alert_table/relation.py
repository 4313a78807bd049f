"""A changed relation of scores and labels, of inputs that do not change: in how many windows it is found.

A binary model with a calibrated score, on labelled data. Reference, join, performance and verdicts are the product's
own (`reference build --labels`, `replay`'s join, `decide`). From some window on the label of a share of the predictions
has nothing to do with the score any more, and is as often positive as before: neither inputs, nor predictions, nor
labels move by themselves.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, get_args

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from detectors.arrays import Floats
from monitor import models
from monitor.alert_table.rounds import POLICY, at_hour
from monitor.alert_table.streams import FIRST_MS, HOUR_MS, N_ROWS, TILING
from monitor.config.load import parse
from monitor.config.schema import Config
from monitor.decisions.calibration import alerts_on, without_counts
from monitor.decisions.gather import closed_windows
from monitor.decisions.moved import ClosedWindow, Family
from monitor.decisions.policy import Policy
from monitor.events.arrow.table import decode_table
from monitor.reference.build import build_reference
from monitor.reference.opened import References, open_references
from monitor.reference.store import write_reference
from monitor.replay.in_time import InTime
from monitor.replay.replay import Replay
from monitor.verdicts.worlds import START_MS

SHARES: Final = (0.0, 0.1, 0.2, 0.4)
"""Of the predictions, those whose label has nothing to do with the score any more."""
REFERENCE_DAYS: Final = 14
LABEL_DELAY_MS: Final = 10 * 60_000
HORIZON: Final = 96
_QUIET: Final = 24
NOW_MS: Final = FIRST_MS + 10 * 365 * 24 * HOUR_MS
_Windows = tuple[ClosedWindow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationRound:
    """By share: delays in windows until an alert says that the relation changed, None where none did within `HORIZON`;
    and likewise until one says that the model got worse."""

    relation: dict[float, list[int | None]]
    loss: dict[float, list[int | None]]


def relation_round(seed: Sequence[int], n_tries: int) -> RelationRound:
    """Changes that begin after a quiet day, on one reference."""
    with tempfile.TemporaryDirectory(prefix="driftline-") as name:
        config, references = built(Path(name), np.random.default_rng([*seed, 0]))
        (model,) = config.models
        policy = without_counts(
            replace(POLICY, label_horizon_ms=model.label_horizon_ms or 0, retention_ms=model.retention_ms)
        )
        quiet = _judged(config, references, np.random.default_rng([*seed, 1]), 0.0, Path(name))
        found = RelationRound(relation={}, loss={})
        for place, share in enumerate(SHARES):
            rng = np.random.default_rng([*seed, 2, place])
            changed = _judged(config, references, rng, share, Path(name))
            orders = [(rng.permutation(len(quiet))[:_QUIET], rng.permutation(len(changed))) for _ in range(n_tries)]
            for column, delays in (("@relation", found.relation), ("@loss", found.loss)):
                delays[share] = [
                    _delay(policy, [*(quiet[n] for n in before), *(changed[n] for n in after)], column)
                    for before, after in orders
                ]
    return found


def built(folder: Path, rng: np.random.Generator, label_horizon: str = "6h") -> tuple[Config, References]:
    """The configuration and its labelled reference, in a folder."""
    section = {
        "name": "m",
        "task": "binary",
        "reference": str(folder / "m.ref"),
        "windows": [{"size": "1h"}],
        "lateness": "1m",
        "label_horizon": label_horizon,
        "mapping": {"target": "outcome"},
    }
    config = parse(msgspec.yaml.encode({"models": [section]}).decode(), folder=folder)
    data = folder / "reference.parquet"
    pq.write_table(pa.table(drawn(rng, REFERENCE_DAYS * 24, START_MS, 0.0)), data)
    write_reference(config.models[0].reference, build_reference(config.models[0], data).reference)
    return config, open_references(config)


def drawn(rng: np.random.Generator, n_hours: int, start_ms: int, share: float) -> dict[str, Any]:
    """Predictions of some hours with their outcomes, columns by name."""
    n = n_hours * N_ROWS
    inputs = rng.normal(size=(4, n))
    score = 1.0 / (1.0 + np.exp(-(inputs[0] + 0.5 * inputs[1])))
    return {
        "prediction_id": [f"{start_ms}-{number}" for number in range(n)],
        "timestamp": start_ms + np.arange(n) * (HOUR_MS // N_ROWS),
        **{f"x{number}": own for number, own in enumerate(inputs)},
        "score": score,
        "outcome": _outcomes(rng, score, share),
    }


def _outcomes(rng: np.random.Generator, score: Floats, share: float) -> list[str]:
    """By the score, but for a share by its mean, which is one half."""
    chance = np.where(rng.random(score.size) < share, 0.5, score)
    outcomes: list[str] = np.where(rng.random(score.size) < chance, "yes", "no").tolist()
    return outcomes


def _judged(
    config: Config, references: References, rng: np.random.Generator, share: float, folder: Path
) -> list[_Windows]:
    """What the product says of `HORIZON` hours: by hour, the windows that decisions read, once all labels have come."""
    from monitor.files.labels import iter_labels

    columns = drawn(rng, HORIZON, FIRST_MS, share)
    outcomes = columns.pop("outcome")
    labels = folder / "labels.parquet"
    pq.write_table(
        pa.table(
            {
                "prediction_id": columns["prediction_id"],
                "timestamp": columns["timestamp"] + LABEL_DELAY_MS,
                "label": outcomes,
            }
        ),
        labels,
    )
    join = models.join_models(config), models.prediction_blocks(config, references)
    replay = Replay(models.watched(config, references), {"m": references["m"].current}, join)
    try:
        decoded = decode_table(models.model_specs(config, references), pa.table(columns), "predictions", NOW_MS)
        results = replay.feed(decoded.batches)
        read = iter_labels(labels, models.label_specs(config), models.label_decoder(config), NOW_MS)
        for later in InTime(replay, [batch for one in read for batch in one.batches]).finish(close=True):
            results += later
        results += replay.close()
    finally:
        assert replay.join is not None
        replay.join.close()
    last: dict[tuple[int, str], ClosedWindow] = {}
    for batch in results:  # in the order of their revisions: the last one of a window is that with all its labels
        for window in closed_windows([batch], model="m", tiling=TILING):
            if window.n_whole:
                last[window.start_ms, window.family] = msgspec.structs.replace(window, version="", reference="")
    starts = sorted({start_ms for start_ms, _ in last})
    return [
        tuple(last[start_ms, family] for family in get_args(Family) if (start_ms, family) in last)
        for start_ms in starts
    ]


def _delay(policy: Policy, hours: Sequence[_Windows], column: str) -> int | None:
    begin_ms = FIRST_MS + _QUIET * HOUR_MS
    groups = [tuple(at_hour(one, hour) for one in own) for hour, own in enumerate(hours)]
    for alert in alerts_on(policy, groups):
        if alert.at_ms > begin_ms and alert.state != "resolved" and any(one.column == column for one in alert.columns):
            return (alert.at_ms - begin_ms) // HOUR_MS
    return None
