"""`python -m monitor.detector_table`: simulate, and write the page."""

import argparse
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from detectors.error_pane import ErrorPane
from detectors.sequential_registry import sequential_detector, sequential_detectors
from detectors.sequential_state import SequentialState
from monitor.detector_table import flights
from monitor.detector_table.contenders import Outcome, outcomes
from monitor.detector_table.report import Results, page
from monitor.detector_table.stable import N_STREAM, false_alarms
from monitor.detector_table.streams import CONCEPTS, N_AFTER, error_streams

SEED: Final = 2027
_PANES: Final = (1, 100, 1_000)


def main(arguments: Sequence[str]) -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(prog="python -m monitor.detector_table", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="streams of each kind; default %(default)s")
    parser.add_argument("--stable", type=int, default=100, help="stable streams an error rate; default %(default)s")
    parser.add_argument("--seed", type=int, default=SEED, help="of the first stream; default %(default)s")
    parser.add_argument("--out", type=Path, default=Path("docs/detectors.md"))
    options = parser.parse_args(arguments)
    options.out.write_text(page(simulate(options.seed, options.seeds, options.stable)))


def simulate(seed: int, n_seeds: int, n_stable: int) -> Results:
    """Everything that the page shows."""
    found: dict[tuple[int, str, str, str], list[Outcome]] = defaultdict(list)
    rates: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for name in CONCEPTS:
        _say(name)
        for own in range(seed, seed + n_seeds):
            for kind, stream in error_streams(name, own).items():
                ends = stream.errors[: stream.begin], stream.errors[-N_AFTER // 2 :]
                rates[name, kind].append((float(ends[0].mean()), float(ends[1].mean())))
                for n_pane in _PANES:
                    for contender, outcome in outcomes(stream, n_pane).items():
                        found[n_pane, name, kind, contender].append(outcome)
    _say("stable streams")
    return Results(
        seed=seed,
        n_seeds=n_seeds,
        n_stable=n_stable,
        stable=false_alarms(seed, n_stable),
        streams=rates,
        outcomes=found,
        flights=flights.months(),
        sizes=_sizes(seed),
    )


def _sizes(seed: int) -> dict[str, int]:
    errors = np.random.default_rng(seed).random(N_STREAM) < 0.1
    sizes = {}
    for name in sequential_detectors():
        state = SequentialState(sequential_detector(name))
        for first in range(0, N_STREAM, 100):
            total = int(errors[first : first + 100].sum())
            state, _ = state.update(ErrorPane(start_ms=first, end_ms=first + 100, n=100, total=total))
        sizes[name] = len(state.to_bytes())
    return sizes


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
