"""A small model with a segment, random events for it, and the messages that ingest would send of them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from types import SimpleNamespace

import msgspec
import numpy as np
from support.batches import score_objects, verdict_objects

from detectors.accumulate import accumulate
from detectors.columns import CODE_NULL
from detectors.layout import Layout
from detectors.reference import REST, Reference, categorical_column, numeric_column, segment_name
from detectors.score import score
from detectors.settings import Setting
from detectors.sketch import Sketch
from detectors.verdict import verdicts
from monitor.evaluation.watched import Watched
from monitor.events.batch import Batch
from monitor.eventtime.watermark import Clock
from monitor.eventtime.windows import FixedShape, Window
from monitor.sketching.batch import sketch_batch
from monitor.sketching.deltas import deltas_of
from monitor.sketching.messages import SketchMessage

MINUTE_MS = 60_000
SITES = ("north", "south")
VERDICT = "(verdict)"
"""In the place of a method, in the keys of rows."""


class Event(msgspec.Struct, frozen=True):
    """One prediction: where it falls in time, and its values. `site` 2 is a value outside the reference."""

    time_ms: int
    value: float
    color: int
    site: int
    version: int = 0


def make_reference(seed: int = 1, n: int = 600) -> Reference:
    """A reference with a numeric column, a categorical one, and the dimension `site`."""
    rng = np.random.default_rng(seed)
    values, colors, sites = rng.normal(size=n), rng.integers(0, 3, n), rng.integers(0, 3, n)
    value_column, means = numeric_column("value", values)
    names = {name: int((colors == code).sum()) for code, name in enumerate(("blue", "green", "red"))}
    color_column = categorical_column("color", names)
    layout = Layout([value_column, color_column])
    codes = np.array([color_column.categories.index(("blue", "green", "red")[c]) for c in colors], dtype=np.int32)
    slots = np.stack([np.zeros(n, dtype=np.int32), 1 + sites.astype(np.int32)])
    whole, *parts = accumulate(layout, numeric=values[None, :], codes=codes[None, :], slots=slots, n_slots=4, unseen={})
    names_of = [segment_name("site", value) for value in (*SITES, REST)]
    cell_means = np.full(layout.n_cells, np.nan)
    cell_means[layout.cells(0)] = means
    return Reference(
        model="m", version="1", layout=layout, dimensions={"site": SITES},
        sketches={"": whole, **dict(zip(names_of, parts, strict=True))}, cell_means=cell_means,
    )  # fmt: skip


def make_watched(reference: Reference, **changes: object) -> Watched:
    """Tumbling windows of 2 minutes, hopping ones of 6 every 2, one minute of lateness."""
    fields: dict[str, object] = {
        "name": "m",
        "shapes": (
            FixedShape(size_ms=2 * MINUTE_MS, every_ms=2 * MINUTE_MS),
            FixedShape(size_ms=6 * MINUTE_MS, every_ms=2 * MINUTE_MS),
        ),
        "lateness_ms": MINUTE_MS,
        "retention_ms": 60 * MINUTE_MS,
        "min_samples": 5,
        "alpha": 0.05,
        "settings": (Setting(method="psi", threshold=0.2), Setting(method="ks", threshold=0.1)),
        "references": {reference.digest: reference},
    }
    return Watched(**{**fields, **changes})  # type: ignore[arg-type]


def make_batch(events: Sequence[Event], reference: Reference) -> Batch:
    """The events as columns. A color of 3 is null."""
    layout = reference.layout
    categories = layout.columns[1].categories
    colors = [categories.index(("blue", "green", "red")[e.color]) if e.color < 3 else CODE_NULL for e in events]
    return Batch(
        model="m",
        n=len(events),
        versions=("1", "2"),
        version_codes=np.array([e.version for e in events], dtype=np.int32),
        timestamps_ms=np.array([e.time_ms for e in events], dtype=np.int64),
        numeric=np.array([[e.value for e in events]], dtype=np.float64),
        codes=np.array([colors], dtype=np.int32),
        segments=np.array([[e.site for e in events]], dtype=np.int32),
        unseen={},
        sources=np.zeros(len(events), dtype=np.int32),
    )


def message_of(
    events: Sequence[Event], reference: Reference, model: Watched, clocks: Sequence[Clock], n_partitions: int
) -> SketchMessage:
    """One commit of ingest."""
    deltas = deltas_of(make_batch(events, reference), reference, model.pane_ms) if events else []
    return SketchMessage(deltas=deltas, clocks=list(clocks), n_partitions={"t": n_partitions})


def expected_scores(
    events: Sequence[Event], reference: Reference, model: Watched, until_ms: int
) -> dict[tuple[object, ...], SimpleNamespace]:
    """The oracle.

    Every window that ends by `until_ms`, from the raw events in one go, with no panes and no messages.
    """
    inside: dict[Window, list[Event]] = defaultdict(list)
    for event in events:
        for window in windows_of(event, model):
            inside[window].append(event)
    return scores_of({w: part for w, part in inside.items() if w.end_ms <= until_ms}, reference, model)


def windows_of(event: Event, model: Watched) -> set[Window]:
    """Every window that an event lies in."""
    return {window for shape in model.shapes for window in shape.containing(event.time_ms)}


def scores_of(
    events: Mapping[Window, Sequence[Event]], reference: Reference, model: Watched
) -> dict[tuple[object, ...], SimpleNamespace]:
    """What each window scores with its events: a row a method, and the verdict under the method `VERDICT`."""
    rows: dict[tuple[object, ...], SimpleNamespace] = {}
    for window, mine in events.items():
        for version in (0, 1):
            inside = [e for e in mine if e.version == version]
            if not inside:
                continue
            # One pane as long as the window, at its place: its sketches are those of the raw rows.
            shifted = [msgspec.structs.replace(e, time_ms=0) for e in inside]
            sketches: Mapping[str, Sketch] = {
                k.segment: s for k, s in sketch_batch(make_batch(shifted, reference), reference, 1)
            }
            scores = score(reference, sketches, model.settings, model.min_samples)
            for row in score_objects(scores):
                rows[str(version + 1), window, row.segment, row.column, row.method] = row
            for row in verdict_objects(verdicts(scores, model.alpha)):
                rows[str(version + 1), window, row.segment, row.column, VERDICT] = row
    return rows


def last_revisions(rows: Sequence[SimpleNamespace]) -> dict[tuple[object, ...], SimpleNamespace]:
    """What ClickHouse would show: of each key the highest revision."""
    last: dict[tuple[object, ...], SimpleNamespace] = {}
    for row in rows:
        window = Window(start_ms=row.window_start_ms, end_ms=row.window_end_ms)
        key = (row.version, window, row.segment, row.column, VERDICT if hasattr(row, "quantity") else row.method)
        if key not in last or row.revision >= last[key].revision:
            last[key] = row
    return last
