"""The join is the same for any order of arrival, any blocks and any number of partitions, and after a crash."""

import hashlib
import math
from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.eventtime.watermark import Clock
from monitor.join import state_block
from monitor.join.block import JoinMessage, Labels, Predictions, columns_of, decode, encode
from monitor.join.joined import Known, Label, Prediction, no_value
from monitor.join.joiner import Joiner, JoinModel, JoinStep
from monitor.join.records import CLASS, LABEL, NUMBER, Shape, numbers, packed_cells, set_times
from monitor.join.restore import restored
from monitor.join.state import DictStore

SHAPE = Shape(model="m", reference="r", pane_ms=10, n_scores=1, n_dimensions=1, n_columns=3)
OTHER = Shape(model="m", reference="s", pane_ms=10, n_scores=1, n_dimensions=1, n_columns=4)
HORIZON_MS = 100


def id_of(name: str) -> bytes:
    return hashlib.blake2b(name.encode(), digest_size=16).digest()


def a_prediction(name: str, time_ms: int, *, version: str = "1", score: float = 0.5, shape: Shape = SHAPE):
    return ("p", name, time_ms, version, score, shape)


def a_label(name: str, time_ms: int, label: float | str, value: float = math.nan):
    return ("l", name, time_ms, label, value)


def message_of(events, *, clock_ms: int | None = None) -> JoinMessage:
    """All predictions of a shape as one block, all labels as another."""
    predictions = []
    for shape in (SHAPE, OTHER):
        own = [one for one in events if one[0] == "p" and one[5] is shape]
        if own:
            records = np.zeros(len(own), dtype=shape.dtype)
            set_times(records, np.array([one[2] for one in own]))
            versions = sorted({one[3] for one in own}, reverse=True)
            records["version"] = [versions.index(one[3]) for one in own]
            records["scores"][:, 0] = [one[4] for one in own]
            cells = np.array([[hash_of(one[1], c) for c in range(shape.n_columns)] for one in own], dtype=np.uint8)
            records["cells"] = packed_cells(cells)
            ids = b"".join(id_of(one[1]) for one in own)
            predictions.append(Predictions(shape=shape, versions=tuple(versions), ids=ids, columns=columns_of(records)))
    own = [one for one in events if one[0] == "l"]
    labels = []
    if own:
        records = np.zeros(len(own), dtype=LABEL)
        set_times(records, np.array([one[2] for one in own]))
        classes = sorted({one[3] for one in own if isinstance(one[3], str)}, reverse=True)
        for record, one in zip(records, own, strict=True):
            is_class = isinstance(one[3], str)
            record["kind"] = CLASS if is_class else NUMBER
            record["label"] = classes.index(one[3]) if is_class else numbers(np.array([one[3]]))[0]
            record["value"] = one[4]
        ids = b"".join(id_of(one[1]) for one in own)
        labels.append(Labels(model="m", classes=tuple(classes), ids=ids, columns=columns_of(records)))
    clocks = [] if clock_ms is None else [Clock(topic="t", partition=0, max_event_ms=clock_ms)]
    message = JoinMessage(
        predictions=predictions, labels=labels, clocks=clocks, n_partitions={} if clock_ms is None else {"t": 1}
    )
    return decode(encode(message))


def hash_of(name: str, column: int) -> int:
    return id_of(f"{name}{column}")[0] % 12


def rows_of(step: JoinStep) -> Counter:
    """Matches as text, which no codes are in, by their signs."""
    found: Counter = Counter()
    for matches in step.matches:
        for i in range(matches.n):
            label = matches.classes[matches.label_codes[i]] if matches.is_class[i] else float(matches.label_numbers[i])
            key = (
                matches.shape.reference, int(matches.times_ms[i]), matches.versions[matches.version_codes[i]],
                float(matches.scores[0, i]), tuple(matches.cells[:, i].tolist()), int(matches.label_times_ms[i]), label,
                str(matches.values[i]),
            )  # fmt: skip
            found[key] += int(matches.sign[i])
    return found


class Worker:
    """One partition: its state as the disk has it, and its changelog."""

    def __init__(self, rule: str = "latest") -> None:
        self.joiner = Joiner([JoinModel(name="m", horizon_ms=HORIZON_MS, label_is=rule)])
        self.store = DictStore()
        self.changelog: dict[bytes, bytes] = {}
        self.history: list[tuple[bytes, bytes | None]] = []
        self.offset = 0
        self.rows: Counter = Counter()
        self.counts: Counter = Counter()

    def take(self, message: JoinMessage) -> None:
        step = self.joiner.advance(self.store, message, self.offset)
        assert step is not None
        self.offset += 1
        self.rows.update(rows_of(step))
        self.counts.update({what: n for (_, what), n in step.counts.items()})
        written = [(key, None) for key in step.expired]
        written += [(block.key, state_block.encode(block)) for block in step.blocks]
        written.append((b"seal", step.seal))
        self.history += written
        for key, value in written:
            self.changelog.pop(key, None)  # the last of a key stays, in the order of the last ones
            if value is not None:
                self.changelog[key] = value
        step.apply(self.store.rows)

    def restored(self) -> dict[bytes, bytes]:
        """What a new worker makes of the compacted changelog, or, the same, of all that was ever written to it."""
        rows = [
            {key: row for key, row in restored(DictStore(), log).items() if row}
            for log in (list(self.changelog.items()), self.history)
        ]
        assert rows[0] == rows[1]
        return rows[0]


def expected(events, rule: str = "latest") -> Counter:
    """What must come out, from the specification: no blocks, no bytes."""
    known: dict[str, Known] = {}
    for one in events:
        before = known.get(one[1], Known())
        if one[0] == "p":
            _, name, time_ms, version, score, shape = one
            record = (shape.reference, score)
            content = np.float64(score).tobytes()
            prediction = Prediction(time_ms, version, shape.reference, content, 0, repr(record).encode())
            known[name] = before.with_prediction(prediction)
        else:
            _, name, time_ms, label, value = one
            is_class = isinstance(label, str)
            known[name] = before.with_label(
                Label(time_ms, int(is_class), 0.0 if is_class else label, label if is_class else "", no_value(value)),
                rule,
            )
    found: Counter = Counter()
    for name, state in known.items():
        label = state.match(HORIZON_MS)
        if label is None or state.prediction is None:
            continue
        shape = OTHER if state.prediction.reference == "s" else SHAPE
        score = float(np.frombuffer(state.prediction.content, dtype=np.float64)[0])
        found[
            shape.reference, state.prediction.time_ms, state.prediction.version, score,
            tuple(hash_of(name, c) for c in range(shape.n_columns)), label.time_ms, label.text or label.number,
            str(label.value if label.value != -math.inf else math.nan),
        ] += 1  # fmt: skip
    return found


def net(rows: Counter) -> Counter:
    return Counter({key: n for key, n in rows.items() if n})


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
