"""`driftline bench`: prepares the data, lets every pair take its turns, and says what came out."""

import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from rich.console import Console

from monitor.bench import data, flights_week, kafka, latency, peers
from monitor.bench.machine import describe
from monitor.bench.pairs import KAFKA, LATENCY, PAIRS, PEERS, WEEK, Pair
from monitor.bench.report import Report, Result
from monitor.bench.show import show
from monitor.bench.size import Size, chosen_size
from monitor.bench.turns import Cpus, own_command, take_turns
from monitor.cli.progress import bar
from monitor.errors import DriftlineError


def run_bench(*, as_json: bool, peers: bool, rounds: int) -> None:
    """Measure everything and write it to standard output: a table, or one JSON object."""
    with tempfile.TemporaryDirectory(prefix="driftline-bench-") as folder, Cpus() as cpus, bar("measuring") as progress:
        report = Bench(Path(folder), cpus, chosen_size(), rounds).run(
            (*PAIRS, *PEERS, *WEEK) if peers else PAIRS, progress
        )
    if as_json:
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
    else:
        show(Console(), report)


class Bench:
    """One run of the benchmark, with its files in `folder`."""

    def __init__(self, folder: Path, cpus: Cpus, size: Size, rounds: int) -> None:
        self._folder = folder
        self._cpus = cpus
        self._size = size
        self._rounds = rounds
        self._machine = describe(cpus.n, cpus.measured)
        self._peers: dict[str, Path] = {}

    def run(self, pairs: Sequence[Pair], progress: Callable[[float], None]) -> Report:
        """Measure the pairs. What cannot be measured here (no broker, no whylogs) is a note, its results left out."""
        data.prepare(self._folder, self._size)
        results: list[Result] = []
        notes: list[str] = []
        for number, pair in enumerate(pairs):
            try:
                results += self._measure(pair, _part(progress, number, len(pairs)))
            except DriftlineError as error:
                notes.append(f"{pair.title}: not measured: {error.message}")
        machine = msgspec.structs.replace(self._machine, notes=tuple(notes))
        return Report(machine=machine, results=tuple(results))

    def _measure(self, pair: Pair, progress: Callable[[float], None]) -> list[Result]:
        prepare = {KAFKA: kafka.prepare, LATENCY: latency.prepare}.get(pair)
        if prepare is not None:
            with kafka.broker() as (servers, which):
                self._machine = msgspec.structs.replace(self._machine, broker=which)
                config = prepare(self._folder, kafka.section(servers), self._size)
                try:
                    return self._take_turns(pair, self._own(pair.beside), progress)
                finally:
                    kafka.remove(config)
        if pair in PEERS:
            events = self._folder / data.JSON
            beside = peers.command(self._peer("whylogs"), events, pair.beside, self._size.round_s)
            return self._take_turns(pair, beside, progress)
        if pair in WEEK:
            python = self._peer(pair.beside)
            if not (self._folder / flights_week.CONFIG).exists():
                flights_week.prepare(self._folder)
            return self._take_turns(pair, peers.week_command(python, self._folder, pair.beside), progress)
        return self._take_turns(pair, self._own(pair.beside), progress)

    def _peer(self, library: str) -> Path:
        if library not in self._peers:
            self._peers[library] = peers.install(library, self._folder / f"peer-{library}")
        return self._peers[library]

    def _take_turns(self, pair: Pair, beside: Sequence[str], progress: Callable[[float], None]) -> list[Result]:
        commands = (self._own(pair.case), beside)
        return take_turns(pair, commands, self._rounds, self._cpus, self._folder, progress)

    def _own(self, case: str) -> list[str]:
        return own_command(self._folder, case)


def _part(progress: Callable[[float], None], number: int, n: int) -> Callable[[float], None]:
    """The progress of part `number` of `n`."""
    return lambda done: progress((number + done) / n)
