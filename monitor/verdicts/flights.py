"""The demo's flights: January is the reference, and every day from February to December a window."""

import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow.parquet as pq

from monitor import models
from monitor.config.load import load
from monitor.config.methods import DEFAULT_METHODS
from monitor.demo import flights as demo
from monitor.demo.model import add_predictions
from monitor.files.read import iter_decoded
from monitor.reference.build import build_reference
from monitor.reference.opened import open_references
from monitor.replay.replay import Replay, run_replay

COMPARES: Final = ("pinned", "season: hour_of_week, timezone: America/New_York", "trailing: 28d")
"""What the days are compared with."""


@dataclass(slots=True)
class Month:
    """Days of a month, those with a verdict anywhere, those with one of the whole, and those of each column."""

    days: int = 0
    drifted: int = 0
    whole: int = 0
    columns: Counter[str] = field(default_factory=Counter)


def months(compare: str) -> dict[int, Month]:
    """By number of the month, in UTC."""
    with tempfile.TemporaryDirectory(prefix="driftline-verdicts-") as name:
        folder = Path(name)
        predictions = add_predictions(demo.load_flights())
        demo.write_flat(demo.reference_rows(predictions), folder / "january.parquet")
        demo.write_flat(demo.live_rows(predictions), folder / "live.parquet")
        path = folder / "driftline.yaml"
        path.write_text(_configuration(compare))
        config = load(path)
        built = build_reference(config.models[0], folder / "january.parquet")
        (folder / "flights.ref").write_bytes(built.reference.encode())
        references = open_references(config)
        replay = Replay(models.watched(config, references), {key: own.current for key, own in references.items()})
        specs = models.model_specs(config, references)
        parts = iter_decoded(
            folder / "live.parquet", specs, int(time.time() * 1000), limits=models.limits(config.kafka)
        )
        run_replay((part.decoded for part in parts), replay, folder / "out", close=True)
        return _counted(pq.read_table(folder / "out" / "verdicts.parquet"))


def _configuration(compare: str) -> str:
    drift = "".join(f"\n      - {{method: {name}}}" for name in DEFAULT_METHODS)
    named = "" if compare == "pinned" else f"\n    compare: [{{{compare}}}]"
    return f"""models:
  - name: {demo.MODEL}
    task: binary
    reference: flights.ref
    segments: [origin, carrier]
    windows: [{{size: 1d}}]
    drift:{drift}{named}
"""


def _counted(table: Any) -> dict[int, Month]:
    starts = table["window_start_ms"].to_numpy() if "window_start_ms" in table.column_names else None
    assert starts is not None
    drifted = np.asarray(table["drifted"]).astype(bool)
    segment, column = (np.array(table[name].to_pylist(), dtype=object) for name in ("segment", "column"))
    result: dict[int, Month] = {}
    for start_ms in np.unique(starts).tolist():
        month = result.setdefault(datetime.fromtimestamp(start_ms / 1000, UTC).month, Month())
        own = drifted & (starts == start_ms)
        month.days += 1
        month.drifted += bool(own.any())
        month.whole += bool((own & (segment == "")).any())
        month.columns.update(set(column[own].tolist()))
    return result
