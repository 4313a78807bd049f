"""The replay law for labels, for real: `kill -9` of join and evaluate workers at random moments.

In half of the rounds the victim's disk is deleted; in some it stays away until its partner, which keeps a standby of
its state, has taken over. Each match is counted once, and the rows are those of `replay`.
"""

import itertools
import os
import random
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.brokers import Broker
from support.events import MODEL, encoded, model_section, rows
from support.installation import Installation
from support.results import assert_same, delivered, replayed

from monitor.cli.offline import replay_file
from monitor.config.load import parse
from monitor.reference.build import build_reference
from monitor.reference.store import write_reference

N_EVENTS = 60_000
HOURS = 96.0
PARTITIONS = 4
ROUNDS = int(os.environ.get("DRIFTLINE_KILL_ROUNDS", "20"))
SEED = int(os.environ.get("DRIFTLINE_KILL_SEED", "1"))
JOIN, EVALUATE = ("join-0", "join-1"), ("evaluate-0", "evaluate-1")
VICTIMS = (*JOIN, *EVALUATE)
HOUR_MS = 3_600_000
TAKES_OVER_S = 10.0
"""Longer than a session, in seconds: whoever is away for so long has lost its partitions."""


def labels(n: int, seed: int = 9, hours: float = HOURS) -> list[tuple[int, bytes]]:
    """When each label is sent, and the label: hours late, some twice, some corrected, some never, some of nobody."""
    encode, chance = msgspec.json.Encoder().encode, random.Random(5)
    found = []
    for i, row in enumerate(rows(n, seed=seed, hours=hours)):
        if i % 10 == 9:
            continue
        said = row["prediction"]["label"]
        at_ms = row["timestamp"] + int(chance.expovariate(1.0) * 2 * HOUR_MS)
        label = {
            "model": MODEL, "prediction_id": str(i), "timestamp": at_ms,
            "label": said if chance.random() < 0.8 else "yes", "value": float(i % 7),
        }  # fmt: skip
        found.append((at_ms, encode(label)))
        if i % 20 == 1:
            found.append((at_ms + HOUR_MS, encode(label)))
        if i % 20 == 2:
            found.append((at_ms + HOUR_MS, encode({**label, "label": "no", "timestamp": at_ms + HOUR_MS})))
        if i % 100 == 3:
            found.append((at_ms, encode({**label, "prediction_id": f"nobody {i}"})))
    return sorted(found)


def labelled_model(folder: Path) -> dict[str, Any]:
    """The model's section; its reference has labels of nine in ten rows."""
    section = model_section(folder, label_horizon="2d")
    truth = folder / "truth.jsonl"
    truth.write_bytes(b"\n".join(label for _, label in labels(20_000, seed=0, hours=48.0)))
    config = parse(msgspec.yaml.encode({"models": [section]}).decode(), folder=folder)
    built = build_reference(config.models[0], folder / "reference.jsonl", labels=truth)
    write_reference(config.models[0].reference, built.reference)
    return section


@pytest.fixture
def installation(transactional_kafka: Broker, tmp_path: Path) -> Iterator[Installation]:
    name = f"l{uuid.uuid4().hex[:8]}"
    section = labelled_model(tmp_path / "model")
    made = Installation(
        tmp_path / "installation", transactional_kafka.bootstrap_servers, name, [section],
        topics={"predictions": [f"{name}-predictions"], "features": [f"{name}-features"], "labels": [f"{name}-labels"]},
    )  # fmt: skip
    made.prepare(PARTITIONS)
    yield made
    made.close()


@pytest.mark.long
def test_every_match_is_counted_once_whatever_is_killed(installation: Installation, tmp_path: Path) -> None:
    predictions, of_labels = list(encoded(N_EVENTS, seed=9, hours=HOURS)), labels(N_EVENTS)
    (tmp_path / "events.jsonl").write_bytes(b"\n".join(predictions))
    (tmp_path / "labels.jsonl").write_bytes(b"\n".join(label for _, label in of_labels))
    replay_file(
        installation.path, tmp_path / "events.jsonl", tmp_path / "out", close=False, labels=tmp_path / "labels.jsonl"
    )
    expected = replayed(tmp_path / "out")
    assert all(rows for name, rows in expected.items() if name != "feature_skew")

    installation.start("ingest", "ingest-0")
    for worker in VICTIMS:
        installation.start(worker.split("-")[0], worker)
    installation.start("deliver", "deliver-0")
    chance = random.Random(SEED)
    plan = [
        (VICTIMS[number] if number < len(VICTIMS) else chance.choice(VICTIMS), number % 2 == 0, number % 5 == 4)
        for number in range(ROUNDS)
    ]
    kinds: Counter[str] = Counter()

    # Labels follow their predictions as in life: of each hour of events, then the labels of that hour.
    sent = 0
    moments = sorted(chance.sample(range(N_EVENTS // 20, N_EVENTS), ROUNDS))
    hours = [list(own) for _, own in itertools.groupby(of_labels, key=lambda one: one[0] // HOUR_MS)]
    events_an_hour = -(-N_EVENTS // int(HOURS))
    for hour in range(max(len(hours), int(HOURS))):
        part = predictions[hour * events_an_hour : (hour + 1) * events_an_hour]
        if part:
            sent += installation.send(part, PARTITIONS)
        if hour < len(hours):
            installation.send((label for _, label in hours[hour]), PARTITIONS, topic=installation.labels)
        while plan and moments and sent >= moments[0]:
            moments.pop(0)
            victim, disk_lost, is_taken_over = plan.pop(0)
            strike(installation, victim, chance, kinds, disk_lost=disk_lost, away=is_taken_over)
    while plan:
        victim, disk_lost, is_taken_over = plan.pop(0)
        strike(installation, victim, chance, kinds, disk_lost=disk_lost, away=is_taken_over)
    assert kinds["killed"] == ROUNDS
    assert kinds["disk lost"] == -(-ROUNDS // 2)
    assert kinds["taken over"] == ROUNDS // 5
    installation.wait_until_done(("ingest", "labels", "join", "evaluate", "deliver"), timeout_s=400)
    installation.stop()
    assert_same(delivered(installation), expected)


def strike(
    installation: Installation, victim: str, chance: random.Random, kinds: Counter[str], *, disk_lost: bool, away: bool
) -> None:
    """Kill a worker in the middle of its work, and start it again: at once, or when its partner has taken over."""
    if disk_lost:
        installation.wait_for(lambda: installation.has_disk(victim), f"{victim} to have state on its disk")
    installation.breathe(chance.uniform(0.5, 3.0))
    installation.kill(victim)
    kinds["killed"] += 1
    if disk_lost:
        installation.lose_disk(victim)
        kinds["disk lost"] += 1
    if away:
        installation.breathe(TAKES_OVER_S)
        kinds["taken over"] += 1
    installation.start(victim.split("-")[0], victim)
