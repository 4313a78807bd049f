"""What `static/charts.js` draws, in a real browser and without a server."""

from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

STATIC = Path(str(resources.files("monitor.api"))) / "static"
DRAW = """(chart) => {
    const figure = document.querySelector("figure[data-chart]");
    figure.dataset.chart = JSON.stringify(chart);
    driftlineCharts(document);
    window.made = echarts.getInstanceByDom(figure.querySelector(".plot"));
    window.shapes = (type) => made.getZr().storage.getDisplayList(true).filter((one) => one.type === type);
}"""


@pytest.fixture
def draw(browser: Any) -> Iterator[Callable[..., Any]]:
    """Draws a chart alone on a page; there, `made` is the chart and `shapes(type)` what lies on its canvas."""
    opened = []

    def drawn(chart: dict[str, Any], width: int = 1280) -> Any:
        found = browser.new_page(viewport={"width": width, "height": 400})
        opened.append(found)
        found.set_content("<main><figure data-chart><div class=plot></div></figure></main>")
        found.add_style_tag(path=STATIC / "page.css")
        for script in ("echarts.min.js", "charts.js"):
            found.add_script_tag(path=STATIC / script)
        found.evaluate(DRAW, chart)
        return found

    yield drawn
    for found in opened:
        found.close()


def test_the_difference_between_now_and_the_reference_is_shaded(draw: Callable[..., Any]) -> None:
    """The second bar is twice as wide, and so its shares are half as dense."""
    found = draw({"kind": "density", "bars": [[0.0, 1.0, 0.4, 0.6], [1.0, 3.0, 0.6, 0.4]], "range": None})
    shaded = found.evaluate(
        """shapes("rect").filter((one) => String(one.style.fill).endsWith(",0.3)")).map((one) => {
            const low = made.convertFromPixel({ gridIndex: 0 }, [one.shape.x, one.shape.y + one.shape.height]);
            const high = made.convertFromPixel({ gridIndex: 0 }, [one.shape.x + one.shape.width, one.shape.y]);
            return [low[0], high[0], low[1], high[1]];
        })"""
    )
    assert shaded == [pytest.approx([0.0, 1.0, 0.4, 0.6], abs=0.01), pytest.approx([1.0, 3.0, 0.2, 0.3], abs=0.01)]


def test_the_season_is_dotted_grey_and_what_changed_is_not(draw: Callable[..., Any]) -> None:
    cells = [[0, 0, 3.0, 1, "mean", ""], [1, 0, 3.0, 1, "mean", "season hour_of_week"], [2, 0, 0.2, 0, "", ""]]
    chart = {"kind": "heat", "columns": ["temp"], "links": [""], "ends": [3_600_000, 7_200_000, 10_800_000]}
    found = draw({**chart, "cells": cells})
    fills = found.evaluate(
        """shapes("rect").filter((one) => one.style.lineWidth === 1 && one.style.stroke)
            .map(({ style }) => typeof style.fill === "string" ? style.fill.slice(0, 14) : style.fill.image.width)"""
    )
    assert fills == ["rgba(179,71,0,", 5, "#eef0f2"]


def test_windows_shorter_than_a_day_are_told_by_their_time(draw: Callable[..., Any]) -> None:
    labels = """made.getModel().getComponent("xAxis").axis.scale.getOrdinalMeta().categories.map(String)"""
    hour_ms = 3_600_000

    def chart(step_ms: int) -> dict[str, Any]:
        ends = [1_700_000_000_000 // 86_400_000 * 86_400_000 + n * step_ms for n in range(1, 4)]
        return {"kind": "heat", "columns": ["temp"], "links": [""], "ends": ends, "cells": []}

    hours, days = (draw(chart(step_ms)).evaluate(labels) for step_ms in (hour_ms, 24 * hour_ms))
    assert len(set(hours)) == len(set(days)) == 3
    assert all(":" in one for one in hours)
    assert not any(":" in one for one in days)


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize(
    ("chart", "names"),
    [
        (
            {"kind": "bands", "points": [[0, 1, 2, 3, 4, 5], [9, 1, 2, 3, 4, 5]], "reference": [2.9, 3, 3, 3, 3.1]},
            ["ref. 95 %", "ref. median", "ref. 5 %"],
        ),
        (
            {"kind": "bands", "points": [[0, 1, 2, 3, 4, 5]], "reference": [1, 2, 3, 4, 5]},
            ["ref. 95 %", "ref. median", "ref. 5 %"],
        ),
        ({"kind": "strength", "points": [[0, 0.9, 0, ""], [3_600_000, 1.1, 1, ""]]}, ["counts", "from here"]),
        (
            {"kind": "lines", "unit": "%", "lines": [{"name": "out of range", "points": [[0, 1], [9, 2]]}]},
            ["out of range"],
        ),
        (
            {
                "kind": "measured", "points": [[0, 0.7, 0.6, 0.8, 1, 0], [3_600_000, 0.71, 0.6, 0.8, 1, 0]],
                "estimate": [[0, 0.7], [3_600_000, 0.705]], "reference": 0.702, "spread": [0.65, 0.75],
            },
            ["measured", "estimated", "reference"],
        ),
    ],
)  # fmt: skip
def test_labels_stand_beside_what_they_name_and_over_nothing(
    chart: dict[str, Any], names: list[str], width: int, draw: Callable[..., Any]
) -> None:
    found = draw(chart, width)
    seen = found.evaluate(
        """(names) => {
            const plot = made.getModel().getComponent("grid").coordinateSystem.getRect();
            const texts = shapes("tspan").filter((one) => names.includes(one.style.text));
            const labels = texts.map((one) => {
                const box = one.getBoundingRect().clone();
                if (one.transform) box.applyTransform(one.transform);
                return box;
            });
            return {
                names: texts.map((one) => one.style.text).sort(),
                over: labels.filter((one) => one.x < plot.x + plot.width).length,
                cut: labels.filter((one) => one.x + one.width > made.getWidth()).length,
                crossed: labels.filter((a, i) => labels.some((b, k) => k > i && Math.abs(a.y - b.y) < 11)).length,
            };
        }""",
        names,
    )
    assert seen == {"names": sorted(names), "over": 0, "cut": 0, "crossed": 0}
