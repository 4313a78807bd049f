"""What the libraries' own logging may say."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.process.logs import configure_logging
from monitor.process.stderr import say


@pytest.fixture
def configured() -> None:
    configure_logging("evaluate")


@pytest.mark.usefixtures("configured")
@pytest.mark.parametrize("library", ["aiokafka.client", "aiokafka.conn", "driftline.kafka", "urllib3.connectionpool"])
def test_a_lost_connection_is_no_line_of_the_librarys(library: str) -> None:
    # aiokafka tells of one that is refused seventy times a second. The role says once that the broker is lost.
    assert not logging.getLogger(library).isEnabledFor(logging.ERROR)


@pytest.mark.usefixtures("configured")
def test_an_error_of_fausts_is_told() -> None:
    assert logging.getLogger("faust.app").isEnabledFor(logging.ERROR)


def run_python(*arguments: str) -> tuple[int, list[dict[str, object]]]:
    """The exit code of a process, and its lines on standard error, each of which must be a JSON object."""
    environ = {**os.environ, "DRIFTLINE_LOG": "json"}
    done = subprocess.run([sys.executable, *arguments], env=environ, capture_output=True, text=True, timeout=60)
    return done.returncode, [json.loads(line) for line in done.stderr.splitlines()]


def test_errors_of_the_command_line_are_json_where_the_log_is(tmp_path: Path) -> None:
    path = tmp_path / "driftline.yaml"
    path.write_text("models: [{name: m}]\nkafca: {}\n")
    code, (first, second) = run_python("-m", "monitor", "check", str(path))
    assert (code, first["level"], first["exit_code"]) == (2, "error", 2)
    assert "models[0]: the key 'reference' is missing" in str(first["event"])
    assert "did you mean 'kafka'?" in str(second["event"])
    assert str(first["hint"]).startswith("mend the file")
    code, (line,) = run_python("-m", "monitor", "chekc")
    assert (code, line["level"], line["hint"]) == (2, "error", "driftline --help")


def test_tracebacks_and_warnings_are_json_where_the_log_is() -> None:
    text = "from monitor.process.stderr import keep_json; keep_json(); import warnings; warnings.warn('old'); 1 / 0"
    code, (warned, failed) = run_python("-c", text)
    assert code == 1
    assert (warned["level"], "UserWarning: old" in str(warned["event"])) == ("warning", True)
    assert (failed["level"], failed["event"]) == ("critical", "ZeroDivisionError: division by zero")
    assert "Traceback" in str(failed["exception"])


def test_what_a_person_is_told_is_json_where_the_log_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    say(["Stop with Ctrl-C"])
    assert capsys.readouterr().err == "Stop with Ctrl-C\n"
    monkeypatch.setenv("DRIFTLINE_LOG", "json")
    say(["Stop with Ctrl-C"])
    assert json.loads(capsys.readouterr().err)["event"] == "Stop with Ctrl-C"
