"""The JSON Schema of the configuration: what is documented fits it, what is wrong does not."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from monitor.cli.app import run
from monitor.config.document import Node, read
from monitor.config.json_schema import configuration_schema, text

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / "driftline.example.yaml").read_text()
SCHEMA = configuration_schema()
VALIDATOR = jsonschema_rs.Draft202012Validator(SCHEMA)
README_YAML = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
LEAST = {"models": [{"name": "m", "reference": "m.ref"}]}


def plain(node: Node) -> Any:
    """As an editor sees it."""
    if isinstance(node.value, dict):
        return {key: plain(value) for key, value in node.value.items()}
    if isinstance(node.value, list):
        return [plain(value) for value in node.value]
    return node.value


def document(yaml: str) -> Any:
    root, problems = read(yaml)
    assert root is not None
    assert not problems
    return plain(root)


def accepted(value: Any) -> bool:
    return bool(VALIDATOR.is_valid(value))


def test_the_committed_schema_is_made_of_the_structs() -> None:
    assert (ROOT / "docs" / "driftline.schema.json").read_text() == text(), "make records"
    jsonschema_rs.meta.validate(SCHEMA)


def test_the_example_points_at_the_schema_and_fits_it() -> None:
    assert EXAMPLE.splitlines()[0] == "# yaml-language-server: $schema=docs/driftline.schema.json"
    assert accepted(document(EXAMPLE))


def test_the_destinations_that_are_commented_out_fit_it() -> None:
    assert accepted(document(re.sub(r"^#(  )", r"\1", EXAMPLE, flags=re.MULTILINE)))


@pytest.mark.parametrize("yaml", README_YAML)
def test_the_configurations_of_the_readme_fit_it(yaml: str) -> None:
    assert accepted(document(yaml))


@pytest.mark.parametrize(
    "yaml",
    [
        "{modles: []}",
        "{models: [{name: m}]}",
        "{models: [{name: m, reference: r, task: binari}]}",
        "{models: [{name: m, reference: r, lateness: 5}]}",
        "{models: [{name: m, reference: r, windows: [{size: 1y}]}]}",
        "{models: [{name: m, reference: r, alpha: 1.5}]}",
        "{models: [{name: m, reference: r, drift: [{method: psy}]}]}",
        "{models: [{name: m, reference: r, segments: origin}]}",
        "{models: [{name: m, reference: r}], kafka: {client: {group.id: mine}}}",
        "{models: [{name: m, reference: r}], destinations: {chat: {url: x}}}",
        "{models: [{name: m, reference: r}], destinations: {chat: {type: slack, urll: x}}}",
        "{models: [{name: m, reference: r}], destinations: {pagerduty: {}}}",
    ],
)
def test_what_is_wrong_does_not_fit_it(yaml: str) -> None:
    assert not accepted(document(yaml))


@pytest.mark.parametrize(
    "model",
    [
        {"compare": "pinned"},
        {"compare": [{"trailing": "28d"}]},
        {"lateness": 0},
        {"alpha": "${ALPHA}"},
        {"feature_skew": None},
        {"windows": [{"size": "1mo", "timezone": "Europe/Berlin"}]},
    ],
)
def test_what_is_right_in_another_spelling_fits_it(model: dict[str, Any]) -> None:
    assert accepted({"models": [{"name": "m", "reference": "r", **model}]})


def test_every_key_of_a_model_is_explained() -> None:
    said = SCHEMA["$defs"]["Model"]["properties"]
    bare = [key for key, one in said.items() if "description" not in one and "$ref" not in one]
    assert bare == []


def test_the_command_prints_it_and_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert run(["schema", "-o", str(tmp_path / "s.json")]) == 0
    assert json.loads((tmp_path / "s.json").read_text())["required"] == ["models"]
    assert run(["schema", "-o", str(tmp_path / "no" / "s.json")]) == 2
