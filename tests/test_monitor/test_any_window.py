"""Any window, segment and pair of versions in SQL: the numbers of the Python that scores windows, to 1e-9."""

import contextlib
from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from clickhouse_connect.driver.client import Client
from support.batches import score_objects

from detectors.baseline import Counts
from detectors.profile import profiles
from detectors.reference import WHOLE, Reference
from detectors.score import score_stack
from detectors.settings import Setting
from detectors.sketch import Sketch
from detectors.stack import stacked
from monitor.config.load import parse
from monitor.evaluation.results import Results, RowGroup
from monitor.eventtime.windows import Window
from monitor.reference.batch import reference_batch
from monitor.reference.build import build_reference
from sinks.clickhouse.client import connect
from sinks.clickhouse.migrations import migrate
from sinks.clickhouse.sink import ClickHouseSink

DAY_MS = 86_400_000
SEGMENT = "place=EWR"
METHODS = ("psi", "js", "ks")
N_DAYS = 6
Panes = dict[tuple[str, int], dict[str, Sketch]]
"""By version and day, sketches by segment."""


class Made:
    """A database, and what was written into it."""

    def __init__(self, client: Client, reference: Reference, panes: Panes) -> None:
        self.client, self.reference, self.panes = client, reference, panes

    def merged(self, version: str, first: int, last: int, segment: str) -> Mapping[str, Sketch]:
        """Days from first to last, exclusive, added up in Python."""
        return {segment: reduce(Sketch.merge, (self.panes[version, day][segment] for day in range(first, last)))}

    def scores(
        self, live: Mapping[str, Sketch], before: Mapping[str, Sketch] | None = None
    ) -> dict[tuple[str, str], float]:
        """Statistics by column and method, of what evaluates windows."""
        layout = self.reference.layout
        baseline = None if before is None else Counts(stack=stacked(layout, before), live=True)
        settings = [Setting(method=method, threshold=0.1) for method in METHODS]
        found = score_stack(self.reference, stacked(layout, live), settings, baseline=baseline)
        return {(row.column, row.method): row.statistic for row in score_objects(found)}

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self.client.query(statement).result_rows]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    pytest.importorskip("chdb", reason="the embedded engine is an optional dependency")
    folder = tmp_path_factory.mktemp("any-window")
    rng = np.random.default_rng(12)
    n = 20_000
    table = pa.table(
        {
            "x": rng.normal(size=n),
            "lumps": np.where(rng.random(n) < 0.4, 3.0, np.round(rng.exponential(5.0, n), 1)),
            "negative": pa.array(-np.exp(rng.normal(size=n)), mask=rng.random(n) < 0.1),
            "few": rng.choice(list("abcde"), n),
            "many": [f"c{value}" for value in rng.zipf(1.4, n)],
            "place": rng.choice(["EWR", "JFK"], n),
        }
    )
    (folder / "data").mkdir()
    pq.write_table(table, folder / "data" / "reference.parquet")
    model = parse("models: [{name: m, reference: m.ref, segments: [place]}]").models[0]
    reference = build_reference(model, folder / "data" / "reference.parquet").reference
    assert SEGMENT in reference.sketches
    panes = {(version, day): _pane(reference, rng) for version in ("1", "2") for day in range(N_DAYS)}
    with contextlib.closing(connect(f"chdb://{folder / 'db'}")) as client:
        migrate(client)
        with contextlib.closing(ClickHouseSink(f"chdb://{folder / 'db'}")) as sink:
            sink.setup()
            sink.write([reference_batch([reference])])
            groups = [
                (
                    RowGroup(
                        model="m",
                        group=(version, reference.digest),
                        interval=Window(start_ms=day * DAY_MS, end_ms=(day + 1) * DAY_MS),
                        revision=1,
                    ),
                    profiles(reference.layout, sketches),
                )
                for (version, day), sketches in panes.items()
            ]
            sink.write(Results(profiles=groups).batches())
        yield Made(client, reference, panes)


def _pane(reference: Reference, rng: np.random.Generator) -> dict[str, Sketch]:
    """Counts near the reference's, each pane elsewhere; some cells empty."""
    layout = reference.layout
    found = {}
    for segment in (WHOLE, SEGMENT):
        live = Sketch.empty(layout)
        live.n = 1_000
        for index in range(len(layout.columns)):
            cells = layout.cells(index)
            shares = reference.sketches[segment].counts[cells] * rng.exponential(size=cells.stop - cells.start)
            live.counts[cells] = rng.multinomial(990, shares / shares.sum())
            live.nulls[index] = 10
        own = reference.sketches[segment]
        live.minimum[:] = own.minimum + rng.random() * 0.1
        live.maximum[:] = own.maximum + rng.random()
        live.mean[:] = own.mean
        found[segment] = live
    return found


def _close(found: float, expected: float) -> bool:
    return bool(found == pytest.approx(expected, rel=1e-9, abs=1e-9))


@pytest.mark.parametrize("segment", [WHOLE, SEGMENT])
@pytest.mark.parametrize(("first", "last"), [(0, N_DAYS), (1, 2), (2, 5)])
@pytest.mark.parametrize("version", ["1", "2"])
def test_reference_against_live(made: Made, segment: str, first: int, last: int, version: str) -> None:
    rows = made.rows(
        f"SELECT column, kind, psi, js, ks FROM drift_between(model = 'm', segment = '{segment}', "
        f"from_time = '1970-01-{first + 1:02d} 00:00:00', to_time = '1970-01-{last + 1:02d} 00:00:00') "
        f"WHERE version = '{version}'"
    )
    expected = made.scores(made.merged(version, first, last, segment))
    _same(rows, expected)


@pytest.mark.parametrize("segment", [WHOLE, SEGMENT])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(("1", 0, 3), ("1", 3, 6), id="days against the days before"),
        pytest.param(("1", 0, 6), ("2", 0, 6), id="version against version"),
        pytest.param(("2", 1, 2), ("1", 4, 6), id="both"),
    ],
)
def test_live_against_live(made: Made, segment: str, before: tuple[str, int, int], after: tuple[str, int, int]) -> None:
    rows = made.rows(
        f"SELECT column, kind, psi, js, ks FROM drift_between_spans(model = 'm', segment = '{segment}', "
        + ", ".join(
            f"{side}_version = '{version}', {side}_from = '1970-01-{first + 1:02d} 00:00:00', "
            f"{side}_to = '1970-01-{last + 1:02d} 00:00:00'"
            for side, (version, first, last) in (("before", before), ("after", after))
        )
        + ")"
    )
    _same(rows, made.scores(made.merged(*after, segment), made.merged(*before, segment)))


def _same(rows: list[tuple[Any, ...]], expected: Mapping[tuple[str, str], float]) -> None:
    assert {row[0] for row in rows} >= {"x", "lumps", "negative", "few", "many"}
    for column, kind, psi, js, ks in rows:
        assert _close(psi, expected[column, "psi"])
        assert _close(js, expected[column, "js"])
        if kind == "numeric":
            assert ks > 0.0
            assert _close(ks, expected[column, "ks"])
        else:
            assert np.isnan(ks)


@pytest.mark.parametrize("segment", [WHOLE, SEGMENT])
@pytest.mark.parametrize(("first", "last"), [(0, N_DAYS), (3, 4)])
def test_quantiles_are_those_of_profiles(made: Made, segment: str, first: int, last: int) -> None:
    rows = made.rows(
        f"SELECT column, n, quantiles FROM quantiles_between(model = 'm', segment = '{segment}', column = '*', "
        f"from_time = '1970-01-{first + 1:02d} 00:00:00', to_time = '1970-01-{last + 1:02d} 00:00:00') "
        "WHERE version = '1' ORDER BY column"
    )
    told = profiles(made.reference.layout, made.merged("1", first, last, segment))
    expected = {
        told.columns[told.column[row]]: told.quantiles[told.quantile_offsets[row] : told.quantile_offsets[row + 1]]
        for row in range(len(told))
        if told.numeric[row]
    }
    assert {row[0] for row in rows} == set(expected)
    for column, n, quantiles in rows:
        assert n == 990 * (last - first)
        assert quantiles == pytest.approx(list(expected[column]), rel=1e-9, abs=1e-9)


def test_all_segments_at_once_are_each_alone(made: Made) -> None:
    span = "from_time = '1970-01-01 00:00:00', to_time = '1970-01-04 00:00:00'"
    both = made.rows(f"SELECT segment, version, column, psi, js FROM drift_between(model = 'm', segment = '*', {span})")
    alone = [
        row
        for segment in (WHOLE, SEGMENT)
        for row in made.rows(
            f"SELECT segment, version, column, psi, js FROM drift_between(model = 'm', segment = '{segment}', {span})"
        )
    ]
    assert {row[0] for row in both} == {WHOLE, SEGMENT}
    assert sorted(map(repr, both)) == sorted(map(repr, alone))


def test_without_values_nothing_is_told(made: Made) -> None:
    row = made.rows(
        "SELECT isNaN(driftline_ks([1, 2], [0, 0])), isNaN(driftline_quantile(0.5, [0, 0], [1.], 0., 2.)), "
        "driftline_quantile(0.5, [4], emptyArrayFloat64(), 7., 7.)"
    )
    assert row == [(1, 1, 7.0)]
