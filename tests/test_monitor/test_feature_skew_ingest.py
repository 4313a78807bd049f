"""What ingest makes of features: blocks of both sides for the join, and sketches of what was live alone."""

from collections import Counter
from typing import Any

import msgspec
import numpy as np
import pytest
from support.events import MODEL, model_section, rows

from monitor.config.load import parse
from monitor.errors import ConfigError
from monitor.join.block import decode
from monitor.kafka.decoding import KafkaDecoder
from monitor.models import feature_blocks, message_decoder
from monitor.reference.opened import open_references
from monitor.sketching.ingest_step import Commit, IngestStep, Now
from monitor.sketching.messages import decode as decode_sketch
from monitor.sketching.received import Received

SOURCES = [("predictions", 0), ("features", 0)]
N = 30


def commit_of(section: dict[str, Any]) -> Commit:
    """N predictions, and of half of them the features again, by the other topic; one of these has no id."""
    document = {"models": [section], "kafka": {"sketch_partitions": 3}}
    config = parse(msgspec.yaml.encode(document).decode(), environ={})
    references = open_references(config)
    step = IngestStep(
        config.kafka,
        KafkaDecoder(message_decoder(config, references), config.kafka.topics),
        {name: of_model.current for name, of_model in references.items()},
        {model.name: model for model in config.models},
        {},
        feature_blocks(config, references),
    )
    step.assign(SOURCES, 0.0)
    step.expect({"predictions": 1, "features": 1})
    live = list(rows(N, seed=1, hours=1.0))
    log = [{name: value for name, value in row.items() if name != "prediction"} for row in live[::2]]
    del log[0]["prediction_id"]
    values = [msgspec.json.encode(event) for event in (*live, *log)]
    received = Received(
        values=values,
        partitions=SOURCES,
        partition_of=np.array([0] * N + [1] * len(log)),
        offsets=np.array([*range(N), *range(len(log))]),
    )
    commit = step.take(received, [], Now(1.0, 1_800_000_000_000))
    assert commit is not None
    return commit


@pytest.fixture(scope="module")
def section(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return model_section(tmp_path_factory.mktemp("model"), feature_skew={"columns": ["age", "color"]})


def test_both_sides_go_to_the_join_with_the_same_commit_and_the_log_is_in_no_sketch(section: dict[str, Any]) -> None:
    commit = commit_of(section)
    n_rows: Counter[bool] = Counter()
    for message in commit.outgoing:
        if message.topic == "drift.joins":
            for block in decode(message.value).features:
                assert block.shape.numeric == ("age",)
                assert block.shape.categorical == ("color",)
                assert all(int(word) % 3 == message.partition for word in np.frombuffer(block.ids, np.uint64)[::2])
                n_rows[block.recomputed] += block.n
    assert n_rows == {False: N, True: N // 2 - 1}
    assert n_counted(commit) == commit.n_events[MODEL] == N + 1  # without an id it is an event like any other


def test_without_feature_skew_nothing_goes_to_the_join_and_all_is_counted(section: dict[str, Any]) -> None:
    commit = commit_of({name: value for name, value in section.items() if name != "feature_skew"})
    assert not [message for message in commit.outgoing if message.topic == "drift.joins"]
    assert n_counted(commit) == N + N // 2


def n_counted(commit: Commit) -> int:
    return sum(
        entry.n
        for message in commit.outgoing
        if message.topic == "drift.sketches"
        for delta in decode_sketch(message.value).deltas
        for entry in delta.entries
        if entry.segment == ""
    )


def test_a_feature_that_the_reference_does_not_have_is_an_error_with_its_path(section: dict[str, Any]) -> None:
    config = parse(msgspec.yaml.encode({"models": [{**section, "feature_skew": {"columns": ["agee"]}}]}).decode())
    with pytest.raises(ConfigError) as raised:
        open_references(config)
    assert [problem.path for problem in raised.value.problems] == ["models[0].feature_skew.columns"]
