"""The join is the same for any order of arrival, any blocks and any number of partitions, and after a crash."""

import math
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from support.joins import OTHER, SHAPE, Worker, a_label, a_prediction, expected, id_of, message_of, net

NAMES = st.sampled_from([f"id{i}" for i in range(6)])
TIMES = st.integers(0, 260)
EVENTS = st.lists(
    st.one_of(
        st.builds(
            a_prediction, NAMES, TIMES, version=st.sampled_from("12"), score=st.sampled_from([0.25, 0.75]),
            shape=st.sampled_from([SHAPE, OTHER]),
        ),
        st.builds(
            a_label, NAMES, TIMES, st.sampled_from(["late", "on time", 1.0, 2.0]), st.sampled_from([math.nan, 3.0])
        ),
    ),
    max_size=40,
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(EVENTS, st.randoms(use_true_random=False), st.integers(1, 3), st.sampled_from(["latest", "first"]))
def test_any_order_any_blocks_and_any_partitions_give_the_same_matches(events, random, n_partitions, rule):
    arrival = list(events)
    random.shuffle(arrival)
    workers = [Worker(rule) for _ in range(n_partitions)]
    while arrival:
        n = random.randint(1, 12)
        block, arrival = arrival[:n], arrival[n:]
        for number, worker in enumerate(workers):
            worker.take(message_of([one for one in block if id_of(one[1])[0] % n_partitions == number]))
    total: Counter = Counter()
    for worker in workers:
        total.update(worker.rows)
    assert net(total) == expected(events, rule)
    assert sum(worker.counts["matched"] for worker in workers) == sum(expected(events, rule).values())


@settings(max_examples=100, deadline=None)
@given(EVENTS, st.randoms(use_true_random=False), st.sampled_from(["latest", "first"]))
def test_as_of_any_instant_of_label_time_the_matches_do_not_depend_on_the_order_of_arrival(events, random, rule):
    arrival = list(events)
    random.shuffle(arrival)
    in_time, shuffled = Worker(rule), Worker(rule)
    for one in sorted(events, key=lambda one: one[2]):
        in_time.take(message_of([one]))
    while arrival:
        n = random.randint(1, 12)
        block, arrival = arrival[:n], arrival[n:]
        shuffled.take(message_of(block))
    assert net(shuffled.course) == net(in_time.course)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(EVENTS, st.none() | st.integers(0, 600)), min_size=1, max_size=6), st.data())
def test_after_a_crash_anywhere_the_changelog_gives_the_same_state_and_nothing_counts_twice(blocks, data):
    worker = Worker()
    for events, clock_ms in blocks:
        message = message_of(events, clock_ms=clock_ms)
        worker.take(message)
        assert worker.restored() == worker.store.rows
        if data.draw(st.booleans()):
            worker.store.rows = worker.restored()
        assert worker.joiner.advance(worker.store, message, worker.offset - 1) is None
    if all(clock_ms is None for _, clock_ms in blocks):
        assert net(worker.rows) == expected([one for events, _ in blocks for one in events])


@settings(max_examples=100, deadline=None)
@given(st.lists(EVENTS, min_size=1, max_size=5))
def test_when_all_horizons_are_over_nothing_is_left_and_every_id_was_counted_once(blocks):
    worker = Worker()
    for events in blocks:
        worker.take(message_of(events))
    for clock_ms in (10_000, 10_001):
        worker.take(message_of([], clock_ms=clock_ms))
    assert set(worker.store.rows) == {b"seal"}
    assert set(worker.changelog) == {b"seal"}
    events = [one for events in blocks for one in events]
    predicted, labelled = ({one[1] for one in events if one[0] == kind} for kind in "pl")
    counts = worker.counts
    assert counts["matched"] == sum(expected(events).values())
    assert counts["matched"] + counts["expired"] == len(predicted)
    assert counts["orphan"] == len(labelled - predicted)
    assert counts["duplicate_prediction"] == sum(one[0] == "p" for one in events) - len(predicted)
