"""A measured process: prepares one piece of work, then does a round of it for each line that it reads.

`python -m monitor.bench.worker FOLDER CASE` answers every line on standard input with one line of JSON on standard
output: the measures of a round, by name. The first answer is the empty object: ready, and warm. What start-up allocated
is out of every later garbage collection, as in the roles.
"""

import importlib
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from monitor.bench.size import Material, chosen_size
from monitor.process.garbage import freeze_start_up

Work = Callable[[], int | Mapping[str, float]]
"""One go at the work: how many events it took, or its measures, measured by itself."""

CASES: Final[Mapping[str, str]] = {
    "json": "decoding.json",
    "msgspec": "decoding.msgspec_alone",
    "sketch": "decoding.sketch",
    "binning": "decoding.binning",
    "arrow": "decoding.arrow",
    "json_multivariate": "decoding.json_multivariate",
    "arrow_multivariate": "decoding.arrow_multivariate",
    "json_labelled": "joining.json_labelled",
    "json_unlabelled": "joining.json_unlabelled",
    "join": "joining.join",
    "join_measured": "joining.measured",
    "join_store": "joining.store_alone",
    "join_pending": "pending.many",
    "ingest": "kafka.ingest",
    "consume": "kafka.consume",
    "latency": "latency.close_to_row",
    "hops": "latency.hops",
    "score": "scoring.score_all",
    "loop": "scoring.loop",
    "results": "results.to_clickhouse",
    "insert": "results.insert_alone",
    "flight_scores": "flights.score_all",
    "flight_loop": "flights.loop",
    "flights": "flights.end_to_end",
    "flight_sketches": "flights.sketch_alone",
    "memory": "memory.sketches",
    "raw": "memory.raw",
    "check": "commands.check",
    "import_numpy": "commands.import_numpy",
    "flights_week": "flights_week.psi",
    "idle": "idle.up",
    "idle_numpy": "idle.numpy_processes",
}
"""Where each case is prepared: a function of this package that takes a `Material`. Imported when asked for."""


def prepare(case: str, material: Material) -> Work:
    """The work of a case, ready to be done."""
    module, _, function = CASES[case].partition(".")
    make: Callable[[Material], Work] = getattr(importlib.import_module(f"monitor.bench.{module}"), function)
    return make(material)


def measure(work: Work, round_s: float) -> Mapping[str, float]:
    """A round: the work again and again until `round_s` processor seconds are over.

    Processor seconds, because other processes that want the same core change those much less than the wall clock.
    """
    total, n_times = 0, 0
    started_s = time.process_time()
    while True:
        done = work()
        if not isinstance(done, int):
            return done
        total += done
        n_times += 1
        elapsed_s = time.process_time() - started_s
        if elapsed_s >= round_s and elapsed_s > 0.0:
            return {"rate": total / elapsed_s, "seconds": elapsed_s / n_times}


def main(folder: str, case: str) -> None:
    """Serve rounds until standard input ends."""
    size = chosen_size()
    answers = _own_output()
    work = prepare(case, Material(folder=Path(folder), size=size))
    # Those have nothing to warm but a whole round, or one that is long.
    if case not in ("ingest", "consume", "latency", "hops", "join_pending"):
        work()
    freeze_start_up()
    _answer(answers, {})
    for _ in sys.stdin:
        _answer(answers, measure(work, size.round_s))


def _own_output() -> BinaryIO:
    """Standard output for answers alone: what anything else prints there, as logs do, goes to standard error."""
    own = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return own


def _answer(answers: BinaryIO, measures: Mapping[str, float]) -> None:
    answers.write(msgspec.json.encode(measures) + b"\n")
    answers.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
