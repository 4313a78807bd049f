"""`--json`: what `check` and `reference build` say, as one object for machines."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.commands import OneModel

from monitor.errors import DriftFound


@pytest.fixture
def model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> OneModel:
    lines = ["timestamp,x,c,score"]
    lines += [f"2024-03-01T{hour:02}:{minute:02}:00Z,{minute},{'ab'[minute % 2]},0.{minute}"
              for hour in range(24) for minute in range(60)]  # fmt: skip
    (tmp_path / "data.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "bad.csv").write_text("\n".join([*lines[:30], "yesterday,1,a,0.5"]) + "\n")
    return OneModel(tmp_path, capsys, "segments: [c]")


def told(model: OneModel, *arguments: object) -> dict[str, Any]:
    code, said = model.command(*arguments, "--json")
    assert code == 0, said
    found: dict[str, Any] = msgspec.json.decode(said)
    return found


def test_reference_build_tells_machines_what_was_inferred_and_the_digest(model: OneModel) -> None:
    config = model.folder / "config.yaml"
    built = told(model, "reference", "build", config, "--data", model.folder / "data.csv")
    assert (built["model"], built["rows"], built["rows_without_time"]) == ("m", 1440, 0)
    assert {one["name"]: one["kind"] for one in built["columns"]} == {
        "x": "numeric", "c": "categorical", "@score": "numeric",
    }  # fmt: skip
    assert built["segments"] == {"c": {"values": 2, "values_in_data": 2}}
    assert (built["last_ms"] - built["first_ms"]) == (24 * 60 - 1) * 60_000
    assert (model.folder / f"m.{built['digest']}.ref").exists()


def test_check_tells_machines_the_models_and_what_became_of_data(model: OneModel) -> None:
    assert model.build("data.csv")[0] == 0
    checked = told(model, "check", model.folder / "config.yaml")
    (one,) = checked["models"]
    assert (checked["ok"], checked["data"], one["model"], one["rows"], one["numeric"]) == (True, None, "m", 1440, 2)
    data = told(model, "check", model.folder / "config.yaml", "--data", model.folder / "bad.csv")["data"]
    assert (data["events"]["read"], data["events"]["counted"], data["events"]["rejected"]) == (30, 29, 1)
    assert "yesterday" in data["rejects"]["bad_timestamp"]["example"]


def test_what_is_wrong_is_told_on_standard_error_alone(model: OneModel, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = model.command("check", model.folder / "config.yaml", "--json")
    assert code == 2
    assert said.startswith("error: ")


def test_a_word_to_fail_on_that_is_none_names_the_right_one(model: OneModel) -> None:
    assert model.build("data.csv")[0] == 0
    replayed = model.replay("data.csv", "--fail-on", "anything")
    assert replayed.code == 2
    assert "try: --fail-on drift" in replayed.screen
    assert "findings" in DriftFound("").hint
