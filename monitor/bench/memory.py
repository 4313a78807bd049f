"""Bytes that one numeric column of one pane takes, wherever a sketch lies."""

import tracemalloc
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from detectors.reference import WHOLE
from monitor.bench.columns import make_reference, make_window
from monitor.bench.size import Material
from monitor.evaluation.state import PaneChunk, pack
from monitor.sketching.messages import Delta, Entry, SketchMessage, encode

_SEED: Final = 9


def sketches(material: Material) -> Callable[[], Mapping[str, float]]:
    """The live sketch, its encoding, the message that carries it, and what the score role stores."""
    reference = make_reference(material.size.columns, material.size.pane_events)
    digest = reference.digest
    make_window(reference, 10)  # compiled before anything is traced

    def work() -> Mapping[str, float]:
        sketch = make_window(reference, material.size.pane_events)
        encoded = sketch.encode()
        entry = Entry(version="1", pane_start_ms=0, segment=WHOLE, n=sketch.n, sketch=encoded)
        message = SketchMessage(deltas=[Delta(model="bench", reference=digest, pane_ms=1, entries=[entry])])
        tracemalloc.start()
        try:
            kept = sketch.merge(sketch)  # a copy of its own, and nothing of what made it
            live, _peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert kept.n == 2 * sketch.n
        sizes = {
            "live": live,
            "encoded": len(encoded),
            "wire": len(encode(message)),
            "stored": len(pack(PaneChunk(absorbed=0, sketches={WHOLE: encoded}))),
        }
        return {name: n_bytes / material.size.columns for name, n_bytes in sizes.items()}

    return work


def raw(material: Material) -> Callable[[], Mapping[str, float]]:
    """The values themselves, as an exact answer would have to keep them."""
    values = np.random.default_rng(_SEED).lognormal(size=material.size.pane_events)
    return lambda: {"raw": float(values.nbytes)}
