"""Late labels: what their ids cost ingest, and how fast the join is with its state on disk."""

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from monitor.bench import data
from monitor.bench.decoding import NOW_MS
from monitor.bench.size import Material
from monitor.config.load import load
from monitor.events.batch import Batch
from monitor.events.label_batch import LabelBatch
from monitor.join import state_block
from monitor.join.block import JoinMessage, Labels, Predictions, columns_of, decode, encode
from monitor.join.joiner import Joiner
from monitor.join.outgoing import blocks_by_partition
from monitor.join.performance_messages import PerformanceMessages
from monitor.join.records import CLASS, LABEL, Shape, packed_cells, set_times
from monitor.join.step import JoinModel
from monitor.kafka.join_database import JoinDatabase
from monitor.models import join_models, message_decoder, prediction_blocks, watched
from monitor.reference.opened import open_references
from monitor.sketching.deltas import sketched
from monitor.sketching.messages import encode as encode_sketches

MOST_ROWS: Final = 200_000
BLOCK_ROWS: Final = 6_000
"""Of a micro-batch of 50,000 events over eight partitions."""
DAY_MS: Final = 86_400_000
_SHAPE: Final = Shape(model="m", reference="r" * 64, pane_ms=3_600_000, n_scores=1, n_dimensions=1, n_columns=25)


def json_labelled(material: Material) -> Callable[[], int]:
    """JSON, one event a message, to sketches and to blocks for the join."""
    return _json(material, data.LABELLED)


def json_unlabelled(material: Material) -> Callable[[], int]:
    """The same without labels: sketches alone."""
    return _json(material, data.CONFIG)


def _json(material: Material, configuration: str) -> Callable[[], int]:
    config = load(material.folder / configuration)
    references = open_references(config)
    decoder, blocks = message_decoder(config, references), prediction_blocks(config, references)
    current = {name: of_model.current for name, of_model in references.items()}
    cuts = {model.name: model for model in config.models}
    messages, at_once = data.read_json(material.folder), config.kafka.batch_events

    def work() -> int:
        n = 0
        for start in range(0, len(messages), at_once):
            decoded = decoder.decode_messages(messages[start : start + at_once], None, "predictions", NOW_MS)
            sketched(decoded.batches, current, cuts)
            if blocks:
                for predictions, _ in blocks_by_partition(decoded.batches, [], blocks, 8).values():
                    for block in predictions:
                        encode(JoinMessage(predictions=[block]))
            n += decoded.n_events
        return n

    return work


def join(material: Material) -> Callable[[], Mapping[str, float]]:
    """Predictions of 25 columns, then their labels in another order; then the same state from its changelog."""
    sent = _messages(min(MOST_ROWS, material.size.events))
    n = min(MOST_ROWS, material.size.events)

    def work() -> Mapping[str, float]:
        joiner = Joiner([JoinModel(name="m", horizon_ms=30 * DAY_MS)])
        with tempfile.TemporaryDirectory() as folder:
            database, log, disk = JoinDatabase.open(Path(folder) / "state"), list[list[tuple[bytes, bytes]]](), 0
            started_s, offset, n_matched = time.process_time(), 0, 0
            for messages in sent:
                for message in messages:
                    step = joiner.advance(database, decode(message), offset)
                    assert step is not None
                    log.append([(block.key, state_block.encode(block)) for block in step.blocks])
                    database.apply([step], offset)
                    n_matched += sum(matches.n for matches in step.matches)
                    offset += 1
                if not disk:
                    pause_s = time.process_time()
                    database.compact()
                    disk = sum(file.stat().st_size for file in (Path(folder) / "state").glob("*.sst"))
                    started_s += time.process_time() - pause_s
            took_s = time.process_time() - started_s
            database.close()
            assert n_matched == n
            started_s, restored = time.process_time(), JoinDatabase.open(Path(folder) / "restored")
            for offset, changes in enumerate(log):
                restored.restore(changes, offset)
            recovery_s = time.process_time() - started_s
            restored.close()
        return {"rate": n / took_s, "disk": disk / n, "recovery": 2 * n / recovery_s}

    return work


def measured(material: Material) -> Callable[[], Mapping[str, float]]:
    """Predictions, then their labels as they come, five days later and in the order of time; joined with the state on
    disk, and what matched counted in performance sketches as it is sent to evaluate."""
    config = load(material.folder / data.LABELLED)
    references = open_references(config)
    decoder, blocks = message_decoder(config, references), prediction_blocks(config, references)
    (model,), at_once = watched(config, references), config.kafka.batch_events
    messages = data.read_json(material.folder)[:MOST_ROWS]
    sent: list[list[bytes]] = [[], []]
    for start in range(0, len(messages), at_once):
        batches = decoder.decode_messages(messages[start : start + at_once], None, "predictions", NOW_MS).batches
        labels = [_labels_of(batch) for batch in batches]
        for position, pair in enumerate(
            (blocks_by_partition(batches, [], blocks, 1), blocks_by_partition([], labels, blocks, 1))
        ):
            for predictions, of_labels in pair.values():
                sent[position] += [encode(JoinMessage(predictions=[block])) for block in predictions]
                sent[position] += [encode(JoinMessage(labels=[block])) for block in of_labels]

    def work() -> Mapping[str, float]:
        joiner, counted = Joiner(join_models(config)), PerformanceMessages([model], 1, 1)
        n_matched, offset = 0, 0
        with tempfile.TemporaryDirectory() as folder:
            database = JoinDatabase.open(Path(folder) / "state")
            started_s = time.process_time()
            for message in (*sent[0], *sent[1]):
                step = joiner.advance(database, decode(message), offset)
                assert step is not None
                for block in step.blocks:
                    state_block.encode(block)
                for _, performance in counted.of(step, 0):
                    encode_sketches(performance)
                database.apply([step], offset)
                n_matched += sum(matches.n for matches in step.matches)
                offset += 1
            took_s = time.process_time() - started_s
            database.close()
        assert n_matched > 0.9 * len(messages)
        return {"rate": n_matched / took_s}

    return work


def _labels_of(batch: Batch) -> LabelBatch:
    """A label of each prediction of a batch: one in three is of the class."""
    assert batch.ids is not None
    rng = np.random.default_rng(batch.n)
    return LabelBatch(
        model=batch.model,
        ids=batch.ids,
        timestamps_ms=batch.timestamps_ms + 5 * DAY_MS,
        numbers=np.full(batch.n, np.nan),
        class_codes=(rng.random(batch.n) < 1 / 3).astype(np.int32),
        classes=("0", "1"),
        values=np.full(batch.n, np.nan),
        sources=np.zeros(batch.n, dtype=np.int32),
    )


def store_alone(material: Material) -> Callable[[], Mapping[str, float]]:
    """The same rows put into the same database, looked up and put again: what any join on it must do."""
    n = min(MOST_ROWS, material.size.events)
    rng = np.random.default_rng(data.SEED)
    keys = state_block.split_ids(rng.bytes(16 * n))
    order = rng.permutation(n).tolist()
    row, longer = rng.bytes(41), rng.bytes(64)

    def work() -> Mapping[str, float]:
        from rocksdict import WriteBatch

        from monitor.kafka.join_database import open_database

        def put(some: Sequence[bytes], value: bytes) -> None:
            batch = WriteBatch(raw_mode=True)
            for key in some:
                batch.put(key, value)
            database.write(batch)

        with tempfile.TemporaryDirectory() as folder:
            database: Any = open_database(Path(folder) / "state")
            started_s = time.process_time()
            for start in range(0, n, BLOCK_ROWS):
                put(keys[start : start + BLOCK_ROWS], row)
            for start in range(0, n, BLOCK_ROWS):
                some = [keys[place] for place in order[start : start + BLOCK_ROWS]]
                database.get(some)
                put(some, longer)
            took_s = time.process_time() - started_s
            database.close()
        rate = n / took_s
        return {
            "rate": rate, "disk": 16.0 + len(row), "recovery": rate, "memory": 16.0,
            "seconds": material.size.pending / rate,
        }  # fmt: skip

    return work


def _messages(n: int) -> tuple[list[bytes], list[bytes]]:
    """Blocks of predictions, and of their labels five days later, in random order."""
    rng = np.random.default_rng(data.SEED)
    ids = rng.integers(0, 256, (n, 16), dtype=np.uint8)
    times = data.START_MS + np.arange(n) * (20 * DAY_MS) // n
    predictions, labels = [], []
    order = rng.permutation(n)
    for start in range(0, n, BLOCK_ROWS):
        rows = slice(start, start + BLOCK_ROWS)
        predictions.append(prediction_message(rng, ids[rows], times[rows]))
        some = order[rows]
        labels.append(label_message(rng, ids[some], times[some] + 5 * DAY_MS))
    return predictions, labels


def prediction_message(rng: np.random.Generator, ids: Any, times_ms: Any) -> bytes:
    """A block of predictions of 25 columns, with `ids` (n, 16) of bytes and `times_ms` (n,)."""
    n = len(times_ms)
    records = np.zeros(n, dtype=_SHAPE.dtype)
    set_times(records, times_ms)
    records["scores"][:, 0], records["class"] = rng.random(n), rng.integers(0, 2, n)
    records["cells"] = packed_cells(rng.integers(0, 10, (n, 25)).astype(np.uint8))
    block = Predictions(shape=_SHAPE, versions=("1",), ids=ids.tobytes(), columns=columns_of(records))
    return encode(JoinMessage(predictions=[block]))


def label_message(rng: np.random.Generator, ids: Any, times_ms: Any) -> bytes:
    """A block of labels, of one of two classes."""
    n = len(times_ms)
    records = np.zeros(n, dtype=LABEL)
    set_times(records, times_ms)
    records["kind"], records["label"], records["value"] = CLASS, rng.integers(0, 2, n), np.nan
    block = Labels(model="m", classes=("no", "yes"), ids=ids.tobytes(), columns=columns_of(records))
    return encode(JoinMessage(labels=[block]))
