"""Runs the two processes of a pair in alternation, both on one CPU: A B A B."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from monitor.bench.pairs import Pair
from monitor.bench.report import Result, summarise
from monitor.errors import StoppedError
from monitor.process.children import dying_with_parent

_decoder = msgspec.json.Decoder(dict[str, float])


class Cpus:
    """One CPU for what is measured, the others for everything else (brokers, this process).

    Only Linux can pin; elsewhere `measured` is None and nothing is pinned.
    """

    def __init__(self) -> None:
        allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        self.n: int = len(allowed) or os.cpu_count() or 1
        self._before = set(allowed)
        self.measured: int | None = allowed[-1] if allowed else None
        self._others = set(allowed[:-1]) or set(allowed)

    def __enter__(self) -> Self:
        if self.measured is not None:
            os.sched_setaffinity(0, self._others)  # and so every child, until it says otherwise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.measured is not None:
            os.sched_setaffinity(0, self._before)

    def pin(self) -> Callable[[], None] | None:
        """A `preexec_fn` that puts a child on the measured CPU and ends it with this process."""
        cpu, dying = self.measured, dying_with_parent()

        def preexec() -> None:
            dying()
            if cpu is not None:
                os.sched_setaffinity(0, {cpu})

        return preexec


class Worker:
    """A measured process, ready when this returns. `command` speaks as `monitor.bench.worker` says."""

    def __init__(self, command: Sequence[str], cpus: Cpus, log: Path) -> None:
        self._log = log
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, preexec_fn=cpus.pin()
            )
        try:
            self._answer()
        except BaseException:
            self.close()
            raise

    def round(self) -> Mapping[str, float]:
        """One round's measures, by name."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended; its last words follow
        return self._answer()

    def _answer(self) -> Mapping[str, float]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            said = self._log.read_text(errors="replace").strip().splitlines()
            raise StoppedError(f"a measured process ended: {said[-1] if said else 'without a word'}")
        return _decoder.decode(line)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def own_command(folder: Path, case: str) -> list[str]:
    """The command of one of our own cases."""
    return [sys.executable, "-m", "monitor.bench.worker", str(folder), case]


def take_turns(
    pair: Pair, commands: tuple[Sequence[str], Sequence[str]], rounds: int, cpus: Cpus, folder: Path,
    progress: Callable[[float], None],
) -> list[Result]:  # fmt: skip
    """The pair's results over `rounds` rounds; `progress` takes the fraction done."""
    ours: list[Mapping[str, float]] = []
    theirs: list[Mapping[str, float]] = []
    with (
        Worker(commands[0], cpus, folder / f"{pair.case}.log") as first,
        Worker(commands[1], cpus, folder / f"{pair.beside}.log") as second,
    ):
        n = min(rounds, pair.most_rounds)
        for number in range(n):
            ours.append(first.round())
            theirs.append(second.round())
            progress((number + 1) / n)
    return [
        summarise(
            figure.name,
            figure.unit,
            [measures[figure.ours] for measures in ours],
            figure.yardstick,
            [measures[figure.theirs] for measures in theirs],
            figure.target,
        )
        for figure in pair.figures
    ]
