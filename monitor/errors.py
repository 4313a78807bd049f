"""The errors a person or a supervisor can act on.

.. code-block:: text

    DriftlineError            message, hint (the way out), exit_code
    ├── ConfigError           2   the configuration is wrong: change the file; names every problem with its path
    ├── InputError            2   a file that was given cannot be used: mend or replace it
    ├── Unavailable           3   broker or database out of reach: try again, with backoff
    ├── StoppedError          4   cannot go on, and trying again will not help: stop, a person is needed
    │   └── RestartError      5   this process cannot go on, a new one can: start it again; a person if that repeats
    ├── KilledError           6   a role did not stop in time and was killed: nothing is lost, but look why
    ├── NothingScored         7   no row could be counted, or no window scored: see what was said of the rows
    └── DriftFound            8   what `--fail-on drift` asks for

The command line prints ``str(error)`` and the hint, without a traceback, and ends with ``exit_code``. Texts of errors
never hold secrets: whoever raises one leaves them out.
"""

from collections.abc import Iterable

import msgspec


class DriftlineError(Exception):
    """Base of all errors that Driftline raises on purpose: report it and end with its `exit_code`.

    Parameters
    ----------
    message
        What is wrong, on one line (line breaks become spaces).
    hint
        The way out, on one line; "" takes the class's own.
    """

    exit_code: int = 1
    default_hint: str = ""

    def __init__(self, message: str, *, hint: str = "") -> None:
        self.message = _one_line(message)
        self.hint = _one_line(hint) or self.default_hint
        super().__init__(self.message)


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing wrong in a configuration file.

    `path` is the place as the file spells it (``models[0].windows[1].evry``; "" for the file as a whole), `line` and
    `column` count from 1 (0: unknown), `nearest` is the valid key or value that was probably meant ("": none).
    """

    message: str
    path: str = ""
    line: int = 0
    column: int = 0
    nearest: str = ""

    def __str__(self) -> str:
        """The problem on one line, path first."""
        meant = f"; did you mean '{self.nearest}'?" if self.nearest else ""
        return _one_line(f"{self.path}: {self.message}{meant}" if self.path else f"{self.message}{meant}")


class ConfigError(DriftlineError):
    """The configuration is wrong: change the file. Holds every problem found, in the order of the file.

    ``str(error)`` has one line a problem: ``driftline.yaml:12:9: models[0].windows[1].evry: unknown key; did you mean
    'every'?``. `path`, `nearest` and `line` are those of the first problem.
    """

    exit_code = 2
    default_hint = "mend the file, then run `driftline check CONFIG`; driftline.example.yaml shows every key"

    def __init__(self, problems: Iterable[Problem] | str, *, source: str = "configuration", hint: str = "") -> None:
        listed = (Problem(message=problems),) if isinstance(problems, str) else tuple(problems)
        if not listed:
            raise ValueError("a ConfigError needs at least one problem")
        self.problems = listed
        self.source = source
        super().__init__(self._line(listed[0]), hint=hint)
        self.args = (listed,)  # what pickle calls the class with; `source` and `hint` follow in the state

    def _line(self, problem: Problem) -> str:
        place = "".join(f":{number}" for number in (problem.line, problem.column) if number)
        return f"{self.source}{place}: {problem}"

    def __str__(self) -> str:
        """One line a problem."""
        return "\n".join(_one_line(self._line(problem)) for problem in self.problems)

    @property
    def path(self) -> str:
        """The path of the first problem."""
        return self.problems[0].path

    @property
    def nearest(self) -> str:
        """The valid key or value nearest to what the first problem found; "" when none is near."""
        return self.problems[0].nearest

    @property
    def line(self) -> int:
        """The line of the first problem, from 1; 0 when unknown."""
        return self.problems[0].line


class InputError(DriftlineError):
    """A file that was given cannot be used: mend it, replace it, or name another."""

    exit_code = 2
    default_hint = "check that the file exists, is whole and is of the kind the command expects"


class Unavailable(DriftlineError):  # noqa: N818 - a state that passes, not a fault; the name reads well in `except`
    """The broker or the database is out of reach: try again, with backoff; nothing is lost meanwhile."""

    exit_code = 3
    default_hint = "check that the service is up and that its address in the configuration is right"


class StoppedError(DriftlineError):
    """The work cannot go on, and trying again will not help: stop; a person is needed."""

    exit_code = 4


class RestartError(StoppedError):
    """A new process is needed: end this one and start it again. Where that repeats, a person is needed.

    For what a client library keeps broken until its process ends.
    """

    exit_code = 5
    default_hint = "start the process again; `driftline run` does so by itself"


class KilledError(DriftlineError):
    """A role did not stop in the time it had and was killed. Nothing is lost: what it had in hand is done again."""

    exit_code = 6
    default_hint = "its log tells what it waited for; the next start takes up where its last commit left it"


class NothingScored(DriftlineError):  # noqa: N818 - an outcome, not a fault
    """Nothing that was read could be counted, or nothing that was counted could be scored."""

    exit_code = 7
    default_hint = "what is printed above says what was read, and why it was refused"


class DriftFound(DriftlineError):  # noqa: N818 - an outcome, not a fault
    """Something drifted, and whoever called wants to know by the exit code."""

    exit_code = 8
    default_hint = "the findings say what drifted; without --fail-on the exit code is 0"


def _one_line(text: str) -> str:
    return " ".join(text.split())
