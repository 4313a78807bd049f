"""What the tests of flat files share: a model, and the times of its rows."""

from pathlib import Path
from typing import Any

import numpy as np

from detectors.layout import Layout
from detectors.reference import categorical_column, numeric_column
from monitor.events.models import ModelSpec

NOW_MS = 1_400_000_000_000
TIME_MS = 1_357_034_400_000


def spec(**changes: Any) -> ModelSpec:
    columns = [
        numeric_column("distance", np.arange(100.0))[0],
        categorical_column("carrier", {"UA": 5, "AA": 3}),
        categorical_column("stop", {"0": 5, "1": 3}),
        numeric_column("@score", np.linspace(0, 1, 11))[0],
        categorical_column("@label", {"true": 5, "false": 3}),
    ]
    values: dict[str, Any] = {"name": "m", "layout": Layout(columns), "dimensions": {"carrier": ("UA", "AA")}}
    return ModelSpec(**{**values, **changes})


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
