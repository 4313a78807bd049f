"""Decoding and sketching, and what each is compared with. Each function prepares, and gives the work of one go."""

from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from detectors.columns import Kind
from detectors.reference import Reference
from monitor.bench import data
from monitor.bench.size import Material
from monitor.config.load import load
from monitor.events.batch import Batch
from monitor.models import message_decoder, model_specs
from monitor.reference.opened import open_references
from monitor.sketching.batch import sketch_batch

NOW_MS: Final = data.START_MS + 30 * 86_400_000

Work = Callable[[], int]


class _Pipeline:
    """From messages to sketches as ingest does it, without Kafka."""

    def __init__(self, folder: Path, configuration: str = data.CONFIG) -> None:
        config = load(folder / configuration)
        references = open_references(config)
        self.reference: Reference = references[data.MODEL].current
        self.spec = model_specs(config, references)[0]
        self.batch_events = config.kafka.batch_events
        self._decoder = message_decoder(config, references)
        self._pane_ms = config.models[0].pane_ms

    def decode(self, messages: Sequence[bytes]) -> Batch:
        """One micro-batch, none of it rejected."""
        decoded = self._decoder.decode_messages(messages, None, "predictions", NOW_MS)
        (batch,) = decoded.batches
        if decoded.rejects:
            raise AssertionError(f"an event of the benchmark was rejected: {decoded.rejects[0].detail}")
        return batch

    def sketch(self, batch: Batch) -> int:
        """Its events, as counted by the sketches of the whole."""
        sketches = list(sketch_batch(batch, self.reference, self._pane_ms))
        return sum(sketch.n for key, sketch in sketches if not key.segment)


def _in_batches(messages: list[bytes], at_once: int) -> list[list[bytes]]:
    return [messages[start : start + at_once] for start in range(0, len(messages), at_once)]


def json(material: Material) -> Work:
    """JSON, one event a message, to sketches."""
    return _json(material, data.CONFIG)


def json_multivariate(material: Material) -> Work:
    """The same with derived columns."""
    return _json(material, data.MULTIVARIATE)


def _json(material: Material, configuration: str) -> Work:
    pipeline = _Pipeline(material.folder, configuration)
    batches = _in_batches(data.read_json(material.folder), pipeline.batch_events)
    return lambda: sum(pipeline.sketch(pipeline.decode(batch)) for batch in batches)


def msgspec_alone(material: Material) -> Work:
    """The same messages into typed structs; each is let go at once, which is the fastest way."""
    decode = msgspec.json.Decoder(_struct(_Pipeline(material.folder).reference)).decode
    messages = data.read_json(material.folder)

    def work() -> int:
        deque(map(decode, messages), maxlen=0)
        return len(messages)

    return work


def _struct(reference: Reference) -> type[msgspec.Struct]:
    """An event with every field typed, as one would declare it by hand."""
    types: dict[Kind, Any] = {Kind.NUMERIC: float | None, Kind.CATEGORICAL: str | None}
    columns = [column for column in reference.layout.columns if not column.name.startswith("@")]
    features = msgspec.defstruct("Features", [(one.name, types[one.kind], None) for one in columns], gc=False)
    prediction = msgspec.defstruct("Prediction", [("score", float | None), ("label", str | None)], gc=False)
    fields: list[tuple[str, Any]] = [("version", str), ("prediction_id", str), ("timestamp", int)]
    fields += [("prediction", prediction), ("features", features)]
    return msgspec.defstruct("Event", fields, tag_field="model", tag=data.MODEL, gc=False)


def arrow(material: Material) -> Work:
    """Arrow messages to sketches."""
    return _arrow(material, data.CONFIG)


def arrow_multivariate(material: Material) -> Work:
    """The same with derived columns."""
    return _arrow(material, data.MULTIVARIATE)


def _arrow(material: Material, configuration: str) -> Work:
    pipeline = _Pipeline(material.folder, configuration)
    messages = data.read_arrow(material.folder)
    return lambda: pipeline.sketch(pipeline.decode(messages))


def sketch(material: Material) -> Work:
    """Decoded micro-batches to sketches."""
    pipeline = _Pipeline(material.folder)
    batches = [pipeline.decode(part) for part in _in_batches(data.read_json(material.folder), pipeline.batch_events)]
    return lambda: sum(pipeline.sketch(batch) for batch in batches)


def binning(material: Material) -> Work:
    """The same values counted in the same cells by plain NumPy: no segments, no moments, no panes."""
    pipeline = _Pipeline(material.folder)
    layout = pipeline.reference.layout
    batches = [pipeline.decode(part) for part in _in_batches(data.read_json(material.folder), pipeline.batch_events)]
    edges = [layout.column_edges(position) for position in range(len(layout.numeric))]
    n_cells = [layout.columns[index].n_cells for index in layout.categorical]

    def work() -> int:
        for batch in batches:
            for values, own in zip(batch.numeric, edges, strict=True):
                np.bincount(np.searchsorted(own, values[np.isfinite(values)]), minlength=own.size + 1)
            for codes, n in zip(batch.codes, n_cells, strict=True):
                np.bincount(codes[codes >= 0], minlength=n)
        return sum(batch.n for batch in batches)

    return work
