"""When windows are measured, with what, and how long what they need is kept."""

from random import Random

from support.performance_flow import (
    HORIZON_MS,
    MINUTE_MS,
    RETENTION_MS,
    SPAN_MS,
    Flow,
    Label,
    Measurements,
    Prediction,
    measurements,
    watched,
)

from monitor.evaluation.performance_state import LabelledIndex, labelled_key
from monitor.evaluation.state import read, read_seal
from monitor.sketching.messages import BlockName, SketchMessage, encode

FIRST = (0, 2 * MINUTE_MS)
"""The first window of two minutes."""


def predictions(n: int = 20, *, at_ms: int = 1_000, prefix: str = "id") -> list[Prediction]:
    return [Prediction(f"{prefix}{i}", at_ms + i, 0.9 if i % 2 else 0.1, i % 3) for i in range(n)]


def of_first(made: Measurements) -> list[tuple[int, int, int, int]]:
    """Revision, label time in minutes, predictions and matches, each time the first window was measured."""
    return [
        (
            one.revision,
            one.label_ms // MINUTE_MS,
            one.predicted[""].n if one.predicted else 0,
            one.matched[""].n if one.matched else 0,
        )
        for one in made.windows
        if (one.window.start_ms, one.window.end_ms) == FIRST
    ]


def pass_time(flow: Flow, at_ms: int, *, events: bool = True) -> None:
    """Both sources are past an instant, and the lateness; or labels alone."""
    at_ms += flow.model.lateness_ms
    flow.ingest([], clocks={"labels": at_ms, **({"predictions": at_ms} if events else {})})
    flow.drain()


def test_a_window_that_closes_without_labels_is_measured_once_and_then_as_labels_come() -> None:
    with measurements() as made:
        flow = Flow(made)
        flow.ingest(predictions())
        pass_time(flow, 2 * MINUTE_MS)
        assert of_first(made) == [(1, 2, 20, 0)]
        flow.ingest([Label(f"id{i}", 7 * MINUTE_MS + i, "1") for i in range(5)])
        pass_time(flow, 7 * MINUTE_MS + 30_000)
        # What is said of labels is said as of the checkpoint, a pane after the end: their own pane is not complete.
        assert of_first(made)[1:] == [(2, 4, 20, 0)]
        pass_time(flow, 8 * MINUTE_MS)
        assert of_first(made)[2:] == [(3, 8, 20, 5)]


def test_a_clean_window_is_measured_at_checkpoints_alone_and_last_when_its_horizon_has_passed() -> None:
    with measurements() as made:
        flow = Flow(made, model=watched(lateness_ms=0))
        flow.ingest([*predictions(), Label("id1", 90_000, "1")])
        for minute in range(2, 60):
            pass_time(flow, minute * MINUTE_MS)
    pane = flow.model.pane_ms // MINUTE_MS
    assert pane == 2
    measured = [label_ms for _, label_ms, _, _ in of_first(made)]
    final = 2 + HORIZON_MS // MINUTE_MS
    # As it closes, with the label of the first pane of label time, at checkpoints, and when it is final.
    assert measured == [2, 2, 2 + pane, 2 + 4 * pane, 2 + 16 * pane, final]


def test_predictions_are_known_when_labels_come_after_their_pane_has_left_the_ordinary_state() -> None:
    model = watched(retention_ms=0)
    with measurements() as made:
        flow = Flow(made, model=model)
        flow.ingest(predictions())
        for minute in (10, 20, 29):
            pass_time(flow, minute * MINUTE_MS)
        flow.ingest([Label(f"id{i}", 29 * MINUTE_MS, "1") for i in range(20)])
        pass_time(flow, 32 * MINUTE_MS)
    assert of_first(made)[-1][2:] == (20, 20)
    scores = made.windows[-1].predicted[""].counts
    assert scores.sum() == 2 * 20, "the score and the said class of each, and no feature"


def test_labels_of_predictions_that_have_left_are_counted_as_late() -> None:
    model = watched(retention_ms=0, label_horizon_ms=10 * MINUTE_MS)
    with measurements() as made:
        flow = Flow(made, model=model)
        flow.ingest(predictions())
        pass_time(flow, 25 * MINUTE_MS)
        pass_time(flow, 26 * MINUTE_MS)
        n_before = len(made.windows)
        flow.ingest([Label("id1", 3 * MINUTE_MS, "1")])
        flow.drain()
        pass_time(flow, 28 * MINUTE_MS)
    assert len(made.windows) == n_before
    assert sum(step.n_labels.get(("m", "late_label"), 0) for step in flow.steps) == 1
    assert sum(step.n_labels.get(("m", "late_error"), 0) for step in flow.steps) == 1


def test_a_correction_takes_the_old_label_out_of_the_window_but_not_out_of_a_closed_pane_of_errors() -> None:
    with measurements() as made:
        flow = Flow(made)
        flow.ingest(predictions())
        flow.ingest([Label("id1", 3 * MINUTE_MS, "0"), Label("id3", 3 * MINUTE_MS, "1")])
        pass_time(flow, 6 * MINUTE_MS)
        flow.ingest([Label("id1", 7 * MINUTE_MS, "1")])
        pass_time(flow, 10 * MINUTE_MS)
    last = [one for one in made.windows if (one.window.start_ms, one.window.end_ms) == FIRST][-1]
    assert last.matched[""].n == 2
    assert last.matched[""].confusion[1, 1] == 2, "both were right after all"
    assert int(last.delays.sum()) == 2
    assert [(pane.start_ms // MINUTE_MS, pane.n, pane.total) for _, pane in made.panes] == [(2, 2, 1.0), (6, 1, 0.0)]


def test_panes_of_errors_are_given_once_and_in_order_whatever_the_order_of_arrival() -> None:
    events = [Prediction(f"id{i}", 1_000 * i, 0.9 if i % 3 else 0.1) for i in range(60)]
    events += [Label(f"id{i}", 61_000 + 7_000 * i, "1" if i % 2 else "0") for i in range(60)]
    found = []
    for seed in range(3):
        with measurements() as made:
            model = watched(lateness_ms=10 * MINUTE_MS)
            flow = Flow(made, n_joins=1 + seed, model=model)
            random = Random(seed)
            # Disorder within the lateness.
            arrival = sorted(events, key=lambda one: one.time_ms + random.randint(0, 8 * MINUTE_MS))
            while arrival:
                n = random.randint(1, 15)
                flow.ingest(arrival[:n])
                arrival = arrival[n:]
                if random.random() < 0.5:
                    flow.drain()
            flow.drain()
            pass_time(flow, SPAN_MS)
        found.append((made.panes, made.last()))
        starts = [pane.start_ms for _, pane in made.panes]
        assert starts == sorted(set(starts))
        assert sum(pane.n for _, pane in made.panes) == 60
        assert sum(step.n_labels.get(("m", "late_error"), 0) for step in flow.steps) == 0
    assert found[0] == found[1] == found[2]


def test_when_all_is_over_nothing_is_kept_but_the_seal_and_indexes() -> None:
    with measurements() as made:
        flow = Flow(made)
        flow.ingest(predictions())
        flow.ingest([Label(f"id{i}", 5 * MINUTE_MS + i, "1") for i in range(10)])
        over_ms = SPAN_MS + HORIZON_MS + RETENTION_MS
        for n in range(4):
            pass_time(flow, over_ms * (n + 1))
    assert len(flow.state) <= 4, sorted(flow.state)
    assert read(flow.state, labelled_key("m"), LabelledIndex, LabelledIndex()).versions == ()
    assert read_seal(flow.state).blocks


def test_a_block_that_comes_again_is_recognised_whatever_its_offset_is() -> None:
    with measurements() as made:
        flow = Flow(made)
        flow.ingest(predictions())
        flow.drain()
        n_before = len(flow.sketches)
        flow.ingest([Label(f"id{i}", 3 * MINUTE_MS, "1") for i in range(10)])
        flow.drain()
        flow.sketches += flow.sketches[n_before:]
        flow.drain()
        pass_time(flow, 6 * MINUTE_MS)
    assert of_first(made)[-1][3] == 10
    assert sum(step.repeated_block for step in flow.steps) == 1


def test_matches_of_a_model_that_is_no_longer_configured_are_counted_as_such() -> None:
    with measurements() as made:
        flow = Flow(made)
        flow.ingest([*predictions(), Label("id1", 3_000, "1")])
        for number in range(len(flow.joins)):
            while flow.join(number):
                pass
        flow.evaluator = type(flow.evaluator)([])
        flow.drain()
    assert sum(step.n_unknown_model.get("m", 0) for step in flow.steps) == 20 + 1
    assert not made.windows


def test_messages_of_the_release_before_are_read() -> None:
    old = encode(SketchMessage(schema_version=3))
    with measurements() as made:
        flow = Flow(made)
        flow.sketches.append(old)
        flow.sketches.append(encode(SketchMessage(block=BlockName(partition=0, offset=3))))
        flow.drain()
    assert read_seal(flow.state).blocks == {0: (3, 0)}
