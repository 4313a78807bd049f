"""Blocks hold what was decoded: scores, classes, segments, and cells that count as the reference's own."""

import msgspec
import numpy as np
import pytest
from support.events import encoded, model_section

from detectors.columns import Kind
from monitor import models
from monitor.config.load import parse
from monitor.events.models import LABEL, SCORE
from monitor.join.block import BadJoinMessage, JoinMessage, NewerJoinMessage, decode, encode
from monitor.join.outgoing import blocks_by_partition
from monitor.join.records import cells_of, packed_cells, times_ms
from monitor.reference.opened import open_references

NOW_MS = 1_800_000_000_000


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("blocks")
    section = model_section(folder, label_horizon="30d")
    config = parse(msgspec.yaml.encode({"models": [section]}).decode(), folder=folder)
    return config, open_references(config)


def test_blocks_of_all_partitions_hold_every_prediction_once_with_its_columns(installed):
    config, references = installed
    decoder = models.message_decoder(config, references)
    (batch,) = decoder.decode_messages(list(encoded(3_000, seed=2, hours=5)), None, "predictions", NOW_MS).batches
    found = {}
    blocks = blocks_by_partition([batch], [], models.prediction_blocks(config, references), 5)
    for partition, (predictions, _) in blocks.items():
        for block in decode(encode(JoinMessage(predictions=predictions))).predictions:
            records = block.records()
            ids = np.frombuffer(block.ids, dtype=np.uint64).reshape(-1, 2)
            assert (ids[:, 0] % np.uint64(5) == partition).all()
            cells = cells_of(records["cells"], block.shape.n_columns)
            for row, identity in enumerate(ids.tolist()):
                version = block.versions[records["version"][row]]
                found[tuple(identity)] = (records[row], times_ms(records)[row], version, cells[row].tolist())
    assert len(found) == batch.n
    layout = references["m"].current.layout
    numeric = [layout.columns[index] for index in layout.numeric]
    categorical = [layout.columns[index] for index in layout.categorical]
    score = [column.name for column in numeric].index(SCORE)
    label = [column.name for column in categorical].index(LABEL)
    for row in range(batch.n):
        record, time_ms, version, cells = found[tuple(batch.ids[row].tolist())]
        assert time_ms == batch.timestamps_ms[row]
        assert version == batch.versions[batch.version_codes[row]]
        assert record["scores"].tolist() == [batch.numeric[score, row]]
        assert record["class"] == batch.codes[label, row]
        assert record["segments"].tolist() == batch.segments[:, row].tolist()
        assert len(cells) == len(numeric) + len(categorical) - 2
        own = [batch.codes[at, row] for at, column in enumerate(categorical) if column.name != LABEL]
        n_own = [len(column.categories) for column in categorical if column.name != LABEL]
        wanted = [n + 1 if code < 0 else min(code, n) for code, n in zip(own, n_own, strict=True)]
        assert cells[len(numeric) - 1 :] == wanted


def test_numeric_cells_are_deciles_right_closed_with_one_of_no_value(installed):
    config, references = installed
    blocks = models.prediction_blocks(config, references)["m"]
    reference = references["m"].current
    decoder = models.message_decoder(config, references)
    (batch,) = decoder.decode_messages(list(encoded(20_000, seed=0, hours=48)), None, "predictions", NOW_MS).batches
    cells = cells_of(blocks._coarse.packed(batch).T, len(blocks._coarse.names))
    place = blocks._coarse.names.index("amount")
    counts = np.bincount(cells[:, place], minlength=11)
    assert counts.size == 11, "ten deciles, and none without a value"
    assert counts[10] == 0
    assert (abs(counts[:10] - 2_000) < 50).all()
    nulls = cells[:, blocks._coarse.names.index("age")].max()
    assert nulls <= 11
    assert all(column.kind in Kind for column in reference.layout.columns)


def test_packed_cells_come_back_for_odd_and_even_numbers_of_columns():
    rng = np.random.default_rng(1)
    for n_columns in (0, 1, 2, 7, 24, 25):
        cells = rng.integers(0, 12, (50, n_columns)).astype(np.uint8)
        assert (cells_of(packed_cells(cells), n_columns) == cells).all()


def test_what_is_no_message_or_a_newer_one_is_told_apart():
    with pytest.raises(BadJoinMessage):
        decode(b"nonsense")
    with pytest.raises(BadJoinMessage):
        decode(encode(JoinMessage())[:-3])
    with pytest.raises(NewerJoinMessage):
        decode(encode(JoinMessage(schema_version=99)))
