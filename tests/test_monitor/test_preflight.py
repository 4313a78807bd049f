"""Files that a role needs: what is missing is one line and exit code 2, and no setting's value is told."""

from pathlib import Path

import pytest
from support.commands import OneModel

ROLES = ["ingest", "evaluate", "join", "deliver", "run", "up"]


@pytest.fixture
def model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> OneModel:
    return OneModel(tmp_path, capsys)


def lines_of(screen: str) -> list[str]:
    return [line for line in screen.splitlines() if line.startswith("error: ")]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("key", ["ssl.ca.location", "ssl.certificate.location", "ssl.key.location"])
def test_a_missing_certificate_is_one_line_that_keeps_the_value_to_itself(model: OneModel, role: str, key: str) -> None:
    path = model.folder / "config.yaml"
    path.write_text(path.read_text() + f"kafka: {{client: {{security.protocol: ssl, {key}: /nowhere/hunter2.pem}}}}\n")
    code, screen = model.command(role, path)
    assert code == 2
    assert lines_of(screen) == [f"error: configuration: kafka.client.{key}: names a file that does not exist"]
    assert "hunter2" not in screen


@pytest.mark.parametrize("role", ["evaluate", "join", "run", "up"])
def test_a_state_folder_that_cannot_be_written_to_is_one_line(model: OneModel, role: str) -> None:
    path = model.folder / "config.yaml"
    (model.folder / "file").touch()  # no folder can be made below a file, whoever asks
    path.write_text(path.read_text() + "state_dir: file/state\n")
    code, screen = model.command(role, path)
    assert code == 2
    assert lines_of(screen) == [f"error: cannot write to state_dir {model.folder / 'file' / 'state'}: Not a directory"]
