"""What is measured on: seeded predictions of 20 numeric and 5 categorical columns, as JSON and as Arrow messages.

Score and class count among the columns. `site`, one of the categorical ones, is the segment dimension (8 values). An
event is about 450 bytes of JSON; one value in a hundred is null.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from monitor.bench.size import Size
from monitor.config.load import load
from monitor.config.schema import Config
from monitor.reference.build import build_reference
from monitor.reference.store import write_reference

MODEL: Final = "bench"
START_MS: Final = 1_700_000_000_000 // 3_600_000 * 3_600_000
STEP_MS: Final = 36
"""Between events: 100,000 an hour, so that an hourly pane ends now and then inside a micro-batch."""
SEED: Final = 20_260_101
CONFIG: Final = "driftline.yaml"
"""Of pairs that need no broker. The others have a file of their own each: none changes what another measures."""
MULTIVARIATE: Final = "multivariate.yaml"
"""The same model with derived columns."""
LABELLED: Final = "labelled.yaml"
"""The same model with labels."""
JSON: Final = "events.jsonl"
ARROW: Final = "events.arrow"
SITES: Final = tuple(f"site-{letter}" for letter in "abcdefgh")

_CATEGORIES: Final = {
    "channel": ("app", "phone", "shop", "web"),
    "device": tuple(f"device-{i:02}" for i in range(24)),
    "product": tuple(f"product-{i:03}" for i in range(200)),
    "site": SITES,
}
_N_FEATURES: Final = 19


def table(n: int, seed: int = SEED, first: int = 0) -> pa.Table:
    """(n rows) flat columns as files and Arrow messages hold them; `first` numbers and dates the first row."""
    rng = np.random.default_rng([seed, first])
    columns: dict[str, Any] = {
        "prediction_id": pa.array([f"p{first + i:09}" for i in range(n)]),
        "timestamp": pa.array(START_MS + STEP_MS * np.arange(first, first + n, dtype=np.int64)),
    }
    for number in range(_N_FEATURES):
        columns[f"f{number:02}"] = pa.array(_numbers(number, n, rng), mask=rng.random(n) < 0.01)
    for name, values in _CATEGORIES.items():
        share = 1.0 / np.arange(1, len(values) + 1)
        chosen = rng.choice(len(values), size=n, p=share / share.sum()).astype(np.int32)
        columns[name] = pa.DictionaryArray.from_arrays(chosen, list(values)).dictionary_decode()
    score = rng.beta(2.0, 5.0, n).round(4)
    columns["score"] = pa.array(score)
    columns["label"] = pa.array(np.where(score > 0.5, "yes", "no"))
    return pa.table(columns).replace_schema_metadata({"model": MODEL, "version": "3"})


def _numbers(number: int, n: int, rng: np.random.Generator) -> Any:
    """The shapes that features have: bell, long tail, share, count, mostly zero."""
    shape = number % 5
    if shape == 0:
        return rng.normal(number, 1.0 + number, n).round(3)
    if shape == 1:
        return rng.lognormal(1.0, 0.8, n).round(2)
    if shape == 2:
        return rng.random(n).round(4)
    if shape == 3:
        return rng.poisson(3.0 * number, n)
    return np.where(rng.random(n) < 0.7, 0.0, rng.exponential(20.0, n).round(2))


def json_messages(rows: pa.Table) -> Iterator[bytes]:
    """One event a message."""
    encode = msgspec.json.Encoder().encode
    for row in rows.to_pylist():
        event = {
            "model": MODEL,
            "version": "3",
            "prediction_id": row.pop("prediction_id"),
            "timestamp": row.pop("timestamp"),
            "prediction": {"score": row.pop("score"), "label": row.pop("label")},
            "features": row,
        }
        yield encode(event)


def arrow_messages(rows: pa.Table, rows_a_message: int) -> Iterator[bytes]:
    """IPC streams of one record batch; text columns are dictionaries, as data frames of categories give them."""
    for name in (*_CATEGORIES, "label"):
        place = rows.schema.get_field_index(name)
        rows = rows.set_column(place, name, rows.column(place).dictionary_encode())
    for start in range(0, rows.num_rows, rows_a_message):
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, rows.schema) as stream:
            for batch in rows.slice(start, rows_a_message).combine_chunks().to_batches():
                stream.write_batch(batch)
        yield sink.getvalue().to_pybytes()


def configure(
    path: Path,
    kafka: Mapping[str, object] | None = None,
    *,
    model: Mapping[str, object] | None = None,
    **sections: object,
) -> Config:
    """Write a configuration to `path`, beside the reference, with this `kafka` section; returns what it says.

    `model` and `sections` are keys of the model, and of the file, to set beside.
    """
    watched = {
        "name": MODEL,
        "task": "binary",
        "reference": "bench.ref",
        "segments": ["site"],
        "windows": [{"size": "1h"}],
        "drift": [{"method": name} for name in ("psi", "ks", "js", "chi2")],
        **(model or {}),
    }
    document = {"models": [watched], "kafka": dict(kafka or {}), "metrics": {"listen": "off"}, **sections}
    path.write_bytes(msgspec.yaml.encode(document))
    return load(path)


def prepare(folder: Path, size: Size) -> None:
    """Write configurations, references and messages into `folder`."""
    data = folder / "reference.parquet"
    pq.write_table(table(size.reference_rows, first=10_000_000), data)
    for config in (
        configure(folder / CONFIG),
        configure(folder / MULTIVARIATE, model={"multivariate": True, "reference": "multivariate.ref"}),
    ):
        write_reference(config.models[0].reference, build_reference(config.models[0], data).reference)
    configure(folder / LABELLED, model={"label_horizon": "30d"})
    rows = table(size.events)
    (folder / JSON).write_bytes(b"\n".join(json_messages(rows)))
    (folder / ARROW).write_bytes(msgspec.msgpack.encode(list(arrow_messages(rows, size.arrow_rows))))


def read_json(folder: Path) -> list[bytes]:
    """The JSON messages."""
    return (folder / JSON).read_bytes().split(b"\n")


def read_arrow(folder: Path) -> list[bytes]:
    """The Arrow messages."""
    return msgspec.msgpack.decode((folder / ARROW).read_bytes(), type=list[bytes])
