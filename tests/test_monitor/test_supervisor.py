"""The supervisor starts again what fails, gives up when a person is needed, and leaves no process behind."""

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from monitor.errors import ConfigError, RestartError, StoppedError
from monitor.process.supervisor import RESTARTS_VARIABLE, RoleCommand, Supervisor
from sinks.retry import Backoff

# Stand-ins for roles: what follows `python -c`. Each writes its process id first.
NOTE = "import os, signal, sys, time; open(sys.argv[1], 'a').write(f'{os.getpid()}\\n'); "
STAYS = NOTE + "time.sleep(600)"
IGNORES_SIGTERM = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + STAYS
SUPERVISES = """
import sys
from monitor.process.supervisor import RoleCommand, Supervisor
commands = [RoleCommand(name="a", arguments=[sys.argv[1], sys.argv[2]]), RoleCommand(name="b", arguments=sys.argv[1:])]
with Supervisor(commands, program=(sys.executable, "-c")) as supervisor:
    supervisor.run()
"""


def ends(code: int) -> str:
    return NOTE + f"sys.exit({code})"


class Roles:
    """Roles that note their process ids in a file each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.commands: list[RoleCommand] = []

    def add(self, name: str, program: str) -> None:
        self.commands.append(RoleCommand(name=name, arguments=[program, str(self.folder / name)]))

    def pids(self, name: str) -> list[int]:
        path = self.folder / name
        lines = path.read_text().split("\n")[:-1] if path.exists() else []  # what ends with a line break is whole
        return [int(line) for line in lines]

    def supervisor(self, *, first_pause_s: float = 1.0, most_pause_s: float = 30.0, **options: float) -> Supervisor:
        pauses = Backoff(first_s=first_pause_s, most_s=max(first_pause_s, most_pause_s), jitter=0)
        return Supervisor(self.commands, program=(sys.executable, "-c"), pauses=pauses, **options)  # type: ignore[arg-type]


@pytest.fixture
def roles(tmp_path: Path) -> Iterator[Roles]:
    made = Roles(tmp_path)
    yield made
    for name in [command.name for command in made.commands]:  # a test that failed may have left some
        for pid in made.pids(name):
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)


def is_alive(pid: int) -> bool:
    """Whether it runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def until(condition: Callable[[], bool], within_s: float = 20.0) -> Callable[[], bool]:
    """A tick that goes on until the condition holds; the deadline fails the test."""
    deadline_s = time.monotonic() + within_s

    def tick() -> bool:
        assert time.monotonic() < deadline_s, "waited too long"
        return not condition()

    return tick


def wait_for(condition: Callable[[], bool], within_s: float = 20.0) -> None:
    tick = until(condition, within_s)
    while tick():
        time.sleep(0.02)  # between two looks at the condition


def test_every_role_is_started_and_stopped(roles: Roles) -> None:
    for name in ("ingest", "evaluate", "deliver"):
        roles.add(name, STAYS)
    with roles.supervisor() as supervisor:
        supervisor.run(until(lambda: all(roles.pids(command.name) for command in roles.commands)))
        started = [pid for command in roles.commands for pid in roles.pids(command.name)]
        assert len(started) == 3
        assert all(map(is_alive, started))
    assert not any(map(is_alive, started))


def test_a_role_that_fails_is_started_again_with_growing_pauses(roles: Roles) -> None:
    roles.add("failing", ends(1))
    roles.add("steady", STAYS)
    with capture_logs() as logs, roles.supervisor(first_pause_s=0.05) as supervisor:
        supervisor.run(until(lambda: len(roles.pids("failing")) >= 5))
        (steady,) = roles.pids("steady")
        assert is_alive(steady), "its neighbour does not suffer"
    ended = [entry for entry in logs if entry["event"] == "a role ended and is started again"]
    assert [entry["pause_s"] for entry in ended[:4]] == [0.05, 0.1, 0.2, 0.4]
    assert {(entry["name"], entry["code"]) for entry in ended} == {("failing", 1)}
    assert len(set(roles.pids("failing"))) >= 5


def test_pauses_grow_to_a_bound(roles: Roles) -> None:
    roles.add("failing", ends(1))
    with capture_logs() as logs, roles.supervisor(first_pause_s=0.04, most_pause_s=0.1) as supervisor:
        supervisor.run(until(lambda: len(roles.pids("failing")) >= 5))
    pauses = [entry["pause_s"] for entry in logs if entry["event"] == "a role ended and is started again"]
    assert pauses[:4] == [0.04, 0.08, 0.1, 0.1]


def test_a_role_that_was_killed_is_started_again(roles: Roles) -> None:
    roles.add("victim", STAYS)
    with roles.supervisor(first_pause_s=0.01) as supervisor:
        supervisor.run(until(lambda: bool(roles.pids("victim"))))
        os.kill(roles.pids("victim")[0], signal.SIGKILL)
        supervisor.run(until(lambda: len(roles.pids("victim")) == 2))
        first, second = roles.pids("victim")
        assert is_alive(second)
        assert not is_alive(first)


def test_a_role_that_failed_after_running_well_for_long_starts_again_at_once(
    roles: Roles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.process.supervisor.STEADY_S", -1.0)
    roles.add("failing", ends(1))
    with capture_logs() as logs, roles.supervisor() as supervisor:
        supervisor.run(until(lambda: len(roles.pids("failing")) >= 4))
    assert {entry["pause_s"] for entry in logs if "pause_s" in entry} == {0.0}


@pytest.mark.parametrize("code", [StoppedError.exit_code, ConfigError.exit_code])
def test_a_role_that_needs_a_person_three_times_ends_the_whole(roles: Roles, code: int) -> None:
    roles.add("misconfigured", ends(code))
    roles.add("steady", STAYS)
    with (
        pytest.raises(StoppedError, match="misconfigured cannot go on"),
        roles.supervisor(first_pause_s=0.01) as supervisor,
    ):
        supervisor.run(until(lambda: False))
    assert len(roles.pids("misconfigured")) == 3
    assert not any(map(is_alive, roles.pids("steady")))


def test_a_role_that_needs_a_new_process_is_started_again_and_ends_the_whole_only_when_that_repeats(
    roles: Roles,
) -> None:
    roles.add("fenced", ends(RestartError.exit_code))
    roles.add("steady", STAYS)
    with (
        pytest.raises(StoppedError, match="fenced cannot go on"),
        roles.supervisor(first_pause_s=0.01) as supervisor,
    ):
        supervisor.run(until(lambda: False))
    assert len(roles.pids("fenced")) == 5


def test_an_outage_does_not_use_up_the_tries_of_a_role_that_needs_a_person(roles: Roles) -> None:
    # unavailable, unavailable, then what it lacks: two more tries, as if nothing had been
    program = NOTE + "sys.exit(3 if len(open(sys.argv[1]).readlines()) <= 2 else 4)"
    roles.add("misconfigured", program)
    with pytest.raises(StoppedError), roles.supervisor(first_pause_s=0.001) as supervisor:
        supervisor.run(until(lambda: False))
    assert len(roles.pids("misconfigured")) == 5


def test_a_role_is_told_how_often_it_was_started_again(roles: Roles, tmp_path: Path) -> None:
    told = tmp_path / "told"
    roles.add("failing", NOTE + f"open({str(told)!r}, 'a').write(os.environ['{RESTARTS_VARIABLE}']); sys.exit(1)")
    with roles.supervisor(first_pause_s=0.001) as supervisor:
        supervisor.run(until(lambda: told.exists() and len(told.read_text()) >= 3))
    assert told.read_text().startswith("012")


def test_a_role_that_only_fails_never_ends_the_whole(roles: Roles) -> None:
    roles.add("unavailable", ends(3))
    with roles.supervisor(first_pause_s=0.001) as supervisor:
        supervisor.run(until(lambda: len(roles.pids("unavailable")) >= 5))


def test_stop_ends_run_and_is_safe_in_a_signal_handler(roles: Roles) -> None:
    roles.add("steady", STAYS)
    with roles.supervisor() as supervisor:
        before = signal.signal(signal.SIGUSR1, lambda _number, _frame: supervisor.stop())
        try:
            os.kill(os.getpid(), signal.SIGUSR1)
            supervisor.run(until(lambda: False))
        finally:
            signal.signal(signal.SIGUSR1, before)


def test_closing_kills_a_role_that_ignores_sigterm_and_says_so(roles: Roles) -> None:
    roles.add("stubborn", IGNORES_SIGTERM)
    roles.add("obedient", STAYS)
    with capture_logs() as logs, roles.supervisor(stop_within_s=0.3) as supervisor:
        supervisor.run(until(lambda: bool(roles.pids("stubborn") and roles.pids("obedient"))))
    assert not any(map(is_alive, roles.pids("stubborn") + roles.pids("obedient")))
    killed = [entry["name"] for entry in logs if "did not stop in time" in entry["event"]]
    assert killed == ["stubborn"]
    assert supervisor.killed == ("stubborn",)


def test_closing_does_not_start_again_what_was_about_to_be(roles: Roles) -> None:
    roles.add("failing", ends(1))
    with roles.supervisor(first_pause_s=600.0) as supervisor:
        ticks = itertools.count()
        supervisor.run(until(lambda: bool(roles.pids("failing")) and next(ticks) > 3))
    assert len(roles.pids("failing")) == 1


def test_closing_twice_does_nothing_more(roles: Roles) -> None:
    roles.add("steady", STAYS)
    supervisor = roles.supervisor()
    supervisor.start()
    supervisor.close()
    supervisor.close()


def test_roles_started_before_one_that_cannot_be_are_not_left_behind(roles: Roles) -> None:
    roles.add("steady", STAYS)
    supervisor = roles.supervisor()
    spawn, spawned = supervisor._spawn, []

    def fail_at_the_second(command: RoleCommand, restarts: int = 0) -> subprocess.Popen[bytes]:
        if spawned:
            raise OSError("out of processes")
        spawned.append(spawn(command, restarts))
        return spawned[0]

    supervisor._commands = [*roles.commands, *roles.commands]
    supervisor._spawn = fail_at_the_second  # type: ignore[method-assign]
    with pytest.raises(OSError, match="out of processes"), supervisor:
        pass
    assert spawned[0].poll() is not None


def test_children_do_not_see_the_keyboard(roles: Roles) -> None:
    roles.add("own-session", STAYS)
    with roles.supervisor() as supervisor:
        supervisor.run(until(lambda: bool(roles.pids("own-session"))))
        (pid,) = roles.pids("own-session")
        assert os.getsid(pid) == pid != os.getsid(0)


def test_children_get_the_environment_and_what_is_added_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTLINE_TEST_OUTER", "outer")
    said = tmp_path / "said"
    program = f"import os; open({str(said)!r}, 'w').write(os.environ['DRIFTLINE_TEST_OUTER'] + os.environ['ADDED'])"
    command = RoleCommand(name="a", arguments=[program])
    with Supervisor([command], program=(sys.executable, "-c"), environment={"ADDED": "+added"}) as supervisor:
        supervisor.run(until(lambda: said.exists() and said.read_text() == "outer+added"))


@pytest.mark.skipif(sys.platform != "linux", reason="other kernels cannot end a child with its parent")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_children_end_with_their_parent_however_it_ends(roles: Roles, how: signal.Signals) -> None:
    roles.add("a", IGNORES_SIGTERM)
    parent = _parent([IGNORES_SIGTERM, str(roles.folder / "a")])
    try:
        wait_for(lambda: len(roles.pids("a")) == 2)
        children = roles.pids("a")
        assert all(map(is_alive, children))
        parent.send_signal(how)
        parent.wait(timeout=20)
        wait_for(lambda: not any(map(is_alive, children)))
    finally:
        parent.kill()
        parent.wait()


def _parent(arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", SUPERVISES, *arguments])


def test_by_default_a_role_is_the_driftline_command(capfd: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []

    def helped() -> bool:
        said.append(capfd.readouterr().out)
        return "Usage: driftline" in "".join(said)

    with Supervisor([RoleCommand(name="help", arguments=["--help"])]) as supervisor:
        supervisor.run(until(helped))
