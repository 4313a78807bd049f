"""`python -m monitor.verdicts`: simulate, and write the page."""

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from operator import add
from pathlib import Path
from typing import Final, TypeVar

from monitor.verdicts import added, first_release, flights, peers, product, quiet
from monitor.verdicts.awake import Power
from monitor.verdicts.kept import FOLDER, Kept
from monitor.verdicts.quiet import Tally
from monitor.verdicts.report import Results, page
from monitor.verdicts.run import rounds
from monitor.verdicts.worlds import WORLDS

_Key = TypeVar("_Key")
_Sum = TypeVar("_Sum", Tally, Power)

SEED: Final = 2027
ROUNDS: Final = 10
_QUIET: Final = {200: 36, 500: 36, 2_000: 36, 5_000: 36, 20_000: 30}
_AWAKE: Final = {200: 30, 500: 30, 2_000: 30, 20_000: 30}
"""Windows a reference. Windows of one reference share its chance: more references tell more than more windows do."""
_ADDED: Final = {500: 40, 2_000: 40}
_PEERS_QUIET: Final = {200: 10, 500: 10, 2_000: 10, 5_000: 10, 20_000: 5}
_PEERS_AWAKE: Final = {200: 10, 500: 10, 2_000: 10, 20_000: 4}
_PEER_ROUNDS: Final = 1
"""References that the other rules are shown: their standard errors matter less than their time, which is the most."""
_PEERS: Final = tuple(
    [f"monitor/verdicts/{name}.py" for name in ("awake", "changes", "peers", "quiet_windows", "worlds")]
    + [f"detectors/{name}.py" for name in ("kolmogorov", "significance")]
)
"""The source that the other rules depend on."""


def main(arguments: Sequence[str]) -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(prog="python -m monitor.verdicts", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="references; default %(default)s")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, default=Path("docs/verdicts.md"))
    parser.add_argument("--again", action="store_true", help=f"take nothing from {FOLDER}, where rounds are kept")
    parser.add_argument("--without-flights", action="store_true")
    parser.add_argument("--record", action="store_true", help="see what the first release finds, too: an hour")
    options = parser.parse_args(arguments)
    results = simulate(
        options.seed,
        options.rounds,
        with_flights=not options.without_flights,
        with_record=options.record,
        keep=None if options.again else FOLDER,
    )
    options.out.write_text(page(results))


def simulate(
    seed: int, n_rounds: int, *, with_flights: bool, with_record: bool = False, keep: Path | None = None
) -> Results:
    """Everything that the page shows; rounds that were run before, of the same source, are taken from `keep`."""
    ours, others = Kept(keep), Kept(keep, _PEERS)
    order = {name: position for position, name in enumerate(WORLDS)}
    few = min(n_rounds, _PEER_ROUNDS)
    quiet_results: dict[str, dict[int, Tally]] = {}
    quiet_rules: dict[str, dict[int, dict[str, tuple[int, int, int]]]] = {}
    for case in quiet.CASES:
        _say(f"quiet: {case.name}")
        of_world = order[case.world.name]
        cases = [(case.world, (seed, 1, of_world, number), _QUIET, case.season) for number in range(n_rounds)]
        quiet_results[case.name] = _summed(rounds(quiet.quiet_round, cases, kept=ours))
    for name, world in WORLDS.items():
        _say(f"quiet: {name}, other rules")
        tasks = [(world, (seed, 1, order[name], number), _PEERS_QUIET) for number in range(few)]
        found = rounds(peers.quiet_round, tasks, kept=others)
        quiet_rules[name] = {
            n: {rule: _triple([one[n][rule] for one in found]) for rule in peers.RULES} for n in _PEERS_QUIET
        }
    _say("awake")
    awake = _summed(rounds(product.awake_round, [((seed, 2, number), _AWAKE) for number in range(n_rounds)], kept=ours))
    if with_record:
        _say("awake: first release")
        first_release.record(seed, n_rounds, _AWAKE, awake)
    _say("awake: other rules")
    by_rule = rounds(peers.awake_round, [((seed, 2, number), _PEERS_AWAKE) for number in range(few)], kept=others)
    _say("more methods and segments")
    pairs = rounds(added.added_round, [((seed, 3, number), _ADDED) for number in range(n_rounds)], kept=ours)
    _say("flights")
    compares = flights.COMPARES if with_flights else ()
    by_compare = dict(
        zip(compares, rounds(flights.months, [(compare,) for compare in compares], kept=ours), strict=True)
    )
    return Results(
        seed=seed,
        rounds=n_rounds,
        quiet=quiet_results,
        quiet_rules=quiet_rules,
        awake=awake,
        first=first_release.recorded(seed),
        rules={rule: _summed([one[rule] for one in by_rule]) for rule in peers.RULES},
        added={key: (sum(one[key][0] for one in pairs), sum(one[key][1] for one in pairs)) for key in pairs[0]},
        flights=by_compare,
    )


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _summed(parts: Sequence[Mapping[_Key, _Sum]]) -> dict[_Key, _Sum]:
    return {key: reduce(add, (part[key] for part in parts)) for key in parts[0]}


def _triple(found: Iterable[tuple[int, int, int]]) -> tuple[int, int, int]:
    n, flagged, half = (sum(column) for column in zip(*found, strict=True))
    return n, flagged, half


if __name__ == "__main__":
    main(sys.argv[1:])
