"""Cells of the heat map: which of a window's comparisons is drawn, and what is only the season."""

from monitor.api.charts import heat_chart
from monitor.api.queries.verdicts import Cell
from monitor.api.views.heat import heat_cells, heat_lines

HOUR_MS = 3_600_000


def cell(compare: str, *, drifted: bool, strength: float, hour: int = 0, column: str = "temp") -> Cell:
    return Cell(
        column=column, compare=compare, start_ms=hour * HOUR_MS, end_ms=(hour + 1) * HOUR_MS, drifted=drifted,
        strength=strength, method="js", direction="up" if drifted else "none", quantity="mean" if drifted else "",
        before=1.0, after=2.0, q_value=0.01,
    )  # fmt: skip


def test_what_differs_from_the_whole_reference_alone_is_the_season() -> None:
    season = "season hour_of_week Europe/Berlin"
    drifts: dict[str, list[Cell]] = {
        "the season": [cell("pinned", drifted=True, strength=3.0), cell(season, drifted=False, strength=4.0)],
        "as the weeks before": [
            cell("pinned", drifted=True, strength=3.0, hour=1),
            cell("trailing 28d", drifted=False, strength=0.1, hour=1),
        ],
        "beside both": [
            cell("pinned", drifted=True, strength=3.0, hour=2), cell(season, drifted=True, strength=2.0, hour=2),
            cell("trailing 28d", drifted=False, strength=0.1, hour=2),
        ],
        "nothing else to compare with": [cell("pinned", drifted=True, strength=1.5, hour=3)],
        "another version": [
            cell("pinned", drifted=True, strength=3.0, hour=4), cell("version 2", drifted=False, strength=0.1, hour=4),
        ],
        "beside the season alone": [
            cell("pinned", drifted=False, strength=0.9, hour=5), cell(season, drifted=True, strength=2.0, hour=5),
        ],
        "nothing": [
            cell("pinned", drifted=False, strength=0.9, hour=6), cell(season, drifted=False, strength=0.8, hour=6),
        ],
    }  # fmt: skip
    found = dict(zip(drifts, heat_cells([one for own in drifts.values() for one in own]), strict=True))
    assert {name: one.season for name, one in found.items() if one.season} == {
        "the season": season, "as the weeks before": "trailing 28d",
    }  # fmt: skip
    assert [name for name, one in found.items() if one.drifted] == [
        "beside both", "nothing else to compare with", "another version", "beside the season alone",
    ]  # fmt: skip
    (line,) = heat_lines(list(found.values()))
    assert (line.n_drifted, line.n_season, line.n_windows, line.strength) == (4, 2, 7, 3.0)


def test_a_column_that_only_has_a_season_comes_after_those_that_changed() -> None:
    drawn = heat_cells(
        [
            cell("pinned", drifted=True, strength=9.0),
            cell("season month", drifted=False, strength=0.1),
            cell("pinned", drifted=True, strength=2.0, column="wind"),
            cell("season month", drifted=True, strength=1.5, column="wind"),
        ]
    )
    chart = heat_chart(drawn, [], {})
    assert chart["columns"] == ["wind", "temp"]
    assert [one[1:] for one in chart["cells"]] == [
        [1, 9.0, 1, "mean 1 → 2", "season month"],
        [0, 2.0, 1, "mean 1 → 2", ""],
    ]
