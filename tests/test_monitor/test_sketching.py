"""Sketching a batch: any split of it merges to the same sketches, whatever the bound on memory."""

from collections.abc import Iterable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.flow import MINUTE_MS, SITES, Event, make_batch, make_reference

from detectors.reference import REST, WHOLE, Reference, segment_name
from detectors.sketch import Sketch
from monitor.events.batch import Batch
from monitor.sketching import batch as sketching
from monitor.sketching.batch import SketchKey, sketch_batch

REFERENCE = make_reference()
PANE_MS = MINUTE_MS
SEGMENTS = [segment_name("site", value) for value in (*SITES, REST)]

events_strategy = st.lists(
    st.builds(
        Event,
        st.integers(0, 6 * PANE_MS),
        st.floats(-4, 4).map(lambda x: round(x, 3)) | st.sampled_from([np.nan, np.inf, -np.inf]),
        st.integers(0, 3),
        st.integers(0, 2),
        st.integers(0, 1),
    ),
    min_size=1,
    max_size=60,
)


def sketches_of(events: Sequence[Event], reference: Reference = REFERENCE) -> dict[SketchKey, Sketch]:
    return once(sketch_batch(make_batch(events, reference), reference, PANE_MS))


def once(pairs: Iterable[tuple[SketchKey, Sketch]]) -> dict[SketchKey, Sketch]:
    """As a dictionary; no key may come twice."""
    found: dict[SketchKey, Sketch] = {}
    for key, sketch in pairs:
        assert key not in found
        found[key] = sketch
    return found


def merged(parts: Iterable[dict[SketchKey, Sketch]]) -> dict[SketchKey, Sketch]:
    total: dict[SketchKey, Sketch] = {}
    for part in parts:
        for key, sketch in part.items():
            total[key] = total[key].merge(sketch) if key in total else sketch
    return total


def assert_same(got: dict[SketchKey, Sketch], expected: dict[SketchKey, Sketch]) -> None:
    assert got.keys() == expected.keys()
    for key, sketch in expected.items():
        np.testing.assert_array_equal(got[key].counts, sketch.counts)
        np.testing.assert_array_equal(got[key].nulls, sketch.nulls)
        np.testing.assert_array_equal(got[key].invalid, sketch.invalid)
        assert got[key].n == sketch.n
        assert got[key].same(sketch), key


@settings(max_examples=100, deadline=None)
@given(events_strategy, st.lists(st.integers(0, 4), min_size=1, max_size=60), st.randoms())
def test_any_split_into_batches_merges_to_the_same_sketches(
    events: list[Event], deal: list[int], random: object
) -> None:
    hands: dict[int, list[Event]] = {}
    for number, event in enumerate(events):
        hands.setdefault(deal[number % len(deal)], []).append(event)
    for hand in hands.values():
        random.shuffle(hand)  # type: ignore[attr-defined]
    assert_same(merged(sketches_of(hand) for hand in hands.values()), sketches_of(events))


@settings(max_examples=50, deadline=None)
@given(events_strategy, st.integers(1, 20))
def test_a_small_bound_on_memory_takes_the_batch_in_parts_and_changes_nothing(events: list[Event], kib: int) -> None:
    expected = sketches_of(events)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sketching, "MAX_PART_BYTES", kib * 1024)
        assert_same(sketches_of(events), expected)


def test_the_bound_on_memory_is_kept() -> None:
    events = [Event(minute * PANE_MS, 1.0, 0, minute % 3) for minute in range(40)]
    slots: list[int] = []
    real = sketching.accumulate
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sketching, "MAX_PART_BYTES", 10 * 4 * REFERENCE.layout.n_cells * 8)
        patched.setattr(sketching, "accumulate", lambda *a, **k: slots.append(k["n_slots"]) or real(*a, **k))
        assert len(sketches_of(events)) == 2 * len(events)
    assert slots == [10 * (1 + len(SEGMENTS))] * 4


def test_values_outside_the_reference_stay_with_their_rows_when_a_batch_is_taken_in_parts() -> None:
    events = [Event(minute * PANE_MS, 1.0, 0, 0) for minute in (3, 0, 2, 1, 0)]
    batch = make_batch(events, REFERENCE)
    unseen = REFERENCE.layout.columns[1].n_cells - 1
    batch.codes[0] = unseen
    values = [(row, f"colour-of-{event.time_ms // PANE_MS}") for row, event in enumerate(events)]
    batch = _with_unseen(batch, {0: values})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sketching, "MAX_PART_BYTES", 1)
        found = once(sketch_batch(batch, REFERENCE, PANE_MS))
    for key, sketch in found.items():
        minute = key.pane_start_ms // PANE_MS
        assert sketch.frequent[0].counts == {f"colour-of-{minute}": 2 if minute == 0 else 1}


def _with_unseen(batch: Batch, unseen: dict[int, list[tuple[int, str]]]) -> Batch:
    fields = {name: getattr(batch, name) for name in batch.__dataclass_fields__}
    return Batch(**{**fields, "unseen": unseen})


@settings(max_examples=50, deadline=None)
@given(events_strategy)
def test_every_event_is_once_in_the_whole_and_once_in_a_segment_of_each_dimension(events: list[Event]) -> None:
    found = sketches_of(events)
    groups: dict[tuple[str, int], int] = {}
    for event in events:
        key = (str(event.version + 1), event.time_ms // PANE_MS * PANE_MS)
        groups[key] = groups.get(key, 0) + 1
    for (version, start_ms), n in groups.items():
        at = {k.segment: s for k, s in found.items() if (k.version, k.pane_start_ms) == (version, start_ms)}
        assert at[WHOLE].n == n
        assert sum(at[segment].n for segment in SEGMENTS if segment in at) == n
        parts = merged({SketchKey(version="", pane_start_ms=0, segment=""): at[s]} for s in SEGMENTS if s in at)
        assert next(iter(parts.values())).same(at[WHOLE])
    assert {(key.version, key.pane_start_ms) for key in found} == groups.keys()


def test_segments_are_the_references_values_and_the_rest() -> None:
    events = [Event(0, float(site), 0, site) for site in (0, 1, 1, 2, 2, 2)]
    found = {key.segment: sketch.n for key, sketch in sketches_of(events).items()}
    assert found == {WHOLE: 6, "site=north": 1, "site=south": 2, "site=(rest)": 3}


def test_a_segment_without_events_has_no_sketch() -> None:
    assert {key.segment for key in sketches_of([Event(0, 1.0, 0, 1)])} == {WHOLE, "site=south"}


def test_versions_and_panes_are_kept_apart() -> None:
    events = [Event(0, 1.0, 0, 0, 0), Event(PANE_MS - 1, 1.0, 0, 0, 1), Event(PANE_MS, 1.0, 0, 0, 1)]
    whole = {(k.version, k.pane_start_ms): s.n for k, s in sketches_of(events).items() if k.segment == WHOLE}
    assert whole == {("1", 0): 1, ("2", 0): 1, ("2", PANE_MS): 1}


def test_an_event_at_the_end_of_a_pane_belongs_to_the_next() -> None:
    # [0, 1 min) [1 min, 2 min): half-open
    starts = [next(iter(sketches_of([Event(ms, 1.0, 0, 0)]))).pane_start_ms for ms in (0, PANE_MS - 1, PANE_MS)]
    assert starts == [0, 0, PANE_MS]


def test_a_batch_of_nothing_gives_nothing() -> None:
    assert list(sketch_batch(make_batch([], REFERENCE), REFERENCE, PANE_MS)) == []


def test_a_reference_without_dimensions_gives_the_whole_alone() -> None:
    plain = Reference(
        model="m",
        version="1",
        layout=REFERENCE.layout,
        dimensions={},
        sketches={WHOLE: REFERENCE.sketches[WHOLE]},
        cell_means=REFERENCE.cell_means,
    )
    batch = make_batch([Event(0, 1.0, 0, 0)] * 3, plain)
    batch = Batch(**{n: getattr(batch, n) for n in batch.__dataclass_fields__ if n != "segments"}, segments=_none(3))
    ((key, sketch),) = sketch_batch(batch, plain, PANE_MS)
    assert (key.segment, sketch.n) == (WHOLE, 3)


def _none(n: int) -> np.ndarray[tuple[int, int], np.dtype[np.int32]]:
    return np.empty((0, n), dtype=np.int32)
