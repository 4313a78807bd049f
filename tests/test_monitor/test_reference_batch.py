"""What SQL is given of a reference: the cells that the methods compare."""

import contextlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.batches import score_objects

from detectors.profile import profiles
from detectors.reference import WHOLE
from detectors.score import score
from detectors.settings import Setting
from detectors.sketch import Sketch
from monitor.config.load import parse
from monitor.evaluation.results import Results, RowGroup
from monitor.eventtime.windows import Window
from monitor.reference.batch import reference_batch
from monitor.reference.build import build_reference
from sinks.clickhouse.client import connect
from sinks.clickhouse.migrations import migrate
from sinks.clickhouse.sink import ClickHouseSink

DAY_MS = 86_400_000


def test_psi_and_js_in_sql_are_those_of_the_methods_whatever_the_number_of_categories(tmp_path: Path) -> None:
    pytest.importorskip("chdb", reason="the embedded engine is an optional dependency")
    rng = np.random.default_rng(5)
    n = 20_000
    table = pa.table(
        {
            "x": rng.normal(size=n),
            "few": rng.choice(list("abcde"), n),
            "many": pa.array([f"c{value}" for value in rng.zipf(1.4, n)], mask=rng.random(n) < 0.02),
        }
    )
    (tmp_path / "data").mkdir()
    pq.write_table(table, tmp_path / "data" / "reference.parquet")
    model = parse("models: [{name: m, reference: m.ref}]").models[0]
    reference = build_reference(model, tmp_path / "data" / "reference.parquet").reference
    layout = reference.layout
    assert len(layout.columns[layout.index("many")].categories) > 500
    live = Sketch.empty(layout)
    live.n = 3_000
    for index in range(len(layout.columns)):
        cells = layout.cells(index)
        shares = reference.sketches[WHOLE].counts[cells] + 1.0
        live.counts[cells] = rng.multinomial(3_000, shares / shares.sum())
        live.nulls[index] = 40
    window = {WHOLE: live}
    group = RowGroup(model="m", group=("1", reference.digest), interval=Window(start_ms=0, end_ms=DAY_MS), revision=1)
    dsn = f"chdb://{tmp_path / 'db'}"
    with contextlib.closing(connect(dsn)) as client:
        migrate(client)
        with contextlib.closing(ClickHouseSink(dsn)) as sink:
            sink.setup()
            sink.write([reference_batch([reference])])
            sink.write(Results(profiles=[(group, profiles(layout, window))]).batches())
        rows = client.query(
            "SELECT column, psi, js FROM drift_between(model = 'm', segment = '', from_time = '1970-01-01 00:00:00', "
            "to_time = '1970-01-02 00:00:00')"
        ).result_rows
    settings = [Setting(method="psi", threshold=0.1), Setting(method="js", threshold=0.1)]
    expected = {(row.column, row.method): row.statistic for row in score_objects(score(reference, window, settings))}
    assert {str(column) for column, *_ in rows} == {"x", "few", "many"}
    for column, psi, js in rows:
        assert psi == pytest.approx(expected[column, "psi"], rel=1e-9)
        assert js == pytest.approx(expected[column, "js"], rel=1e-9)
