"""No message of the score role comes near a broker's limit, whatever texts a model sees."""

import random
from collections.abc import Sequence

import msgspec
import numpy as np
from support.flow import MINUTE_MS, make_reference, make_watched

from detectors.frequent import Frequent
from detectors.layout import Layout
from detectors.reference import Reference, categorical_column
from detectors.sketch import Sketch
from monitor.evaluation.chunks import Chunking
from monitor.evaluation.evaluator import Evaluator, Step
from monitor.evaluation.results import Source, batches_of_results
from monitor.eventtime.watermark import Clock
from monitor.kafka.clients import OWN_MESSAGE_BYTES
from monitor.sketching.messages import Delta, Entry, SketchMessage
from sinks.records import ColumnProfile, DriftScore, LateDropped, encode_results

SOURCE = Source(topic="drift.sketches", partition=0, offset=7)
MIB = 1024 * 1024


def profile(number: int, unseen: Sequence[str]) -> ColumnProfile:
    return ColumnProfile(
        model="m", version="1", reference="r", segment="", column=f"c{number}", kind="categorical",
        pane_start_ms=0, pane_end_ms=1, n=1, nulls=0, invalid=0, minimum=0.0, maximum=0.0, mean=0.0, std=0.0,
        quantiles=[], counts=[1, 2, 3], frequent_unseen=[(value, 1, 0) for value in unseen], revision=1,
    )  # fmt: skip


def score(number: int, version: str) -> DriftScore:
    return DriftScore(
        model="m", version=version, reference="r", segment="", column=f"c{number}", method="psi", window_start_ms=0,
        window_end_ms=1, statistic=0.0, p_value=1.0, q_value=1.0, threshold=0.2, drifted=False, insufficient=False,
        n_reference=1, n_current=1, error_bound=0.0, revision=1,
    )  # fmt: skip


def test_results_are_split_by_their_bytes_and_every_row_is_sent_once() -> None:
    unseen = [chr(0x1F600 + i) * 200 for i in range(64)]
    profiles = [profile(number, unseen) for number in range(250)]
    scores = [score(number, "v" * 2_000) for number in range(3_000)]
    late = [
        LateDropped(
            model="m", version=f"{n}" * 200, pane_start_ms=0, n=1, source_topic="t", source_partition=0, source_offset=1
        )
        for n in range(9)
    ]
    batches = batches_of_results(SOURCE, scores, profiles, late)
    assert max(len(encode_results(batch)) for batch in batches) < MIB
    assert [row for batch in batches for row in batch.rows] == [*scores, *profiles, *late]
    assert batches == batches_of_results(SOURCE, scores, profiles, late)
    assert len(batches) == 26, "and in no more messages than that takes"


def test_a_row_with_a_lone_surrogate_has_a_size_too() -> None:
    (batch,) = batches_of_results(SOURCE, [], [profile(0, ["\ud800"])], [])
    assert len(batch.profiles) == 1


def test_no_rows_are_no_message() -> None:
    assert batches_of_results(SOURCE, [], [], []) == []


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
    rows = [row for batch in step.results for row in batch.profiles]
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
