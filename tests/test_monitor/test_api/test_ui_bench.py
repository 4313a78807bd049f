"""`bench --ui` asks what the page asks, and sees every screen painted. How long that takes is no test's matter."""

import pytest

from monitor.bench import paint
from monitor.bench.ui import Fleet, run_ui_bench


def test_the_bench_asks_every_statement_and_opens_every_screen(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("chdb", reason="the embedded engine is an optional dependency")
    asked = run_ui_bench(as_json=True, rounds=1, size=Fleet(models=3, columns=4, days=3))
    rows = {one.name: one.rows for one in asked}
    assert rows["fleet: models and windows"] == 3
    assert rows["fleet: what changed"] == 3 * 24
    assert rows["model: cells of 60 windows"] == 2 * 4 * 60, "beside the reference and beside the season"
    painted = [one for one in asked if one.name.startswith("first paint")]
    assert len(painted) == (7 if paint.browser() is not None else 0)
    assert all(0 < one.median_ms <= one.longest_ms and one.most_ms == 1_000 for one in painted)
    assert '"first paint: fleet"' in capsys.readouterr().out or not painted
