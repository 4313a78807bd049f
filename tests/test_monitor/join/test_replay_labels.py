"""`replay --labels` says what became of the labels, whatever the order of either file."""

import random
import re
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest
from support.events import encoded, model_section, rows
from support.installation import Installation

from monitor.cli.offline import replay_file
from monitor.errors import InputError

N = 2_000


def test_labels_in_any_order_are_joined_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = Installation(
        tmp_path / "replay", "127.0.0.1:1", "replay", [model_section(tmp_path / "model", label_horizon="2h")]
    ).path
    (tmp_path / "live.jsonl").write_bytes(b"\n".join(encoded(N, seed=4, hours=24)))
    encode = msgspec.json.Encoder().encode
    labels = [
        encode({"prediction_id": str(i), "timestamp": row["timestamp"] + 60_000, "label": "yes"})
        for i, row in enumerate(rows(N, seed=4, hours=24))
        if i % 2 == 0
    ]
    labels += [
        labels[0],
        encode({"prediction_id": "nobody", "timestamp": 700_000_000_000, "label": "no"}),
        b"{}",
    ]
    told = []
    for seed in range(2):
        random.Random(seed).shuffle(labels)
        (tmp_path / "labels.jsonl").write_bytes(b"\n".join(labels))
        out_folder = tmp_path / f"out-{seed}"
        replay_file(config, tmp_path / "live.jsonl", out_folder, close=False, labels=tmp_path / "labels.jsonl")
        out = capsys.readouterr().out
        told.append(sorted(out[out.index("labels of m: ") + len("labels of m: ") :].split("\n")[0].split(", ")))
        assert "1 label rejected" in out
    assert told[0] == told[1]
    assert "1 repeated" in told[0]
    # Predictions 996 and 1993 are cut in half; the label of the first stays alone.
    assert f"{N // 2 - 1:,} matched" in told[0]


def test_labels_of_no_prediction_and_predictions_without_labels_are_told_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = Installation(
        tmp_path / "replay", "127.0.0.1:1", "replay", [model_section(tmp_path / "model", label_horizon="2h")]
    ).path
    (tmp_path / "live.jsonl").write_bytes(b"\n".join(encoded(N, seed=4, hours=24)))
    of_nobody = [
        msgspec.json.encode({"prediction_id": f"x{i}", "timestamp": row["timestamp"], "label": "yes"})
        for i, row in enumerate(rows(N, seed=4, hours=24))
    ]
    (tmp_path / "labels.jsonl").write_bytes(b"\n".join(of_nobody))
    replay_file(config, tmp_path / "live.jsonl", tmp_path / "out", close=False, labels=tmp_path / "labels.jsonl")
    out = capsys.readouterr().out
    line = out[out.index("labels of m: ") :].split("\n")[0]
    told = {words: int(n.replace(",", "")) for n, words in re.findall(r"(\d[\d,]*) ([^,;]+)", line)}
    assert told["of no prediction"] + told["whose prediction may still come"] == N
    assert min(told.values()) > 0
    assert "no label has the id of a prediction: label_mapping.id" in out
    written = pq.read_table(tmp_path / "out" / "label_outcomes.parquet").to_pylist()
    outcomes = {row["outcome"]: row["n"] for row in written}
    assert outcomes == {
        "expired": told["predictions without a label in their label_horizon"], "orphan": told["of no prediction"]
    }  # fmt: skip


def test_labels_for_no_model_that_has_some_are_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    config = Installation(tmp_path / "replay", "127.0.0.1:1", "replay", [model_section(tmp_path / "model")]).path
    (tmp_path / "live.jsonl").write_bytes(b"\n".join(encoded(100, seed=4, hours=24)))
    (tmp_path / "labels.jsonl").write_bytes(b"{}")
    with pytest.raises(InputError) as raised:
        replay_file(config, tmp_path / "live.jsonl", tmp_path / "out", close=False, labels=tmp_path / "labels.jsonl")
    assert "label_horizon" in raised.value.hint
