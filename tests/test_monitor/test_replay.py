"""Replay: the last revisions in its files, the same ones in any order inside the lateness, and sums that agree."""

import math
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from support.batches import batch_of
from support.events import BAD_EVERY, START_MS, encoded, model_section, rows
from support.installation import Installation
from support.results import assert_same, parquet_rows
from support.results import replayed as replayed_rows
from support.zones import ms

from monitor import models
from monitor.config.schema import Config
from monitor.errors import InputError
from monitor.files.read import iter_decoded
from monitor.reference.opened import open_references
from monitor.replay.record_file import RecordFile
from monitor.replay.replay import Replay, ReplayReport, run_replay
from sinks.records import RECORDS

N = 4_000
HOURS = 12.0
HOUR_MS = 3_600_000
LATENESS_MS = 15 * 60_000

DRIFT_SCORE, PROFILE = RECORDS["drift_score"], RECORDS["column_profile"]
SCORE = {
    "model": "m", "version": "1", "segment": "", "column": "amount", "method": "psi", "window_start_ms": 0,
    "window_end_ms": HOUR_MS, "reference": "abc", "compare": "pinned", "statistic": 0.1, "effect": 0.05,
    "p_value": 0.5, "calibration": "theory", "threshold": 0.2, "n_reference": 100, "n_current": 10,
    "error_bound": math.nan, "revision": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    folder = tmp_path_factory.mktemp("model")
    return _config(folder, {})


def _config(folder: Path, changes: dict[str, Any]) -> Config:
    installation = Installation(folder, "127.0.0.1:1", "replay", [model_section(folder, **changes)])
    installation.close()
    return installation.config


def replayed(
    config: Config, events: Sequence[bytes], out: Path, *, close: bool = True, part: int = 500
) -> ReplayReport:
    """Replay events in this order, `part` of them at a time."""
    references = open_references(config)
    replay = Replay(models.watched(config, references), {name: found.current for name, found in references.items()})
    out.mkdir()
    data = out / "events.jsonl"
    data.write_bytes(b"\n".join(events))
    specs = models.model_specs(config, references)
    parts = iter_decoded(data, specs, int(time.time() * 1000), rows=part)
    return run_replay((one.decoded for one in parts), replay, out, close=close)


def profiles(out: Path) -> list[dict[str, Any]]:
    found = pq.read_table(out / "quality.parquet").to_pylist()
    return sorted(found, key=lambda row: tuple(row[name] for name in PROFILE.key))


def assert_same_files(first: Path, second: Path) -> None:
    """Counts to the bit, means and deviations to 1e-12; how they came about (revisions) does not matter."""
    assert_same(replayed_rows(first), replayed_rows(second))
    one, two = profiles(first), profiles(second)
    assert len(one) == len(two) > 0
    for row, other in zip(one, two, strict=True):
        for name in row.keys() - {"mean", "std", "revision", "frequent_unseen"}:
            assert repr(row[name]) == repr(other[name]), name
        for name in ("mean", "std"):
            np.testing.assert_allclose(row[name], other[name], rtol=1e-12)


def counted(out: Path, column: str = "age") -> int:
    """Events in the sketches, by any column that every event has, or has as null."""
    return sum(
        row["n"] + row["nulls"] + row["invalid"]
        for row in profiles(out)
        if row["segment"] == "" and row["column"] == column
    )


def test_a_file_of_rows_holds_the_last_revision_of_each(tmp_path: Path) -> None:
    file = RecordFile(tmp_path / "drift.parquet", DRIFT_SCORE)
    keys = [(segment, start) for segment in ("", "site=north") for start in (0, HOUR_MS)]
    for revision, which in [(1, keys), (2, keys[1:2]), (2, keys[2:]), (3, keys[2:3])]:
        rows = [
            {
                **SCORE,
                "segment": segment,
                "window_start_ms": start,
                "window_end_ms": start + HOUR_MS,
                "revision": revision,
                "n_current": 10 * revision,
            }
            for segment, start in which
        ]
        file.write(batch_of(DRIFT_SCORE, rows))
    file.close()
    table = pq.read_table(tmp_path / "drift.parquet")
    assert table.column_names == [field.name for field in DRIFT_SCORE.fields]
    found = {(r["segment"], r["window_start_ms"]): (r["revision"], r["n_current"]) for r in table.to_pylist()}
    assert found == {keys[0]: (1, 10), keys[1]: (2, 20), keys[2]: (3, 30), keys[3]: (2, 20)}
    assert file.n_rows == table.num_rows == 4


def test_rows_that_differ_in_any_part_of_the_key_are_all_kept(tmp_path: Path) -> None:
    file = RecordFile(tmp_path / "drift.parquet", DRIFT_SCORE)
    others = [
        {**SCORE, name: value + "x" if isinstance(value, str) else value + 1}
        for name, value in SCORE.items()
        if name in DRIFT_SCORE.key
    ]
    file.write(batch_of(DRIFT_SCORE, [SCORE, *others]))
    file.write(batch_of(DRIFT_SCORE, [{**SCORE, "revision": 2}]))
    file.close()
    assert file.n_rows == 1 + len(DRIFT_SCORE.key)


def test_a_file_without_rows_has_its_columns_all_the_same(tmp_path: Path) -> None:
    for record in (DRIFT_SCORE, PROFILE):
        file = RecordFile(tmp_path / "empty.parquet", record)
        file.write(batch_of(record, []))
        file.close()
        table = pq.read_table(tmp_path / "empty.parquet")
        assert (table.num_rows, table.column_names) == (0, [field.name for field in record.fields])


def test_any_order_inside_the_lateness_and_any_parts_give_the_same_files(config: Config, tmp_path: Path) -> None:
    ordered = sorted(rows(N, seed=4, hours=HOURS, shift=1.0), key=lambda row: row["timestamp"])
    chance = np.random.default_rng(8)
    # Each event is late by less than half the lateness, so no two change places that are further apart than it.
    arrival = [row["timestamp"] + chance.uniform(0, LATENESS_MS / 2) for row in ordered]
    shuffled = [ordered[i] for i in np.argsort(arrival)]
    assert shuffled != ordered
    encode = msgspec.json.encode
    first = replayed(config, [encode(row) for row in ordered], tmp_path / "ordered", part=N)
    second = replayed(config, [encode(row) for row in shuffled], tmp_path / "shuffled", part=37)
    assert_same_files(tmp_path / "ordered", tmp_path / "shuffled")
    assert first == second
    assert {row["revision"] for row in profiles(tmp_path / "shuffled")} == {1}
    assert first.n_drifted > 0


def test_any_order_inside_the_retention_gives_the_same_last_revisions(config: Config, tmp_path: Path) -> None:
    events = list(encoded(N, seed=4, hours=HOURS, shift=1.0))
    backwards = [*events[N // 2 :], *events[: N // 2]]
    first = replayed(config, events, tmp_path / "forwards")
    second = replayed(config, backwards, tmp_path / "backwards", part=300)
    assert_same_files(tmp_path / "forwards", tmp_path / "backwards")
    assert max(row["revision"] for row in profiles(tmp_path / "backwards")) > 1
    assert first == second


@pytest.mark.parametrize("retention", ["14d", "1h"])
def test_every_event_is_counted_rejected_or_too_late(tmp_path: Path, retention: str) -> None:
    config = _config(tmp_path / "model", {"retention": retention})
    events = list(encoded(N, seed=4, hours=HOURS))
    shuffled = [*events[N // 2 :], *events[: N // 2]]
    report = replayed(config, shuffled, tmp_path / "out")
    assert report.n_events == N
    assert report.n_rejected == N // BAD_EVERY
    assert (report.n_late_dropped > 0) == (retention == "1h")
    assert counted(tmp_path / "out") + report.n_rejected + report.n_late_dropped == report.n_events


def test_the_report_agrees_with_the_files(config: Config, tmp_path: Path) -> None:
    events = list(encoded(N, seed=4, hours=HOURS, shift=1.0))
    report = replayed(config, [*events[N // 2 :], *events[: N // 2]], tmp_path / "out")
    table = pq.read_table(tmp_path / "out" / "drift.parquet").to_pylist()
    assert report.n_scores == len(table)
    verdicts = pq.read_table(tmp_path / "out" / "verdicts.parquet").to_pylist()
    assert report.n_verdicts == len(verdicts)
    assert report.n_drifted == sum(row["drifted"] for row in verdicts) > 0
    assert report.n_profiles == len(profiles(tmp_path / "out"))
    windows = pq.read_table(tmp_path / "out" / "windows.parquet").to_pylist()
    assert report.windows == len({(row["window_start_ms"], row["window_end_ms"]) for row in windows})
    rejects = [msgspec.json.decode(line) for line in (tmp_path / "out" / "rejects.jsonl").read_bytes().splitlines()]
    assert len(rejects) == report.n_rejected
    assert {reject["reason"] for reject in rejects} == {"undecodable"}
    bad = [event.decode() for number, event in enumerate(events) if number % BAD_EVERY == BAD_EVERY - 1]
    assert sorted(reject["raw"].rstrip("\n") for reject in rejects) == sorted(bad)


def test_without_close_the_windows_that_are_not_over_stay_open(config: Config, tmp_path: Path) -> None:
    events = list(encoded(N, seed=4, hours=HOURS))
    replayed(config, events, tmp_path / "open", close=False)
    replayed(config, events, tmp_path / "closed", close=True)
    latest_ms = max(row["timestamp"] for row in rows(N, seed=4, hours=HOURS))
    ends = {
        name: {row["window_end_ms"] for row in parquet_rows(tmp_path / name / "drift.parquet")}
        for name in ("open", "closed")
    }
    assert max(ends["open"]) <= latest_ms - LATENESS_MS
    assert max(ends["closed"]) > latest_ms
    assert ends["open"] == {end for end in ends["closed"] if end <= latest_ms - LATENESS_MS}
    last_pane_ms = (latest_ms - START_MS) // HOUR_MS * HOUR_MS + START_MS
    assert max(row["pane_start_ms"] for row in profiles(tmp_path / "closed")) == last_pane_ms


def test_a_local_day_has_the_hours_that_its_clocks_show_in_any_order_of_the_file(tmp_path: Path) -> None:
    zoned = [{"size": size, "timezone": "Europe/Berlin"} for size in ("1d", "1mo")]
    config = _config(tmp_path / "model", {"windows": zoned, "retention": "60d"})
    first_ms, n_hours = ms(2025, 3, 28, 23), 95
    every_minute = [first_ms + minute * 60_000 for minute in range(n_hours * 60)]
    encode = msgspec.json.encode
    events = [
        encode({**row, "timestamp": time_ms})
        for row, time_ms in zip(rows(len(every_minute), seed=4, hours=1.0), every_minute, strict=True)
    ]
    replayed(config, events, tmp_path / "forwards")
    replayed(config, [*events[3_000:], *events[:3_000]], tmp_path / "backwards", part=700)
    assert_same_files(tmp_path / "forwards", tmp_path / "backwards")
    windows = {
        (row["window_start_ms"], row["window_end_ms"], row["events"])
        for row in pq.read_table(tmp_path / "forwards" / "windows.parquet").to_pylist()
        if row["segment"] == ""
    }
    days = [ms(2025, 3, 28, 23), ms(2025, 3, 29, 23), ms(2025, 3, 30, 22), ms(2025, 3, 31, 22), ms(2025, 4, 1, 22)]
    april_ms = days[3]
    assert windows == {
        *((start_ms, end_ms, (end_ms - start_ms) // 60_000) for start_ms, end_ms in pairwise(days)),
        (ms(2025, 2, 28, 23), april_ms, (april_ms - first_ms) // 60_000),
        (april_ms, ms(2025, 4, 30, 22), 24 * 60),
    }


def test_nothing_at_all_gives_empty_files(config: Config, tmp_path: Path) -> None:
    references = open_references(config)
    replay = Replay(models.watched(config, references), {name: found.current for name, found in references.items()})
    assert run_replay([], replay, tmp_path / "out", close=True) == ReplayReport()
    assert parquet_rows(tmp_path / "out" / "drift.parquet") == []
    assert profiles(tmp_path / "out") == []
    assert (tmp_path / "out" / "rejects.jsonl").read_bytes() == b""


def test_results_of_an_earlier_run_are_replaced(config: Config, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for name in ("drift.parquet", "quality.parquet", "rejects.jsonl"):
        (out / name).write_bytes(b"from before")
    references = open_references(config)
    replay = Replay(models.watched(config, references), {name: found.current for name, found in references.items()})
    run_replay([], replay, out, close=False)
    assert parquet_rows(out / "drift.parquet") == []


def test_a_folder_that_cannot_be_written_is_one_clear_error(config: Config, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match=r"cannot write to .*file/out: Not a directory") as caught:
        run_replay([], Replay([], {}), tmp_path / "file" / "out", close=False)
    assert caught.value.hint
    (tmp_path / "out" / "drift.parquet").mkdir(parents=True)
    with pytest.raises(InputError, match="cannot write to"):
        run_replay([], Replay([], {}), tmp_path / "out", close=False)
