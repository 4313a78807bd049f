"""`replay --html`: alerts, requests to retrain and rejects of the replay stand in its report."""

import html
import json
import re
from collections import Counter
from pathlib import Path

import pytest
from support import page
from support.events import encoded, model_section
from support.installation import Installation
from support.visitor import assert_only_text

from monitor.cli.app import run
from monitor.decisions.wire import decode_alert, decode_retraining


def shown(text: str) -> str:
    body = re.sub(r"<script>.*?</script>|<style>.*?</style>", "", text, flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", "", body)))


def test_the_report_of_a_replay_tells_what_would_have_been_told_and_what_was_rejected(tmp_path: Path) -> None:
    pytest.importorskip("chdb", reason="the embedded engine is an optional dependency")
    section = {**model_section(tmp_path), "retraining": {"require_confirmation": False, "min_labels": 0}}
    made = Installation(tmp_path, "127.0.0.1:1", "report", [section])
    made.close()
    good = list(encoded(4_000, 3, 24.0, shift=1.0))
    other = json.loads(good[0]) | {"model": page.HOSTILE}
    late = json.loads(good[1]) | {"timestamp": "soon"}
    bad = [page.MARKUP.encode(), json.dumps(other).encode(), json.dumps(late).encode(), json.dumps(late).encode()]
    events, out = tmp_path / "events.jsonl", tmp_path / "out"
    events.write_bytes(b"\n".join([*good, *bad]))
    command = ["replay", str(made.path), "--predictions", str(events), "--out", str(out), "--close"]
    assert run([*command, "--html", str(tmp_path / "r.html")]) == 0

    text = (tmp_path / "r.html").read_text()
    assert_only_text(re.sub(r"<script>.*?</script>|<style>.*?</style>", "", text, flags=re.DOTALL))
    words = shown(text)
    told = [decode_alert(line).data for line in (out / "alerts.jsonl").read_bytes().splitlines()]
    assert told
    last = {one.dedupe_key: one for one in told}
    assert all(one.summary in words for one in last.values())
    asked = [decode_retraining(line).data for line in (out / "retraining.jsonl").read_bytes().splitlines()]
    assert asked
    assert all(one.reason in words for one in asked)
    rejects = [json.loads(line) for line in (out / "rejects.jsonl").read_bytes().splitlines()]
    counts = Counter(one["reason"] for one in rejects)
    assert counts.keys() == {"undecodable", "unknown_model", "bad_timestamp"}
    assert f"{len(rejects)} events of this model, or of no known one, rejected." in words
    assert f"{counts['undecodable']} undecodable, 2 bad_timestamp, 1 unknown_model." in words
    last_line = {one["reason"]: (line, one) for line, one in enumerate(rejects, start=1)}
    for line, one in last_line.values():
        assert f"line {line} of rejects.jsonl" in words
        assert one["detail"][:20] in words
