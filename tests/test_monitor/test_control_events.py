"""What people and pipelines say reaches decisions by way of `drift.sketches`, once and in order."""

from typing import Any

import msgspec
import numpy as np
import pytest

from monitor.config.schema import Kafka
from monitor.decisions.controls import Acknowledgement, Control, RetrainingOutcome, Silence, encode_control
from monitor.eventtime.partitions import Partitions
from monitor.sketching.control_events import ReadControls, read_controls
from monitor.sketching.messages import SketchMessage, decode
from monitor.sketching.outgoing import sketch_messages
from monitor.sketching.own_topics import partition_of_model
from monitor.sketching.received import Received

KAFKA = Kafka(sketch_partitions=4)
CONTROLS, OUTCOMES = ("drift.controls", 0), ("drift.retraining.outcomes", 1)


def received(*messages: tuple[tuple[str, int], bytes | None]) -> Received:
    partitions = sorted({source for source, _ in messages})
    return Received(
        values=[value for _, value in messages],
        partitions=partitions,
        partition_of=np.array([partitions.index(source) for source, _ in messages], dtype=np.int64),
        offsets=np.arange(len(messages), dtype=np.int64),
        sent_ms=lambda message: 1_000 + message,
    )


def read(*messages: tuple[tuple[str, int], bytes | None]) -> tuple[ReadControls, Received]:
    return read_controls(received(*messages), KAFKA, {"m"})


def silence(**changes: Any) -> Silence:
    fields: dict[str, Any] = {"id": "s", "model": "m", "at_ms": 5, "from_ms": 1, "until_ms": 9, "reason": "known"}
    return Silence(**{**fields, **changes})


def test_controls_are_read_apart_from_events_whose_places_stay() -> None:
    said, others = read(
        (("predictions", 0), b"one"), (CONTROLS, encode_control(silence())[1]), (("predictions", 0), b"two")
    )
    assert said.controls == [silence()]
    assert (others.values, others.offsets.tolist(), others.source(1)) == ([b"one", b"two"], [0, 2], ("predictions", 0))


def test_a_read_without_controls_is_left_as_it_is() -> None:
    before = received((("predictions", 0), b"one"))
    said, others = read_controls(before, KAFKA, {"m"})
    assert others is before
    assert not said.controls


def test_what_is_no_control_is_rejected_and_a_tombstone_is_passed_over() -> None:
    unknown = encode_control(silence(model="other"))[1]
    said, _ = read((CONTROLS, b"{"), (CONTROLS, None), (CONTROLS, unknown), (OUTCOMES, b'{"status": "succeeded"}'))
    assert not said.controls
    assert [(one.message, str(one.reason), one.raw) for one in said.rejects] == [
        (0, "schema", b"{"), (2, "unknown_model", unknown), (3, "schema", b'{"status": "succeeded"}'),
    ]  # fmt: skip
    assert said.received.source(3) == OUTCOMES


@pytest.mark.parametrize("wrap", [False, True])
def test_an_outcome_may_come_as_it_is_or_in_a_cloud_event(wrap: bool) -> None:
    plain = {"dedupe_key": "k", "status": "succeeded", "version": "4", "model": "m"}
    value = msgspec.json.encode({"specversion": "1.0", "id": "1", "data": plain} if wrap else plain)
    said, _ = read((("p", 0), b"x"), (OUTCOMES, value))
    expected = RetrainingOutcome(
        id="outcome k", model="m", at_ms=1_001, dedupe_key="k", status="succeeded", version="4"
    )
    assert said.controls == [expected]


def test_a_control_goes_to_the_partition_of_its_model_and_to_all_where_it_names_none() -> None:
    everyone = Acknowledgement(id="a", model="", at_ms=1, dedupe_key="k")
    partitions = Partitions(1.0)
    partitions.assign([("predictions", 0), CONTROLS, OUTCOMES], 0.0)
    counts = {"predictions": 1, "drift.controls": 4, "drift.retraining.outcomes": 4}
    sent = list(sketch_messages(KAFKA, [], partitions, counts, [silence(), everyone]))
    said: dict[int, list[Control]] = {}
    clocks: list[SketchMessage] = []
    for one in sent:
        message = decode(one.value)
        said.setdefault(one.partition, []).extend(message.controls)
        clocks += [message] if message.n_partitions else []
    own = partition_of_model("m", 4)
    assert said == {number: [silence(), everyone] if number == own else [everyone] for number in range(4)}
    assert {tuple(message.n_partitions) for message in clocks} == {("predictions",)}, "controls hold no window open"
    assert {clock.topic for message in clocks for clock in message.clocks} == {"predictions"}
