"""A version that is an id by mistake: what is made of it stays small, and nothing is lost."""

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.flow import MINUTE_MS, Event, make_batch, make_watched
from support.machine import REFERENCE, Machine, clock

from detectors.reference import REST
from monitor.evaluation.evaluator import Evaluator
from monitor.evaluation.results import Source
from monitor.events.batch import Batch
from monitor.sketching.deltas import deltas_of
from monitor.sketching.messages import SketchMessage
from monitor.sketching.versions import bounded

N_IDS = 10_000
PANE_MS = 2 * MINUTE_MS
MODEL = make_watched(REFERENCE)


def batch_of(events: list[tuple[str, float]]) -> Batch:
    """Events as (version, minute)."""
    versions = tuple(sorted({version for version, _ in events}))
    batch = make_batch([Event(int(minute * MINUTE_MS), 0.5, 0, 0) for _, minute in events], REFERENCE)
    codes = np.array([versions.index(version) for version, _ in events], dtype=np.int32)
    return replace(batch, versions=versions, version_codes=codes)


def counted(batch: Batch) -> Counter[tuple[str, int]]:
    """Events by version and pane."""
    panes = (batch.timestamps_ms // PANE_MS).tolist()
    return Counter((batch.versions[code], pane) for code, pane in zip(batch.version_codes.tolist(), panes, strict=True))


def message(batch: Batch, minute: float, max_versions: int = 1_000) -> SketchMessage:
    deltas = deltas_of(batch, REFERENCE, PANE_MS, max_versions)
    return SketchMessage(deltas=deltas, clocks=[clock(0, int(minute * MINUTE_MS))], n_partitions={"t": 1})


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "c", "d", REST]), st.integers(0, 9)), min_size=1, max_size=40),
    st.integers(1, 4),
)
def test_of_each_pane_the_most_frequent_versions_stay_and_the_rest_is_their_sum(
    events: list[tuple[str, float]], most: int
) -> None:
    batch = batch_of(events)
    before, after = counted(batch), counted(bounded(batch, PANE_MS, most))
    for pane in {pane for _, pane in before}:
        own = {version: n for (version, where), n in before.items() if where == pane}
        kept = sorted(own, key=lambda version: (-own[version], version))[:most]
        expected = Counter({version: own[version] for version in kept})
        expected[REST] += sum(n for version, n in own.items() if version not in kept)
        assert {version: n for (version, where), n in after.items() if where == pane} == dict(+expected)


def test_years_in_which_versions_come_and_go_are_left_as_they_are() -> None:
    batch = batch_of([(f"v{i}", 2.0 * i) for i in range(300)])
    assert bounded(batch, PANE_MS, 1) is batch


def test_ten_thousand_versions_take_the_room_of_fifty_and_their_events_are_all_counted() -> None:
    machine = Machine(Evaluator([MODEL]))
    parts = [batch_of([(f"id-{i}", 0.5) for i in range(start, start + 2_500)]) for start in range(0, N_IDS, 2_500)]
    messages = [*(message(part, 0.5) for part in parts), message(batch_of([("id-1", 9.0)]), 9.0)]
    for offset, one in enumerate(messages):
        assert sum(len(delta.entries) for delta in one.deltas) <= 2 * 1_001
        machine.take(offset, one)
    n_rest = sum(row.n for row in machine.profiles if _whole(row) and row.version == REST)
    profiled = [row for row in machine.profiles if _whole(row)]
    assert len(profiled) == 51
    assert (sum(row.n for row in profiled), n_rest) == (N_IDS, N_IDS - 50)
    assert len({row.version for row in machine.windows}) == 51
    assert len(machine.local) < 200
    assert sum(map(len, machine.local.values())) < 1_000_000


def _whole(row: SimpleNamespace) -> bool:
    return (row.segment, row.column, row.pane_start_ms) == ("", "value", 0)


@pytest.mark.parametrize("max_versions", [1, 7, 50])
def test_what_is_told_apart_and_the_rest_add_up_to_the_whole(max_versions: int) -> None:
    machine = Machine(Evaluator([make_watched(REFERENCE, max_versions=max_versions)]))
    machine.take(0, message(batch_of([(f"v{i % 60}", 0.5) for i in range(600)]), 0.5))
    machine.take(1, message(batch_of([("v1", 9.0)]), 9.0))
    n = {row.version: row.n for row in machine.profiles if _whole(row)}
    assert len(n) == max_versions + 1
    assert n[REST] == 600 - 10 * max_versions
    assert sum(n.values()) == 600


def test_a_version_makes_room_for_another_once_no_event_of_it_can_come() -> None:
    model = make_watched(REFERENCE, max_versions=2, retention_ms=4 * MINUTE_MS)
    machine = Machine(Evaluator([model]))
    told = []
    for offset, (version, minute) in enumerate([("a", 0), ("b", 2), ("c", 4), ("a", 60), ("c", 62), ("d", 64)]):
        step = machine.evaluator.advance(machine.local, message(batch_of([(version, minute)]), minute), _source(offset))
        told.append((version, dict(step.n_rest)))
        machine.take(offset, message(batch_of([(version, minute)]), minute))
    assert told == [("a", {}), ("b", {}), ("c", {"m": 1}), ("a", {}), ("c", {}), ("d", {"m": 1})]


def _source(offset: int) -> Source:
    return Source(topic="s", partition=0, offset=offset)
