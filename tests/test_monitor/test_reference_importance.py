"""How much features matter: from a file into the reference, and from there into the order of an alert's columns."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import zstandard
from support.decisions import Run, cell, day, policy
from support.events import model_section, rows

from detectors.errors import ConfigurationError
from detectors.examples import reference_of
from detectors.reference import Reference
from monitor import models
from monitor.cli.app import run
from monitor.config.decisions import AlertSettings
from monitor.config.load import load
from monitor.reference.opened import open_references

KNOWN, NEW = "ab" * 32, "cd" * 32


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "driftline.yaml"
    path.write_bytes(msgspec.yaml.encode({"models": [model_section(tmp_path)], "metrics": {"listen": "off"}}))
    encode = msgspec.json.Encoder().encode
    (tmp_path / "data.jsonl").write_bytes(b"\n".join(encode(row) for row in rows(2_000, seed=1, hours=48)))
    return path


def built(config: Path, *arguments: str) -> Reference:
    assert run(["reference", "build", str(config), "--data", str(config.parent / "data.jsonl"), *arguments]) == 0
    return open_references(load(config))["m"].current


@pytest.mark.parametrize(
    "text", ['{"amount": 0.75, "age": 0}', "feature,importance\namount,0.75\nage,0\n", "\ufeffamount,0.75\nage,0"]
)
def test_a_reference_keeps_what_a_file_says(config: Path, text: str) -> None:
    plain = built(config)
    file = config.parent / "importance"
    file.write_text(text)
    reference = built(config, "--importance", str(file))
    assert reference.importance == {"amount": 0.75, "age": 0.0}
    assert (plain.importance, plain.digest) == ({}, reference.digest)
    (own,) = models.policies(load(config), open_references(load(config)))
    assert own.settings_on(reference.digest).importance == {"amount": 0.75, "age": 0.0}
    assert own.settings_on("unknown").importance == {}


def test_without_a_file_it_keeps_what_the_configuration_says(config: Path) -> None:
    section = msgspec.yaml.decode(config.read_bytes())
    section["models"][0]["alerts"] = {"importance": {"age": 3}}
    config.write_bytes(msgspec.yaml.encode(section))
    assert built(config).importance == {"age": 3.0}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"amout": 1}', "did you mean 'amount'?"), ('{"amount": "high"}', "Expected `float`"), ("{}", "no feature"),
        ("amount,high", "names no feature"), ("amount,1\nage", "line 2"), ("amount,-1", "-1.0"), ("amount,nan", "nan"),
        ("@score,1", "no feature '@score'"),
    ],
)  # fmt: skip
def test_what_is_no_importance_is_refused(
    config: Path, text: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = config.parent / "importance"
    file.write_text(text)
    arguments = ["reference", "build", str(config), "--data", str(config.parent / "data.jsonl")]
    assert run([*arguments, "--importance", str(file)]) == 2
    assert said in capsys.readouterr().err


def test_files_without_it_are_the_bytes_that_they_were_and_it_survives_other_changes() -> None:
    reference = reference_of(np.arange(100.0))
    data = reference.encode()
    body = zstandard.ZstdDecompressor().decompress(data[41:])
    assert "importance" not in msgspec.msgpack.decode(body)
    marked = reference.with_importance({"amount": 2.0})
    assert Reference.decode(marked.encode()).importance == {"amount": 2.0}
    assert Reference.decode(marked.encode()).digest == reference.digest
    assert marked.with_studies(()).importance == {"amount": 2.0}
    for bad in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ConfigurationError, match="importance"):
            reference.with_importance({"amount": bad})


def order(alerts: AlertSettings | None = None, **more: Any) -> list[tuple[str, float]]:
    """The columns of the alert of two that move alike."""
    own = Run(policy(alerts=alerts, importances={KNOWN: {"y": 5.0}, NEW: {"x": 7.0}}))
    own.days(day(n, cell("x"), cell("y"), **more) for n in range(8))
    (alert,) = [one for one in own.alerts if one.state == "raised"]
    return [(one.column, one.importance) for one in alert.columns]


def test_columns_are_ranked_by_the_configuration_else_by_the_reference_that_they_are_compared_with() -> None:
    assert order() == [("y", 5.0), ("x", 1.0)]
    assert order(reference=NEW) == [("x", 7.0), ("y", 1.0)]
    assert order(reference="ef" * 32) == [("x", 1.0), ("y", 1.0)]
    assert order(AlertSettings(importance={"x": 9.0})) == [("x", 9.0), ("y", 1.0)]
