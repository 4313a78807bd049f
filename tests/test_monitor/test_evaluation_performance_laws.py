"""Performance is the same for any order of arrival, sizes of messages, partitions of the join, crashes and repeats."""

from random import Random
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from support.performance_flow import HORIZON_MS, SPAN_MS, Flow, Label, Prediction, measurements, run, watched

from monitor.evaluation.evaluator import Evaluator
from monitor.join import performance
from monitor.sketching.messages import decode

NAMES = st.sampled_from([f"id{i}" for i in range(12)])
TIMES = st.integers(0, SPAN_MS - 1)
EVENTS = st.lists(
    st.one_of(
        st.builds(
            Prediction, NAMES, TIMES, st.sampled_from([0.1, 0.4, 0.5, 0.9]), st.integers(0, 3), st.sampled_from("12")
        ),
        st.builds(Label, NAMES, TIMES, st.sampled_from(["0", "1", "none of both"])),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=40, deadline=None)
@given(EVENTS, st.integers(0, 2**32), st.integers(1, 3), st.sampled_from([0.0, 0.3]))
def test_any_interleaving_any_partitions_and_any_crash_give_the_same_last_measurements(
    events, seed, n_joins, crash_rate
):
    random = Random(seed)
    in_order = sorted(events, key=lambda one: (one.time_ms, isinstance(one, Label), one.name))
    _, expected = run(in_order, Random(1), 1)
    arrival = list(events)
    random.shuffle(arrival)
    _, found = run(arrival, random, n_joins, crash_rate=crash_rate)
    assert found.last() == expected.last()


@settings(max_examples=40, deadline=None)
@given(EVENTS, st.integers(0, 2**32), st.integers(1, 3))
def test_each_match_is_counted_once_and_a_correction_takes_back(events, seed, n_joins):
    random = Random(seed)
    random.shuffle(events)
    _, found = run(events, random, n_joins, crash_rate=0.3)
    predicted = {one.name: one.time_ms for one in sorted(
        (one for one in events if isinstance(one, Prediction)), key=lambda one: -one.time_ms
    )}  # fmt: skip
    matched = {
        one.name
        for one in events
        if isinstance(one, Label) and one.name in predicted
        and 0 <= one.time_ms - predicted[one.name] <= HORIZON_MS
    }  # fmt: skip
    assert found.n_matched() == len(matched)


@settings(max_examples=15, deadline=None)
@given(EVENTS, st.integers(0, 2**32))
def test_a_block_that_takes_several_messages_is_counted_as_one(events, seed):
    in_order = sorted(events, key=lambda one: (one.time_ms, isinstance(one, Label), one.name))
    _, expected = run(in_order, Random(1), 1)
    with patch.object(performance, "MAX_MESSAGE_BYTES", 1):
        flow, found = run(in_order, Random(seed), 2, crash_rate=0.3)
    assert found.last() == expected.last()
    assert max((decode(one).block.part for one in flow.sketches if decode(one).block), default=0) > 0 or not any(
        one.matched for one in expected.windows
    )


@settings(max_examples=15, deadline=None)
@given(EVENTS, st.integers(0, 2**32))
def test_a_model_that_waits_for_its_reference_loses_no_match_and_no_measurement(events, seed):
    _, expected = run(events, Random(seed), 2)
    random = Random(seed)
    with measurements() as made:
        flow = Flow(made, 2)
        without = Evaluator([watched(references={})])
        with_file, flow.evaluator = flow.evaluator, without
        left = list(events)
        while left:
            n = random.randint(1, 12)
            flow.ingest(left[:n])
            left = left[n:]
            flow.drain()
        assert not made.windows
        flow.evaluator = with_file
        flow.finish(first_events=False)
    assert made.last() == expected.last()
