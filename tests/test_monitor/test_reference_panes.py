"""What a reference knows of its own unrest: panes, seasons and rare categories, whatever order its rows come in."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from detectors.reference import WHOLE, Reference
from detectors.stack import added, stacked
from monitor.config.schema import CompareSettings, Model, WindowSettings
from monitor.config.spans import Span
from monitor.eventtime.seasons import seasons_of
from monitor.reference.build import build_reference
from monitor.reference.panes import pane_plans

HOUR_MS = 3_600_000
START_MS = 1_700_000_000_000 // (168 * HOUR_MS) * 168 * HOUR_MS
N = 6_000


def model(hours: int = 4, *compare: CompareSettings, **changes: Any) -> Model:
    fields: dict[str, Any] = {
        "name": "m",
        "reference": Path("m.ref"),
        "segments": ("site",),
        "windows": (WindowSettings(size=Span(n=hours * HOUR_MS)),),
    }
    if compare:
        fields["compare"] = compare
    return Model(**fields, **changes)


def table(*, phi: float, n: int = N, seed: int = 1, step_ms: int = 360_000) -> pa.Table:
    """A column that remembers the row before by `phi`, independent ones, and a category of which most come once."""
    rng = np.random.default_rng(seed)
    noise, walk = rng.normal(size=n), np.empty(n)
    walk[0] = noise[0]
    for i in range(1, n):
        walk[i] = phi * walk[i - 1] + np.sqrt(1 - phi**2) * noise[i]
    return pa.table(
        {
            "timestamp": START_MS + np.arange(n, dtype=np.int64) * step_ms,
            "walk": walk,
            "plain": rng.normal(size=n),
            "kind": rng.choice(["a", "b", "c"], n),
            "rare": [f"r{i}" for i in rng.zipf(1.3, n).tolist()],
            "site": rng.choice(["north", "south"], n),
            "score": rng.random(n),
        }
    )


def write(rows: pa.Table, path: Path) -> Path:
    if path.suffix == ".csv":
        pa_csv.write_csv(rows, path)
    elif path.suffix == ".jsonl":
        import json

        path.write_text("".join(json.dumps(row) + "\n" for row in rows.to_pylist()))
    else:
        pq.write_table(rows, path)
    return path


def test_the_digest_and_the_panes_do_not_depend_on_the_order_of_the_rows_nor_on_the_format(tmp_path: Path) -> None:
    rows = table(phi=0.8, n=2_000)
    shuffled = rows.take(pa.array(np.random.default_rng(3).permutation(rows.num_rows)))
    wanted = model(4, CompareSettings(season="hour_of_day"), CompareSettings(season="hour_of_week"), multivariate=True)
    built = [
        build_reference(wanted, write(one, tmp_path / name)).reference
        for one, name in ((rows, "a.parquet"), (shuffled, "b.parquet"), (shuffled, "c.csv"), (rows, "d.jsonl"))
    ]
    assert len({reference.digest for reference in built}) == 1
    assert built[0].studies
    assert {study.season for study in built[0].studies} == {"", "hour_of_day", "hour_of_week"}
    assert len({tuple(map(str, reference.studies)) for reference in built}) == 1
    again = Reference.decode(built[0].encode())
    assert (again.digest, again.studies) == (built[0].digest, built[0].studies)


def test_dependent_rows_show_and_independent_ones_do_not(tmp_path: Path) -> None:
    reference = build_reference(model(), write(table(phi=0.9), tmp_path / "a.parquet")).reference
    (study,) = reference.studies
    assert (study.length_ms, study.pane_ms) == (4 * HOUR_MS, 4 * HOUR_MS)
    columns = [column.name for column in reference.layout.columns]
    whole = dict(zip(columns, study.effects["location"][study.segments.index(WHOLE)], strict=True))
    assert 5.0 < whole["walk"] < 40.0  # (1 + 0.9) / (1 - 0.9) is 19, of long windows
    assert whole["plain"] < 3.0
    calm = build_reference(model(), write(table(phi=0.0), tmp_path / "b.parquet")).reference
    effects = calm.studies[0].effects["location"][study.segments.index(WHOLE)]
    assert max(effects) < 2.5


def test_a_segment_without_any_value_near_the_ends_of_the_range_is_as_dependent_there_as_the_others(
    tmp_path: Path,
) -> None:
    rows = table(phi=0.95)
    walk = np.where(np.array(rows["site"]) == "north", 0.1, 1.0) * rows["walk"].to_numpy()
    rows = rows.set_column(rows.schema.get_field_index("walk"), "walk", pa.array(walk))
    reference = build_reference(model(), write(rows, tmp_path / "a.parquet")).reference
    (study,) = reference.studies
    column = [column.name for column in reference.layout.columns].index("walk")
    effects = {name: row[column] for name, row in zip(study.segments, study.effects["out_of_range"], strict=True)}
    assert effects["site=south"] > 1.2
    assert effects["site=north"] == pytest.approx(effects["site=south"], rel=0.1)


def test_windows_longer_than_the_reference_can_show_are_extrapolated(tmp_path: Path) -> None:
    reference = build_reference(model(168), write(table(phi=0.9), tmp_path / "a.parquet")).reference
    (study,) = reference.studies
    assert study.extrapolated
    assert study.length_ms == 168 * HOUR_MS
    assert 32 <= study.n_panes <= 64
    assert study.pane_ms < study.length_ms


@pytest.mark.parametrize("column", ["timestamp", None])
def test_a_reference_without_times_has_no_panes(tmp_path: Path, column: str | None) -> None:
    rows = table(phi=0.9, n=500)
    if column is None:
        rows = rows.set_column(0, "timestamp", pa.array([None] * 500, pa.int64()))
    else:
        rows = rows.drop_columns([column])
    built = build_reference(model(), write(rows, tmp_path / "a.parquet"))
    assert built.reference.studies == ()
    assert built.n_without_time == 500


def test_rows_of_rare_categories_are_counted_in_each_segment(tmp_path: Path) -> None:
    rows = table(phi=0.0)
    reference = build_reference(model(), write(rows, tmp_path / "a.parquet")).reference
    index = reference.layout.index("rare")
    assert reference.layout.columns[index].others  # there are more categories than cells
    names, counts = np.unique(rows["rare"].to_pylist(), return_counts=True)
    times = dict(zip(names.tolist(), counts.tolist(), strict=True))
    for segment, site in (("", None), ("site=north", "north"), ("site=south", "south")):
        for n in (1, 2):
            expected = sum(times[row["rare"]] == n for row in rows.to_pylist() if site is None or row["site"] == site)
            assert int(reference.rare_rows(segment)[n - 1, index]) == expected


def test_seasons_add_up_to_the_whole_and_hold_their_own_hours(tmp_path: Path) -> None:
    rows = table(phi=0.5)
    wanted = model(4, CompareSettings(season="hour_of_day", timezone="Asia/Kolkata"))
    reference = build_reference(wanted, write(rows, tmp_path / "a.parquet")).reference
    seasons = reference.seasons["hour_of_day Asia/Kolkata"]
    stacks = [stacked(reference.layout, sketches) for sketches in seasons.values()]
    total, whole = added(reference.layout, stacks), stacked(reference.layout, reference.sketches)
    assert np.array_equal(total.counts, whole.counts)
    np.testing.assert_allclose(total.mean, whole.mean, rtol=1e-9)
    hours = seasons_of(rows["timestamp"].to_numpy(), "hour_of_day", "Asia/Kolkata")
    assert {number: sketches[WHOLE].n for number, sketches in seasons.items()} == dict(
        zip(*(part.tolist() for part in np.unique(hours, return_counts=True)), strict=True)
    )


def test_panes_are_of_the_windows_grid_and_at_most_64_evenly_over_time() -> None:
    times_ms = START_MS + np.arange(0, 400 * HOUR_MS, 60_000, dtype=np.int64)
    (plan,) = pane_plans(times_ms, [HOUR_MS])
    starts = np.array(plan.starts_ms)
    assert len(starts) == 64
    assert np.all(starts % HOUR_MS == 0)
    assert np.ptp(np.diff(starts)) <= HOUR_MS
    inside = plan.pane_of(times_ms)
    for number in (0, 17, 63):
        own = times_ms[inside == number]
        assert (own.min(), own.max() + 60_000) == (starts[number], starts[number] + HOUR_MS)
    assert pane_plans(times_ms[:0], [HOUR_MS]) == []


def test_the_same_seasons_on_two_zones_clocks_are_kept_apart(tmp_path: Path) -> None:
    rows = table(phi=0.0, n=2_000)
    zones = ("UTC", "Asia/Tokyo")
    wanted = model(4, *(CompareSettings(season="hour_of_day", timezone=zone) for zone in zones))
    reference = build_reference(wanted, write(rows, tmp_path / "a.parquet")).reference
    utc, tokyo = reference.seasons["hour_of_day"], reference.seasons["hour_of_day Asia/Tokyo"]
    assert {(hour + 9) % 24: sketches[WHOLE].n for hour, sketches in utc.items()} == {
        hour: sketches[WHOLE].n for hour, sketches in tokyo.items()
    }
    assert {study.season for study in reference.studies} >= {"", *reference.seasons}
