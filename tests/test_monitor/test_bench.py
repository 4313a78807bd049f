"""`driftline bench` runs whole, in a tiny size, and says what it promises to say. No figure is judged here."""

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import numpy as np
import pytest
from rich.console import Console
from support.batches import score_objects
from support.brokers import Broker

from detectors.grid import coarse_cells, single_valued
from detectors.reference import WHOLE
from detectors.score import score
from monitor.bench import data, latency, scoring
from monitor.bench import kafka as bench_kafka
from monitor.bench.columns import make_reference, make_window
from monitor.bench.pairs import KAFKA, PAIRS, PEERS, WEEK
from monitor.bench.report import Machine, Report, Target, summarise
from monitor.bench.show import show
from monitor.bench.size import TINY, VARIABLE, Size
from monitor.cli.app import run
from monitor.config.schema import Config


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, kafka: Broker) -> None:
    monkeypatch.setenv(VARIABLE, "tiny")
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap_servers)


@pytest.mark.long
def test_bench_writes_every_named_result_as_json(tiny: None, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "--json", "--rounds", "1"]) == 0
    report = msgspec.json.decode(capfd.readouterr().out, type=Report)
    assert report.machine.notes == ()
    assert report.machine.broker
    assert [r.name for r in report.results] == [figure.name for pair in PAIRS for figure in pair.figures]
    for result in report.results:
        assert result.rounds == 1
        assert 0 < result.min == result.value == result.max
        assert result.yardstick.value > 0
        assert (result.target is None) == (result.reached is None)


@pytest.mark.parametrize("prepare", [bench_kafka.prepare, latency.prepare])
def test_what_a_pair_prepares_leaves_the_others_as_they_were(
    prepare: Callable[[Path, Mapping[str, object], Size], Config], kafka: Broker, tmp_path: Path
) -> None:
    data.prepare(tmp_path, TINY)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    bench_kafka.remove(prepare(tmp_path, bench_kafka.section(kafka.bootstrap_servers), TINY))
    assert {path: path.read_bytes() for path in before} == before


def test_names_of_results_are_unique() -> None:
    names = [figure.name for pair in (*PAIRS, *PEERS, *WEEK) for figure in pair.figures]
    assert len(set(names)) == len(names)
    assert KAFKA in PAIRS


def test_a_result_holds_the_median_and_its_ratio() -> None:
    result = summarise("n", "events/s", [3.0, 1.0, 2.0], "y", [4.0, 4.0, 8.0], Target(value=2.0, of="value"))
    assert (result.min, result.value, result.max, result.ratio, result.reached) == (1.0, 2.0, 3.0, 0.5, True)


def test_a_ratio_is_reached_whatever_the_machine_s_speed() -> None:
    target = Target(value=0.5, of="ratio")
    for speed in (1.0, 1e6):
        assert summarise("n", "events/s", [3.0 * speed], "y", [6.0 * speed], target).reached
        assert not summarise("n", "events/s", [2.9 * speed], "y", [6.0 * speed], target).reached


def test_less_is_better_where_the_target_says_so() -> None:
    target = Target(value=0.1, of="value", less_is_better=True)
    assert target.reached(0.1, 9.0)
    assert not target.reached(0.2, 0.0)


@pytest.mark.parametrize("width", [80, 200])
def test_a_report_can_be_read_in_narrow_and_wide_terminals(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    fast = summarise("fast", "events/s", [8_123_456.0], "msgspec alone", [4_000_000.0], Target(value=0.8, of="ratio"))
    slow = summarise("slow", "s", [2.5], "three hops", [0.5], Target(value=2.0, of="value", less_is_better=True))
    machine = Machine(
        cpu="A", cores=2, python="3.11", versions={}, pinned_to=1, busy=0.0, clock="wall", notes=("[no] peer",)
    )
    show(Console(width=width), Report(machine=machine, results=(fast, slow)))
    said = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert said[said.index("fast") + 1 :][:2] == [
        "8,123,456 events/s  8,123,456 to 8,123,456",
        "4,000,000 events/s  msgspec alone: ratio 2.03; target 0.8 reached",
    ]
    assert said[said.index("slow") + 1 :][:2] == [
        "2.5000 s  2.5000 to 2.5000; target 2.0000 not reached",
        "0.5000 s  three hops: ratio 5",
    ]
    assert said[-1] == "[no] peer"


def test_the_events_are_as_long_as_they_are_said_to_be() -> None:
    messages = list(data.json_messages(data.table(1_000)))
    assert 400 <= sum(map(len, messages)) / len(messages) <= 500


def test_the_events_are_the_same_at_every_run() -> None:
    assert list(data.json_messages(data.table(50))) == list(data.json_messages(data.table(50)))


def test_the_loop_beside_scoring_finds_the_same() -> None:
    """Else the yardstick would measure other work."""
    reference = make_reference(9, 1_000)
    live = make_window(reference, 700)
    scores = {(s.column, s.method): s for s in score_objects(score(reference, {WHOLE: live}, scoring.SETTINGS))}
    layout, whole = reference.layout, reference.sketches[WHOLE]
    for index in layout.numeric:
        cells = layout.cells(index)
        coarse = coarse_cells(single_valued(layout.columns[index]), whole.counts[cells], 10)
        found = scoring.column(whole.counts[cells], live.counts[cells], coarse)
        for setting, (statistic, p_value) in zip(scoring.SETTINGS, found, strict=True):
            ours = scores[layout.columns[index].name, setting.method]
            np.testing.assert_allclose(ours.statistic, statistic, rtol=1e-9, atol=1e-6)
            # The loop takes the chi-square of the textbook, psi and js the moments that the cells give.
            near = {"rtol": 0.0, "atol": 0.01} if setting.method in ("psi", "js") else {"rtol": 1e-9, "atol": 1e-6}
            np.testing.assert_allclose(ours.p_value, p_value, **near)
