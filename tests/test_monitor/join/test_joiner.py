"""What becomes of labels, case by case."""

import math

from support.joins import HORIZON_MS, Worker, a_label, a_prediction, message_of, net

from monitor.join.joined import MAX_LABELS
from monitor.join.joiner import Joiner
from monitor.join.records import LABEL
from monitor.join.step import JoinModel


def after(*messages, rule: str = "latest", clocks: tuple[int | None, ...] = ()) -> Worker:
    """A worker that has taken in these messages, each a list of events."""
    worker = Worker(rule)
    for number, events in enumerate(messages):
        worker.take(message_of(events, clock_ms=clocks[number] if number < len(clocks) else None))
    return worker


def said(worker: Worker) -> list[tuple]:
    """Label and value of each match that holds."""
    return [(key[6], float(key[7])) for key, n in net(worker.rows).items() for _ in range(n)]


def counts(worker: Worker) -> dict[str, int]:
    return {what: n for what, n in worker.counts.items() if n}


def test_a_label_meets_its_prediction_whichever_comes_first():
    prediction, label = a_prediction("a", 10), a_label("a", 20, "late", 3.0)
    for worker in (after([prediction], [label]), after([label], [prediction]), after([label, prediction])):
        assert said(worker) == [("late", 3.0)]
        assert counts(worker) == {"matched": 1}


def test_a_repeated_label_changes_nothing_be_it_later_or_in_the_same_block():
    for more in (a_label("a", 20, "late"), a_label("a", 30, "late")):
        worker = after([a_prediction("a", 10)], [a_label("a", 20, "late")], [more], [more, more])
        assert net(worker.rows).total() == 1
        assert counts(worker) == {"matched": 1, "repeated": 3}


def test_a_corrected_label_takes_the_old_match_back_and_adds_the_new():
    worker = after([a_prediction("a", 10)], [a_label("a", 20, 1.0, 5.0)], [a_label("a", 30, 2.0, math.nan)])
    (match,) = net(worker.rows)
    assert match[5:7] == (30, 2.0)
    assert counts(worker) == {"matched": 1, "corrected": 1}


def test_labels_of_one_block_are_taken_as_they_came_so_that_each_is_corrected_by_the_next():
    ids = [f"a{i}" for i in range(50)]
    first, second = [a_label(name, 20, "x") for name in ids], [a_label(name, 30, "y") for name in ids]
    predictions = [a_prediction(name, 10) for name in ids]
    for rule, what in (("latest", "corrected"), ("first", "superseded")):
        assert counts(after(predictions, first + second, rule=rule)) == {"matched": 50, what: 50}


def test_of_several_labels_the_rule_says_which_counts():
    events = [a_label("a", 30, "second"), a_prediction("a", 10), a_label("a", 20, "first")]
    assert said(after(events, rule="latest"))[0][0] == "second"
    assert said(after(events, rule="first"))[0][0] == "first"


def test_a_label_before_its_prediction_or_after_its_horizon_is_counted_and_does_not_count():
    early, overdue = a_label("a", 9, "x"), a_label("a", 10 + HORIZON_MS + 1, "x")
    for label, what in ((early, "label_before_prediction"), (overdue, "label_overdue")):
        for worker in (after([a_prediction("a", 10)], [label]), after([label], [a_prediction("a", 10)])):
            assert said(worker) == []
            assert counts(worker) == {what: 1}
    assert len(said(after([a_prediction("a", 10)], [early], [a_label("a", 10 + HORIZON_MS, "y")]))) == 1


def test_the_first_label_in_its_time_is_matched_and_nothing_else_whatever_came_before_the_prediction():
    for early in (a_label("a", 9, "x"), a_label("a", 9, "y")):
        for worker in (
            after([early], [a_prediction("a", 10)], [a_label("a", 20, "y")]),
            after([a_prediction("a", 10)], [early], [a_label("a", 20, "y")]),
        ):
            assert said(worker)[0][0] == "y"
            assert counts(worker) == {"label_before_prediction": 1, "matched": 1}


def test_of_an_id_predicted_twice_the_earlier_prediction_counts():
    first, second = a_prediction("a", 10, score=0.1), a_prediction("a", 11, score=0.9)
    for order in ([first, second], [second, first]):
        worker = after([order[0]], [a_label("a", 20, "x")], [order[1]])
        assert [key[3] for key in net(worker.rows)] == [0.1]
        assert counts(worker) == {"matched": 1, "duplicate_prediction": 1}


def test_ten_thousand_labels_of_one_id_leave_a_row_of_a_few():
    worker = after([a_prediction("a", 10)], *[[a_label("a", 20 + i % 50, float(i)) for i in range(1_000)]] * 3)
    (row,) = [row for key, row in worker.store.rows.items() if len(key) == 16]
    assert len(row) < 100 + MAX_LABELS * LABEL.itemsize
    assert net(worker.rows).total() == 1
    assert worker.counts["matched"] == 1


def test_what_comes_after_its_horizon_was_over_is_too_late():
    worker = after(
        [a_prediction("a", 10)], [], [], [a_label("a", 20, "x"), a_label("b", 30, "x"), a_prediction("c", 40)],
        clocks=(None, 10_000),
    )  # fmt: skip
    assert said(worker) == []
    assert counts(worker) == {"expired": 1, "too_late": 3}


def test_a_waiting_label_keeps_until_its_horizon_is_over_and_is_then_an_orphan():
    worker = after([a_label("a", 10, "x")], [], [a_label("b", 115, "x")], [], [], clocks=(None, 110, None, 1_000))
    assert counts(worker) == {"orphan": 2}


def test_an_id_may_be_used_again_when_its_horizon_is_over():
    worker = after(
        [a_prediction("a", 10)], [a_label("a", 20, "x")], [], [a_prediction("a", 1_010)], [a_label("a", 1_020, "y")],
        clocks=(None, None, 1_000),
    )  # fmt: skip
    assert sorted(said(worker), key=str)[0][0] == "x"
    assert [key[1] for key in net(worker.rows)] == [10, 1_010]


def test_events_of_a_model_without_labels_are_counted_and_left():
    worker = Worker()
    worker.joiner = Joiner([JoinModel(name="other", horizon_ms=1_000)])
    worker.take(message_of([a_prediction("a", 10), a_label("a", 20, "x")]))
    assert counts(worker) == {"unknown_model": 2}


def test_a_horizon_that_is_changed_holds_for_what_is_there_already():
    worker = after([a_prediction("a", 10), a_prediction("b", 10)])
    worker.joiner = Joiner([JoinModel(name="m", horizon_ms=10 * HORIZON_MS)])
    worker.take(message_of([a_label("a", 10 + 5 * HORIZON_MS, "x")]))
    for clock_ms in (10 * HORIZON_MS, 10 * HORIZON_MS, 20 * HORIZON_MS, 20 * HORIZON_MS):
        worker.take(message_of([], clock_ms=clock_ms))
    assert counts(worker) == {"matched": 1, "expired": 1}
