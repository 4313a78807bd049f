"""One week of the demo's flights against January: what other libraries for drift are measured on as well.

The features as they come, some 6,000 rows against 27,000, one window of a week, no segments and no model.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from detectors.reference import WHOLE
from detectors.score import score
from detectors.settings import Setting
from monitor.bench.size import Material
from monitor.config.load import load
from monitor.demo import flights
from monitor.files.read import iter_decoded
from monitor.models import model_specs
from monitor.reference.build import build_reference
from monitor.reference.opened import open_references
from monitor.reference.store import write_reference
from monitor.sketching.batch import sketch_batch

CONFIG: Final = "flights.yaml"
JANUARY: Final = "flights-january.csv"
WEEK: Final = "flights-week.csv"
_EVENTS: Final = "flights-events.csv"
_FROM, _TO = np.datetime64("2013-02-04"), np.datetime64("2013-02-11")
_NOW_MS: Final = 1_400_000_000_000


def prepare(folder: Path) -> None:
    """Write January and the week, the reference of January, and a configuration."""
    rows = flights.load_flights()
    date = np.asarray(rows["date"])
    week = rows.filter(pa.array((date >= _FROM) & (date < _TO)))
    features = list(flights.FEATURES)
    pa_csv.write_csv(flights.reference_rows(rows).select(features), folder / JANUARY)
    pa_csv.write_csv(week.select(features), folder / WEEK)
    pa_csv.write_csv(
        week.select(["timestamp_ms", *features]).rename_columns(["timestamp", *features]), folder / _EVENTS
    )
    model = {
        "name": flights.MODEL,
        "task": "none",
        "reference": "flights.ref",
        "windows": [{"size": "7d"}],
        "drift": [{"method": "psi"}],
    }
    (folder / CONFIG).write_bytes(msgspec.yaml.encode({"models": [model]}))
    loaded = load(folder / CONFIG).models[0]
    write_reference(loaded.reference, build_reference(loaded, folder / JANUARY).reference)


def psi(material: Material) -> Callable[[], int]:
    """The week's rows, decoded, to sketches, and these to PSI with p- and q-values."""
    config = load(material.folder / CONFIG)
    references = open_references(config)
    (model,) = config.models
    reference = references[model.name].current
    parts = iter_decoded(material.folder / _EVENTS, model_specs(config, references), _NOW_MS)
    batches = [batch for part in parts for batch in part.decoded.batches]
    settings = [Setting(method="psi", threshold=0.1)]

    def work() -> int:
        sketches = [sketch for batch in batches for _key, sketch in sketch_batch(batch, reference, model.pane_ms)]
        whole = sketches[0]
        for sketch in sketches[1:]:
            whole = whole.merge(sketch)
        score(reference, {WHOLE: whole}, settings)
        return whole.n

    return work
