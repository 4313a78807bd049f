"""The demo's flights: a score a column, segment and method, and the whole way from decoded events to messages.

What the demo's model would say is drawn from the hour of departure here, so that no model needs to be trained.
"""

import time
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa

from detectors.grid import coarse_cells, single_valued
from detectors.reference import WHOLE, Reference
from detectors.score import score_stack
from detectors.sketch import Sketch
from detectors.stack import Stack, added, stacked
from detectors.verdict import verdicts
from monitor.bench import scoring
from monitor.bench.size import Material
from monitor.config.load import load
from monitor.config.schema import Config
from monitor.demo import flights
from monitor.evaluation.results import BYTES_A_MESSAGE
from monitor.events.batch import Decoded
from monitor.files.read import iter_decoded
from monitor.models import model_specs, watched
from monitor.reference.build import build_reference
from monitor.reference.opened import References, open_references
from monitor.reference.store import write_reference
from monitor.replay.replay import Replay
from monitor.sketching.batch import sketch_batch
from sinks.records import Source, encode
from sinks.records.split import split

DAY_MS: Final = 86_400_000
_SOURCE: Final = Source(topic="drift.sketches", partition=0, offset=0)


def end_to_end(material: Material) -> Callable[[], int]:
    """Decoded events to sketches, panes, windows and verdicts, and these to messages: all but broker and ClickHouse."""
    config, references, decoded = _prepare(material)

    def work() -> int:
        replay = Replay(watched(config, references), {name: own.current for name, own in references.items()})
        results = [batch for part in decoded for batch in replay.feed(part.batches)] + replay.close()
        for batch in results:
            for message in split(batch, BYTES_A_MESSAGE):
                encode(message, _SOURCE)
        return sum(part.n_events for part in decoded)

    return work


def sketch_alone(material: Material) -> Callable[[], int]:
    """The same events sketched, and let go of."""
    config, references, decoded = _prepare(material)
    (model,) = config.models
    reference = references[model.name].current

    def work() -> int:
        for part in decoded:
            for batch in part.batches:
                for _ in sketch_batch(batch, reference, model.pane_ms):
                    pass
        return sum(part.n_events for part in decoded)

    return work


def score_all(material: Material) -> Callable[[], int]:
    """Weeks of days, with p-values and verdicts; counts scores."""
    config, references, decoded = _prepare(material)
    (model,) = watched(config, references)
    reference = references[model.name].current
    weeks = [added(reference.layout, days) for days in _weeks(decoded, reference)]

    study = reference.study(7 * DAY_MS)

    def work() -> int:
        n = 0
        for week in weeks:
            scores = score_stack(reference, week, model.settings, model.min_samples, study=study)
            verdicts(scores, model.alpha)
            n += len(scores)
        return n

    return work


def loop(material: Material) -> Callable[[], int]:
    """NumPy and SciPy, column by column, from the same counts of every segment's numeric columns; counts scores."""
    _, references, decoded = _prepare(material)
    reference = next(iter(references.values())).current
    layout = reference.layout
    whole = reference.sketches[WHOLE].counts
    weeks = [added(reference.layout, days) for days in _weeks(decoded, reference)]
    coarse = [coarse_cells(single_valued(layout.columns[i]), whole[layout.cells(i)], 10) for i in layout.numeric]

    def work() -> int:
        n = 0
        for week in weeks:
            for row, name in enumerate(week.names):
                pinned = reference.sketches.get(name, Sketch.empty(layout)).counts
                for position, index in enumerate(layout.numeric):
                    cells = layout.cells(index)
                    if pinned[cells].any() and week.counts[row, cells].any():
                        n += len(scoring.column(pinned[cells], week.counts[row, cells], coarse[position]))
        return n

    return work


def _prepare(material: Material) -> tuple[Config, References, Sequence[Decoded]]:
    """The demo's configuration, the reference of January, and the flights of some days from February on, decoded."""
    folder = material.folder / "flights"
    if not (folder / "live.parquet").exists():
        _write(folder, material.size.flight_days)
    config = load(folder / "demo.yaml")
    # Labels have a benchmark of their own.
    models = tuple(msgspec.structs.replace(model, label_horizon_ms=None) for model in config.models)
    config = msgspec.structs.replace(config, models=models)
    references = open_references(config)
    parts = iter_decoded(folder / "live.parquet", model_specs(config, references), int(time.time() * 1000), rows=4_096)
    return config, references, [part.decoded for part in parts]


def _write(folder: Path, days: int) -> None:
    folder.mkdir(exist_ok=True)
    table = flights.load_flights()
    hours = np.asarray(table["dep_hour_utc"], dtype=np.float64)
    chance = np.random.default_rng(1).random(table.num_rows)
    score = np.round(0.02 * hours + 0.5 * chance, 6)
    labels = pa.array(np.where(score > 0.4, flights.LATE, flights.ON_TIME).tolist(), pa.string())
    table = table.append_column("score", pa.array(score)).append_column("label", labels)
    flights.write_flat(flights.reference_rows(table), folder / "january.parquet")
    (folder / "demo.yaml").write_text((resources.files("monitor.demo") / "demo.yaml").read_text())
    config = load(folder / "demo.yaml")
    write_reference(config.models[0].reference, build_reference(config.models[0], folder / "january.parquet").reference)
    live = flights.live_rows(table)
    times_ms = np.asarray(live["timestamp_ms"])
    live = live.filter(pa.array(times_ms < times_ms.min() + days * DAY_MS))
    whole = folder / "live.parquet.part"
    flights.write_flat(live, whole)
    whole.rename(folder / "live.parquet")


def _weeks(decoded: Sequence[Decoded], reference: Reference) -> list[list[Stack]]:
    """The days of each week that ends in the stream, as evaluate adds them up."""
    days: dict[int, dict[str, Sketch]] = {}
    for part in decoded:
        for batch in part.batches:
            for key, sketch in sketch_batch(batch, reference, DAY_MS):
                own = days.setdefault(key.pane_start_ms, {})
                own[key.segment] = own[key.segment].merge(sketch) if key.segment in own else sketch
    stacks = [stacked(reference.layout, days[start]) for start in sorted(days)]
    return [stacks[max(0, end - 7) : end] for end in range(1, len(stacks) + 1)]
