"""A stream of predictions for tests: seeded, in the order of time but for a bounded disorder, with a few bad ones."""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from detectors.reference import Reference
from monitor.config.load import parse
from monitor.reference.build import build_reference
from monitor.reference.store import write_reference

MODEL = "m"
START_MS = 1_700_000_000_000 // 3_600_000 * 3_600_000
BAD_EVERY = 997
_BUILT: dict[bytes, Reference] = {}


def rows(n: int, seed: int, hours: float, shift: float = 0.0) -> Iterator[dict[str, Any]]:
    """Predictions spread over `hours`; `shift` moves the column `amount` in the second half."""
    rng = np.random.default_rng(seed)
    step_ms = hours * 3_600_000 / n
    jitter_ms = rng.integers(0, 600_000, n)
    amount, age, score = rng.lognormal(size=n).round(4), rng.integers(18, 90, n), rng.random(n).round(6)
    colors, sites = rng.integers(0, 4, n), rng.integers(0, 3, n)
    for i in range(n):
        yield {
            "model": MODEL,
            "version": "1",
            "prediction_id": str(i),
            "timestamp": int(START_MS + i * step_ms + jitter_ms[i]),
            "features": {
                "amount": float(amount[i]) + (shift if i > n // 2 else 0.0),
                "age": int(age[i]) if age[i] != 18 else None,
                "color": ("blue", "green", "red", "pink")[colors[i]],
                "site": ("north", "south", "east")[sites[i]],
            },
            "prediction": {"score": float(score[i]), "label": "yes" if score[i] > 0.5 else "no"},
        }


def encoded(n: int, seed: int, hours: float, shift: float = 0.0) -> Iterator[bytes]:
    """The same as messages; every 997th is cut in half, which makes it undecodable."""
    encode = msgspec.json.Encoder().encode
    for i, row in enumerate(rows(n, seed, hours, shift)):
        event = encode(row)
        yield event[: len(event) // 2] if i % BAD_EVERY == BAD_EVERY - 1 else event


def model_section(folder: Path, **changes: Any) -> dict[str, Any]:
    """The model's section of a configuration, and its reference file in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    section = {
        "name": MODEL,
        "task": "binary",
        "reference": str(folder / "m.ref"),
        "segments": ["site"],
        "windows": [{"size": "1h"}, {"size": "4h", "every": "1h"}],
        "lateness": "15m",
        "retention": "14d",
        "min_samples": 50,
        "drift": [
            {"method": "psi", "threshold": 0.2},
            {"method": "ks", "threshold": 0.1},
            {"method": "js", "threshold": 0.1},
        ],
        **changes,
    }
    data = folder / "reference.jsonl"
    data.write_bytes(_reference_data(section["name"]))
    config = parse(msgspec.yaml.encode({"models": [section]}).decode(), folder=folder)
    write_reference(config.models[0].reference, _reference(section, data))
    return section


@functools.cache
def _reference_data(model: str) -> bytes:
    encode = msgspec.json.Encoder().encode
    return b"\n".join(encode({**row, "model": model}) for row in rows(20_000, seed=0, hours=48))


def _reference(section: dict[str, Any], data: Path) -> Reference:
    """Built once in a process for each section: of the same rows and keys it is the same."""
    key = msgspec.yaml.encode({**section, "reference": ""})
    if key not in _BUILT:
        config = parse(msgspec.yaml.encode({"models": [section]}).decode(), folder=data.parent)
        _BUILT[key] = build_reference(config.models[0], data).reference
    return _BUILT[key]
