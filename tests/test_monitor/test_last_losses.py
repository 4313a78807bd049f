"""What a role left out in the last part of a minute is said when it stops."""

import json
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from support.brokers import Broker
from support.events import model_section
from support.installation import Installation

from monitor.kafka import topics

TEXT = "messages of our own cannot be read and are left out"


def test_each_role_says_on_stop_what_it_left_out_since_it_last_said_so(
    kafka: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRIFTLINE_LOG", "json")
    section = model_section(tmp_path / "model", label_horizon="1d", positive="yes")
    made = Installation(tmp_path / "installation", kafka.bootstrap_servers, f"w{uuid.uuid4().hex[:8]}", [section])
    own = {
        "ingest": made.source,
        "join": made.config.kafka.own_topic(topics.JOINS),
        "evaluate": made.config.kafka.own_topic(topics.SKETCHES),
        "deliver": made.config.kafka.own_topic(topics.RESULTS),
    }

    def said() -> dict[str, list[int]]:
        """By role, how many each line says were left out."""
        found: dict[str, list[int]] = {role: [] for role in own}
        for line in (tmp_path / "installation" / "roles.log").read_text().splitlines():
            one = parsed(line)
            if "n" in one and ("left out" in one["event"] or "rejected" in one["event"]):
                found[one["role"]].append(one["n"])
        return found

    made.prepare(1)
    try:
        for role in own:
            made.start(role, f"{role}-0")
        for topic in own.values():
            made.send([b"garbage"], 1, topic=topic)
        made.wait_for(lambda: all(lines == [1] for lines in said().values()), "the first loss of each role", 120)
        for topic in own.values():
            made.send([b"more", b"garbage"], 1, topic=topic)
        made.wait_until_done(("ingest", "join", "evaluate", "deliver"))
        assert all(lines == [1] for lines in said().values()), "within a minute nothing more is said"
        for worker in list(made.processes):
            made.terminate(worker)
        assert {role: Counter(lines) for role, lines in said().items()} == {role: Counter({1: 1, 2: 1}) for role in own}
    finally:
        made.close()


def parsed(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
