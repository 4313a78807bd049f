"""What the README shows works as it stands there: configuration, commands, SQL."""

import re
import shlex
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
import typer
from clickhouse_connect.driver.client import Client

from monitor.cli.app import app
from monitor.config.load import parse
from sinks.clickhouse.client import connect
from sinks.clickhouse.migrations import migrate

README = (Path(__file__).parents[1] / "README.md").read_text()
EXAMPLE = (Path(__file__).parents[1] / "driftline.example.yaml").read_text()


def blocks(language: str) -> list[str]:
    found = re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    assert found, f"the README shows some {language}"
    return found


def commands() -> Iterator[list[str]]:
    """Every `driftline ...` line, as arguments."""
    for block in blocks("bash"):
        for line in block.splitlines():
            for part in line.partition("#")[0].split("&&"):
                words = shlex.split(part)
                if words[:1] == ["driftline"]:
                    yield words[1:]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    pytest.importorskip("chdb", reason="the embedded engine is an optional dependency")
    with closing(connect(f"chdb://{tmp_path_factory.mktemp('readme')}")) as client:
        migrate(client)
        yield client


def test_the_configuration_is_one() -> None:
    (text,) = blocks("yaml")
    config = parse(text, environ={})
    assert config.models[0].name == "flight-delay"
    assert "flight-delay" in EXAMPLE


def test_the_event_is_json_and_names_the_model() -> None:
    (text,) = blocks("json")
    event = msgspec.json.decode(text)
    assert event["model"] == "flight-delay"
    assert {"timestamp", "prediction_id", "features", "prediction"} <= event.keys()


def test_every_command_and_option_exists() -> None:
    root = typer.main.get_command(app)
    shown = list(commands())
    assert len(shown) >= 5
    for words in shown:
        command, rest = root, list(words)
        while hasattr(command, "commands"):
            command = command.commands[rest.pop(0)]
        options = {name for parameter in command.params for name in parameter.opts}
        assert {word for word in rest if word.startswith("--")} <= options, words


def test_every_query_runs(client: Client) -> None:
    (text,) = blocks("sql")
    queries = [query for query in re.sub(r"--.*", "", text).split(";") if query.strip()]
    assert len(queries) == 3
    for query in queries:
        assert client.query(query).result_rows == []  # of empty tables; a name that is not there is an error
