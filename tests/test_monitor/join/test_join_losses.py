"""The join says what it could not join, and what it could not read, at most once a minute."""

import asyncio
from collections import Counter
from types import SimpleNamespace
from typing import Any

from structlog.testing import capture_logs

from monitor.config.schema import Kafka
from monitor.join.outcomes import MATCHED, ORPHAN
from monitor.join.step import JoinStep
from monitor.process.health import Health
from monitor.roles.join_role import JoinRole


class Joiner:
    """Counts an orphan and a match of every message."""

    def advance(self, _store: Any, _message: Any, offset: int) -> JoinStep:
        counts = Counter({("m", ORPHAN): 1, ("m", MATCHED): 5})
        return JoinStep(offset=offset, matches=(), blocks=(), expired=(), deletes=(), seal=b"", counts=counts)


class Anything:
    """A state that is empty, and a producer that takes everything."""

    def get_many(self, keys: list[bytes]) -> list[bytes]:
        return [b"" for _ in keys]

    def apply(self, _steps: Any, _offset: int) -> None:
        return

    def commit(self, messages: Any, _source: Any) -> dict[tuple[str, int], int]:
        return {(message.topic, message.partition): 0 for message in messages}


def event(value: bytes, offset: int) -> Any:
    message = SimpleNamespace(topic="drift.joins", partition=3, offset=offset, value=value)
    return SimpleNamespace(message=message, ack=lambda: None)


def test_what_is_not_joined_and_what_cannot_be_read_is_said_once_with_an_example(monkeypatch: Any) -> None:
    monkeypatch.setattr("monitor.join.batch.decode", lambda value: value)
    role = JoinRole(
        Kafka(), Joiner(), Health("join"), producer_of=lambda _: Anything(), state_of=lambda _: Anything()  # type: ignore[arg-type]
    )  # fmt: skip
    with capture_logs() as logs:
        for offset in range(5):
            asyncio.run(role.process([event(b"x", offset)]))
    assert [(line["event"], line["log_level"], line["reason"], line["n"], line["example"]) for line in logs] == [
        ("predictions or labels are not joined", "warning", ORPHAN, 1, "by drift.joins, partition 3, offset 0")
    ]
    monkeypatch.undo()
    role = JoinRole(
        Kafka(), Joiner(), Health("join"), producer_of=lambda _: Anything(), state_of=lambda _: Anything()  # type: ignore[arg-type]
    )  # fmt: skip
    with capture_logs() as logs:
        for offset in range(5):
            asyncio.run(role.process([event(b"no block", offset)]))
    (line,) = logs
    assert (line["log_level"], line["topic"], line["n"]) == ("error", "drift.joins", 1)
    assert line["example"].startswith("partition 3, offset 0: ")
