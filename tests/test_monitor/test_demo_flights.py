import datetime
import itertools
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

pytest.importorskip("sklearn", reason="the demo's packages are not installed: pip install 'driftline[demo]'")

from sklearn.metrics import roc_auc_score

from monitor.config.load import load
from monitor.config.methods import DEFAULT_METHODS
from monitor.demo import flights as demo
from monitor.demo.model import add_predictions
from monitor.errors import InputError
from monitor.events.labels import LabelDecoder, LabelSpec

N_FLIGHTS = 336_776


@pytest.fixture(scope="module")
def flights() -> pa.Table:
    return demo.load_flights()


@pytest.fixture(scope="module")
def predictions(flights: pa.Table) -> pa.Table:
    return add_predictions(flights)


def month(table: pa.Table, number: int) -> pa.Table:
    return table.filter(pc.equal(pc.month(table["date"]), number))


def decile_psi(reference: pa.Table, live: pa.Table, name: str) -> float:
    """The design's PSI from raw values: reference deciles, heavy values in cells of their own, 1e-4 for empty ones."""
    ref, now = (np.array(table[name].drop_null().to_pylist()) for table in (reference, live))
    if name in (*demo.CATEGORICAL, "label"):
        known = np.unique(ref)
        cells = [np.where(np.isin(x, known), np.searchsorted(known, x), len(known)) for x in (ref, now)]
    else:
        values, counts = np.unique(ref, return_counts=True)
        heavy = values[counts >= len(ref) / 10].astype(float)
        deciles = np.quantile(ref, np.arange(1, 10) / 10, method="inverted_cdf")
        edges = np.unique(np.concatenate([deciles, heavy, np.nextafter(heavy, -np.inf)]))
        cells = [np.searchsorted(edges, x, side="left") for x in (ref, now)]
    n_cells = max(int(x.max()) for x in cells) + 1
    r, n = (np.bincount(x, minlength=n_cells) / len(x) for x in cells)
    filled = (r > 0) | (n > 0)
    r, n = (np.where(p > 0, p, 1e-4)[filled] for p in (r, n))
    return float(np.sum((n - r) * np.log(n / r)))


def test_every_flight_of_2013_is_there_once_in_order_of_departure(flights: pa.Table) -> None:
    assert flights.num_rows == N_FLIGHTS
    assert pc.count_distinct(flights["prediction_id"]).as_py() == N_FLIGHTS
    times_ms = flights["timestamp_ms"].to_numpy()
    assert (np.diff(times_ms) >= 0).all()


def test_every_flight_that_lands_has_a_label_when_it_does_and_no_other_has_one(flights: pa.Table) -> None:
    labels = demo.labels(flights)
    assert labels.num_rows == N_FLIGHTS - 9_430
    assert (np.diff(labels["timestamp"].to_numpy()) >= 0).all()
    first = labels.filter(pc.equal(labels["prediction_id"], "2013-01-01-UA-1545-EWR-0515")).to_pylist()[0]
    arrival = datetime.datetime(2013, 1, 1, 8, 30, tzinfo=datetime.timezone(datetime.timedelta(hours=-6)))  # Houston
    assert first["timestamp"] == arrival.timestamp() * 1000
    assert (first["label"], first["value"]) == ("on-time", 11.0)
    landed = flights.filter(flights["late"].is_valid())
    taken_ms = landed["arrival_ms"].to_numpy() - landed["timestamp_ms"].to_numpy()
    assert 0 < taken_ms.min() < taken_ms.max() < 2 * 86_400_000  # within the demo's label_horizon


def test_labels_are_read_as_they_are_sent(flights: pa.Table) -> None:
    rows = demo.live_rows(flights).slice(0, 2_000)
    decoded = LabelDecoder([LabelSpec(name=demo.MODEL, task="binary")], 1).decode(
        [value for _time_ms, _key, value in demo.label_events(rows)], None, 1_400_000_000_000
    )
    assert not decoded.rejects
    (batch,) = decoded.batches
    assert batch.n == rows.num_rows - rows["late"].null_count
    assert set(batch.classes) == {demo.LATE, demo.ON_TIME}


def test_a_flight_leaves_at_its_scheduled_time_in_utc(flights: pa.Table) -> None:
    row = flights.slice(0, 1).to_pylist()[0]
    departure = datetime.datetime(2013, 1, 1, 10, 15, tzinfo=datetime.UTC)  # 5:15 in New York
    assert row["prediction_id"] == "2013-01-01-UA-1545-EWR-0515"
    assert row["timestamp_ms"] == departure.timestamp() * 1000
    assert (row["date"], row["sched_dep_minute"], row["dep_hour_utc"]) == (datetime.date(2013, 1, 1), 315, 10)


def test_hours_in_utc_move_when_the_clocks_change_and_local_ones_do_not(flights: pa.Table) -> None:
    def hours_behind(number: int) -> set[int]:
        table = month(flights, number)
        return set(((table["dep_hour_utc"].to_numpy() - table["sched_dep_minute"].to_numpy() // 60) % 24).tolist())

    assert hours_behind(2) == {5}
    assert hours_behind(3) == {4, 5}
    assert hours_behind(7) == {4}


def test_scheduled_durations_have_the_time_zones_taken_out(flights: pa.Table) -> None:
    duration_min = flights["sched_duration_min"].to_numpy()
    assert (duration_min.min(), duration_min.max()) == (50, 700)
    to_phoenix = flights.filter(pc.equal(flights["dest"], "PHX"))  # Arizona keeps its clocks
    winter, summer = (np.median(month(to_phoenix, number)["sched_duration_min"]) for number in (1, 7))
    assert abs(winter - summer) < 30


def test_nulls_stay_nulls_and_none_becomes_a_nan(flights: pa.Table) -> None:
    assert flights["precip"].null_count == 1_556  # hours in which the station did not report
    assert flights["wind_gust"].null_count == 256_391
    assert flights["late"].null_count == 9_430  # cancelled or diverted
    for name in demo.FEATURES:
        if pa.types.is_floating(flights[name].type):
            assert not pc.any(pc.is_nan(flights[name])).as_py(), name


def test_scores_of_january_do_not_depend_on_what_comes_later(predictions: pa.Table, flights: pa.Table) -> None:
    january = demo.reference_rows(flights)
    again = add_predictions(pa.concat_tables([january, demo.live_rows(flights).slice(0, 1_000)]))
    for name in ("score", "label"):
        assert again[name].to_pylist() == predictions[name].slice(0, again.num_rows).to_pylist()


@pytest.mark.parametrize(("rows", "auc"), [(demo.reference_rows, 0.67), (demo.live_rows, 0.66)])
def test_the_model_is_as_good_as_its_docstring_says(predictions: pa.Table, rows, auc: float) -> None:
    known = rows(predictions).filter(pc.is_valid(rows(predictions)["late"]))
    assert roc_auc_score(known["late"].to_numpy(), known["score"].to_numpy()) == pytest.approx(auc, abs=0.006)


def test_january_has_as_many_late_predictions_as_late_flights(predictions: pa.Table) -> None:
    january = demo.reference_rows(predictions)
    known = january.filter(pc.is_valid(january["late"]))
    said = pc.mean(pc.equal(known["label"], demo.LATE).cast(pa.float64())).as_py()
    assert said == pytest.approx(pc.mean(known["late"].cast(pa.float64())).as_py(), abs=0.001)


def test_january_and_the_stream_are_the_whole_year(predictions: pa.Table) -> None:
    january, live = demo.reference_rows(predictions), demo.live_rows(predictions)
    assert (january.num_rows, live.num_rows) == (27_004, 309_772)
    assert january["timestamp_ms"].to_numpy().max() < live["timestamp_ms"].to_numpy().min()


def test_events_say_what_the_flat_file_says(predictions: pa.Table, tmp_path: Path) -> None:
    live = demo.live_rows(predictions)
    some = pa.concat_tables([live.slice(0, 500), live.slice(live.num_rows - 500)])  # the last have no weather
    demo.write_flat(some, tmp_path / "flights.parquet")
    rows = pq.read_table(tmp_path / "flights.parquet").to_pylist()
    for (time_ms, key, value), row in zip(demo.prediction_events(some), rows, strict=True):
        event = msgspec.json.decode(value)
        assert event.pop("prediction") == {"score": row.pop("score"), "label": row.pop("label")}
        assert event.pop("features") == {name: row.pop(name) for name in demo.FEATURES}
        assert event == row  # nothing else is in either: neither the truth nor the date
        assert (time_ms, key) == (row["timestamp"], row["prediction_id"])


def test_events_keep_nulls_and_come_in_order_of_time(predictions: pa.Table) -> None:
    live = demo.live_rows(predictions)
    events = list(itertools.islice(demo.prediction_events(live), 20_000))
    assert [time_ms for time_ms, _, _ in events] == sorted(time_ms for time_ms, _, _ in events)
    assert any(b'"wind_gust":null' in value for _, _, value in events)


def test_temperature_drifts_most_in_summer_and_the_schedule_hardly(predictions: pa.Table) -> None:
    january, july = demo.reference_rows(predictions), month(predictions, 7)
    psi = {name: decile_psi(january, july, name) for name in (*demo.FEATURES, "score", "label")}
    assert max(psi, key=lambda name: psi[name]) == "temp"
    assert psi["temp"] == pytest.approx(8.319, abs=0.001)  # every flight of July is above January's ninth decile
    assert psi["pressure"] > 1
    assert max(psi[name] for name in ("carrier", "origin", "distance", "sched_dep_minute")) < 0.02


def test_the_score_drifts_in_february(predictions: pa.Table) -> None:
    january, february = demo.reference_rows(predictions), month(predictions, 2)
    assert decile_psi(january, february, "score") == pytest.approx(0.205, abs=0.01)
    assert decile_psi(january, february, "pressure") > decile_psi(january, february, "temp") > 0.4


def test_the_configuration_is_valid_and_names_this_model() -> None:
    config = load(Path(demo.__file__).with_name("demo.yaml"), environ={})
    (model,) = config.models
    assert model.name == demo.MODEL
    assert set(model.segments) <= set(demo.CATEGORICAL)
    assert {drift.method for drift in model.drift if drift.verdict} >= set(DEFAULT_METHODS)


def test_flights_that_are_not_installed_are_an_error_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "find_spec", lambda name: None)
    with pytest.raises(InputError) as caught:
        demo.load_flights()
    assert "driftline[demo]" in caught.value.hint
