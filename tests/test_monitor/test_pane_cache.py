"""What was read of a pane is used again, never when it is out of date, and never beyond its bound."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from support.flow import MINUTE_MS, Event, make_reference, make_watched, message_of
from support.machine import Machine, clock

from detectors.sketch import Sketch
from detectors.stack import Stack, added, stacked
from monitor.evaluation.evaluator import Evaluator
from monitor.evaluation.pane_cache import PaneCache

REFERENCE = make_reference()


def stack_of(n: int) -> Stack:
    sketch = Sketch.empty(REFERENCE.layout)
    sketch.counts[0] = n
    return stacked(REFERENCE.layout, {"": sketch})


def test_a_stack_is_given_for_equal_values_only() -> None:
    cache, stack = PaneCache(), stack_of(1)
    cache.put("pane", (b"one", None), stack)
    assert cache.get("pane", (b"one", None)) is stack
    assert cache.get("pane", (b"two", None)) is None
    assert cache.get("other", (b"one", None)) is None


def test_the_least_recently_used_go_when_there_is_no_room() -> None:
    room = 2 * (stack_of(0).nbytes + 1)
    cache = PaneCache(room)
    for name in ("a", "b"):
        cache.put(name, (b"x",), stack_of(1))
    assert cache.get("a", (b"x",)) is not None
    cache.put("c", (b"x",), stack_of(1))
    assert [name for name in "abc" if cache.get(name, (b"x",)) is not None] == ["a", "c"]
    cache.put("large", (b"x" * room,), stack_of(1))
    assert cache.get("large", (b"x" * room,)) is None, "what is larger than all room is not kept"


def test_a_worker_that_has_read_the_panes_before_scores_as_one_that_has_not() -> None:
    """Late events come between the windows of six minutes that share their panes."""
    model = make_watched(REFERENCE)
    minutes = [0.5, 2.5, 5.0, 0.7, 9.0, 4.5, 13.0, 8.0, 20.0]
    latest, messages = -1, []
    for minute in minutes:
        events = [Event(int(minute * MINUTE_MS), float(i % 5), i % 3, i % 3) for i in range(9)]
        latest = max(latest, events[0].time_ms)
        messages.append(message_of(events, REFERENCE, model, [clock(0, latest)], 1))
    machine = Machine(Evaluator([model]))
    again = Machine(Evaluator([model]))
    for offset, message in enumerate(messages):
        machine.take(offset, message)
        again.evaluator = Evaluator([make_watched(REFERENCE)])  # with nothing read before
        again.take(offset, message)
    assert repr(machine.scores) == repr(again.scores)
    assert machine.scores


layouts = st.dictionaries(st.sampled_from(["", "a=1", "a=2"]), st.integers(0, 9), min_size=1)


@settings(deadline=None)
@given(st.lists(layouts, min_size=1, max_size=5))
def test_stacks_of_any_segments_add_up_as_sketches_merge(panes: list[dict[str, int]]) -> None:
    sketches: list[dict[str, Sketch]] = []
    for pane in panes:
        own = {}
        for name, n in pane.items():
            sketch = Sketch.empty(REFERENCE.layout)
            sketch.n, sketch.counts[n], sketch.nulls[1] = 2 * n, n, n
            if n:
                sketch.minimum[:], sketch.maximum[:] = -n, n
            own[name] = sketch
        sketches.append(own)
    total = added(REFERENCE.layout, [stacked(REFERENCE.layout, own) for own in sketches])
    merged: dict[str, Sketch] = {}
    for own in sketches:
        for name, sketch in own.items():
            merged[name] = merged[name].merge(sketch) if name in merged else sketch
    expected = stacked(REFERENCE.layout, merged)
    assert total.names == expected.names
    for name in ("events", "counts", "nulls", "invalid", "minimum", "maximum"):
        np.testing.assert_array_equal(getattr(total, name), getattr(expected, name))
