"""No message of the score role comes near a broker's limit, whatever texts a model sees."""

import random
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from support.batches import batch_of, objects_of
from support.flow import MINUTE_MS, make_reference, make_watched

from detectors.frequent import Frequent
from detectors.layout import Layout
from detectors.profile import profiles
from detectors.reference import Reference, categorical_column
from detectors.sketch import Sketch
from monitor.evaluation.chunks import Chunking
from monitor.evaluation.evaluator import Evaluator, Step
from monitor.evaluation.results import BYTES_A_MESSAGE, Results, RowGroup, Source
from monitor.eventtime.watermark import Clock
from monitor.eventtime.windows import Window
from monitor.kafka.clients import OWN_MESSAGE_BYTES
from monitor.sketching.messages import Delta, Entry, SketchMessage
from sinks.records import RECORDS, decode, encode
from sinks.records.split import split

SOURCE = Source(topic="drift.sketches", partition=0, offset=7)
MIB = 1024 * 1024


PROFILE, SCORE, LATE = (RECORDS[name] for name in ("column_profile", "drift_score", "late_dropped"))


def profile(number: int, unseen: Sequence[str]) -> dict[str, Any]:
    return {
        "model": "m", "version": "1", "segment": "", "column": f"c{number}", "pane_start_ms": 0, "pane_end_ms": 1,
        "reference": "r", "kind": "categorical", "n": 1, "nulls": 0, "invalid": 0, "minimum": 0.0, "maximum": 0.0,
        "mean": 0.0, "std": 0.0, "quantiles": [], "counts": [1, 2, 3],
        "frequent_unseen": [{"value": value, "count": 1, "error": 0} for value in unseen], "revision": 1,
    }  # fmt: skip


def score(number: int, version: str) -> dict[str, Any]:
    return {
        "model": "m", "version": version, "segment": "", "column": f"c{number}", "method": "psi",
        "window_start_ms": 0, "window_end_ms": 1, "reference": "r", "compare": "pinned", "statistic": 0.0,
        "effect": 0.0, "p_value": 1.0, "calibration": "theory", "threshold": 0.2, "n_reference": 1, "n_current": 1,
        "error_bound": 0.0, "revision": 1,
    }  # fmt: skip


def test_results_are_split_by_their_bytes_and_every_row_is_sent_once() -> None:
    unseen = [chr(0x1F600 + i) * 200 for i in range(64)]
    late = [
        {"model": "m", "version": f"{n}" * 200, "pane_start_ms": 0, "source_topic": "t", "source_partition": 0,
         "source_offset": 1, "n": 1}
        for n in range(9)
    ]  # fmt: skip
    for record, rows, n_messages in (
        (PROFILE, [profile(number, unseen) for number in range(250)], 14),
        (SCORE, [score(number, f"{number}" * 500) for number in range(3_000)], 6),
        (LATE, late, 1),
    ):
        batch = batch_of(record, rows)
        pieces = list(split(batch, BYTES_A_MESSAGE))
        assert max(piece.nbytes for piece in pieces) < 1.1 * BYTES_A_MESSAGE
        assert max(len(encode(piece, SOURCE)) for piece in pieces) < MIB
        assert [row for piece in pieces for row in piece.to_pylist()] == rows
        assert len(pieces) == n_messages, "and in no more messages than that takes"
        again = list(split(batch_of(record, rows), BYTES_A_MESSAGE))
        assert [encode(piece, SOURCE) for piece in again] == [encode(piece, SOURCE) for piece in pieces]


def test_texts_that_every_row_shares_are_counted_once_a_message_and_not_once_a_row() -> None:
    rows = [score(number % 10, "v" * 100_000) for number in range(5_000)]
    (piece,) = split(batch_of(SCORE, rows), BYTES_A_MESSAGE)
    assert piece.num_rows == 5_000


def test_long_texts_that_come_back_in_every_message_are_counted_in_every_message() -> None:
    rows = [score(0, f"{number % 8}" * 200_000) for number in range(16)]
    pieces = list(split(batch_of(SCORE, rows), BYTES_A_MESSAGE))
    assert max(piece.nbytes for piece in pieces) < 1.1 * BYTES_A_MESSAGE
    assert [row for piece in pieces for row in piece.to_pylist()] == rows


def test_a_row_that_is_larger_than_a_message_goes_alone() -> None:
    rows = [score(0, "a" * 3 * MIB), score(1, "b"), score(2, "b")]
    assert [piece.num_rows for piece in split(batch_of(SCORE, rows), BYTES_A_MESSAGE)] == [1, 2]


def test_a_lone_surrogate_becomes_the_replacement_character_and_stops_no_window() -> None:
    layout = Layout([categorical_column("c", {"a": 1})])
    empty = Sketch.empty(layout)
    sketch = Sketch(
        layout=layout, n=1, n_both=0, counts=np.array([0, 0, 1]), nulls=empty.nulls, invalid=empty.invalid,
        minimum=empty.minimum, maximum=empty.maximum, mean=empty.mean, m2=empty.m2,
        frequent=(Frequent.of({"a\ud800b": 1}),),
    )  # fmt: skip
    part = RowGroup(model="m", group=("1\udfff", "r"), interval=Window(start_ms=0, end_ms=1), revision=1)
    (batch,) = Results(profiles=[(part, profiles(layout, {"s=\U0001f600": sketch}))]).batches()
    (row,) = decode(encode(batch, SOURCE)).to_pylist()
    assert row["frequent_unseen"] == [{"value": "a\ufffdb", "count": 1, "error": 0}]
    assert (row["version"], row["segment"]) == ("1\ufffd", "s=\U0001f600")


def test_no_rows_are_no_message() -> None:
    assert Results().batches() == []
    assert list(split(batch_of(SCORE, []), BYTES_A_MESSAGE)) == []


N_COLUMNS = 20


def wide_reference() -> Reference:
    layout = Layout([categorical_column(f"c{i:02}", {"a": 1}) for i in range(N_COLUMNS)])
    values = tuple(f"v{i}" for i in range(50))
    return Reference(
        model="m", version="1", layout=layout, dimensions={"site": values}, sketches={"": Sketch.empty(layout)},
        cell_means=np.full(layout.n_cells, np.nan),
    )  # fmt: skip


def sketch_of_unseen(layout: Layout, rng: random.Random, length: int) -> bytes:
    """As many values a column as are kept, all of them new, in characters of four bytes that do not compress."""
    values = [
        ["".join(map(chr, rng.choices(range(0x10000, 0x10FFFF), k=length))) for _ in range(64)] for _ in layout.columns
    ]
    counts = np.zeros(layout.n_cells, dtype=np.int64)
    for position, column in enumerate(layout.columns):
        counts[layout.cells(position)][column.unseen] = 64
    empty = Sketch.empty(layout)
    sketch = Sketch(
        layout=layout, n=64, n_both=0, counts=counts, nulls=empty.nulls, invalid=empty.invalid, minimum=empty.minimum,
        maximum=empty.maximum, mean=empty.mean, m2=empty.m2,
        frequent=tuple(Frequent.of({value: 2 if i == 5 else 1 for i, value in enumerate(of)}) for of in values),
    )  # fmt: skip
    return sketch.encode()


def test_a_value_of_the_state_stays_below_the_limit_and_loses_no_count() -> None:
    reference, rng = wide_reference(), random.Random(1)
    chunking = Chunking.of(reference)
    model = make_watched(reference)
    state: dict[bytes, bytes] = {}
    encoded = sketch_of_unseen(reference.layout, rng, 200)
    entries = [
        Entry(version="1", pane_start_ms=0, segment=segment, n=64, sketch=encoded) for segment in chunking.of_segment
    ]
    message = SketchMessage(deltas=[Delta(model="m", reference=reference.digest, pane_ms=1, entries=entries)])
    step = advance(Evaluator([model]), state, message, 0)
    largest = max(len(value) for _key, value in step.writes if value is not None)
    assert largest < OWN_MESSAGE_BYTES
    clocks = [Clock(topic="t", partition=0, max_event_ms=9 * MINUTE_MS)]
    step = advance(Evaluator([model]), state, SketchMessage(clocks=clocks, n_partitions={"t": 1}), 1)
    rows = objects_of(step.results, "column_profile")
    assert len(rows) == N_COLUMNS * len(chunking.of_segment)
    assert {row.counts[-1] for row in rows} == {64}
    assert all(0 < len(row.frequent_unseen) <= 64 for row in rows)


def advance(evaluator: Evaluator, state: dict[bytes, bytes], message: SketchMessage, offset: int) -> Step:
    step = evaluator.advance(state, message, msgspec.structs.replace(SOURCE, offset=offset))
    for key, value in [*step.writes, step.seal]:
        assert value is not None
        state[key] = value
    return step


def test_long_values_give_way_and_their_bound_holds() -> None:
    reference, rng = wide_reference(), random.Random(2)
    layout = reference.layout
    parts = [sketch_of_unseen(layout, rng, 500) for _ in range(2)]
    merged = Sketch.decode(Chunking.of(reference).merged(parts, layout), layout)
    exact: dict[str, int] = {}
    for part in parts:
        exact.update(Sketch.decode(part, layout).frequent[0].counts)
    kept = merged.frequent[0]
    assert all(kept.counts.get(value, 0) <= n <= kept.counts.get(value, 0) + kept.error for value, n in exact.items())
    assert len(exact) > 64 > len(kept.counts)


def test_sketches_of_an_ordinary_length_are_kept_as_they_are() -> None:
    reference = make_reference()
    encoded = sketch_of_unseen(wide_reference().layout, random.Random(3), 12)
    assert Chunking.of(wide_reference()).merged([encoded], reference.layout) is encoded
