"""Predictions and labels as messages of `drift.joins`, a worker of a partition, and what must come out."""

import hashlib
import math
from collections import Counter

import numpy as np

from monitor.eventtime.watermark import Clock
from monitor.join import state_block
from monitor.join.block import JoinMessage, Labels, Predictions, columns_of, decode, encode
from monitor.join.joined import Known, Label, Prediction, no_value
from monitor.join.joiner import Joiner
from monitor.join.records import CLASS, LABEL, NUMBER, Shape, numbers, packed_cells, set_times
from monitor.join.restore import restored
from monitor.join.state import DictStore
from monitor.join.step import JoinModel, JoinStep

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


def rows_of(step: JoinStep, *, timed: bool = False) -> Counter:
    """Matches as text, which no codes are in, by their signs; `timed`: with the label time from which on they hold."""
    found: Counter = Counter()
    for matches in step.matches:
        for i in range(matches.n):
            label = matches.classes[matches.label_codes[i]] if matches.is_class[i] else float(matches.label_numbers[i])
            key = (
                matches.shape.reference, int(matches.times_ms[i]), matches.versions[matches.version_codes[i]],
                float(matches.scores[0, i]), tuple(matches.cells[:, i].tolist()), int(matches.label_times_ms[i]), label,
                str(matches.values[i]),
            )  # fmt: skip
            found[(*key, int(matches.at_ms[i])) if timed else key] += int(matches.sign[i])
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
        self.course: Counter = Counter()
        self.counts: Counter = Counter()

    def take(self, message: JoinMessage) -> None:
        step = self.joiner.advance(self.store, message, self.offset)
        assert step is not None
        self.offset += 1
        self.rows.update(rows_of(step))
        self.course.update(rows_of(step, timed=True))
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
