"""`python -m monitor.alert_table`: simulate, and write the page."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from monitor.alert_table.awake import awake_round
from monitor.alert_table.late_labels import late_round
from monitor.alert_table.relation import relation_round
from monitor.alert_table.report import Results, page, with_late_labels, with_relation
from monitor.alert_table.rounds import quiet_round
from monitor.alert_table.streams import WORLDS
from monitor.verdicts.kept import Kept
from monitor.verdicts.run import rounds

SEED: Final = 2027
_FOLDER: Final = Path(".build/alerts")
_SOURCES: Final = (
    "detectors/*.py",
    "detectors/methods/*.py",
    *(f"monitor/alert_table/{name}.py" for name in ("awake", "rounds", "rules", "streams")),
    *(
        f"monitor/decisions/{name}.py"
        for name in ("calibration", "decide", "finding", "gather", "screening", "silences", "succession", "track")
    ),
    *(f"monitor/verdicts/{name}.py" for name in ("peers", "references", "worlds")),
)
"""What results depend on; a round that was run before of the same source is not run again."""


def main(arguments: Sequence[str]) -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(prog="python -m monitor.alert_table", description=__doc__)
    parser.add_argument(
        "--streams", type=int, default=200, help="that do not change, of all kinds; default %(default)s"
    )
    parser.add_argument("--a-reference", type=int, default=25, help="of these on one reference; default %(default)s")
    parser.add_argument("--weeks", type=int, default=8, help="of judged windows a reference; default %(default)s")
    parser.add_argument("--calibration-weeks", type=int, default=4, help="to calibrate on; default %(default)s")
    parser.add_argument("--tries", type=int, default=40, help="of each change; default %(default)s")
    parser.add_argument(
        "--relation-tries", type=int, default=40, help="of each changed relation, 20 a reference; default %(default)s"
    )
    parser.add_argument(
        "--only-relation", action="store_true", help="run these alone, and leave the rest of the page as it is"
    )
    parser.add_argument(
        "--late-streams",
        type=int,
        default=20,
        help="of each, with labels that come late, 2 a reference; default %(default)s",
    )
    parser.add_argument(
        "--only-late-labels", action="store_true", help="run these alone, and leave the rest of the page as it is"
    )
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, default=Path("docs/alerts-simulation.md"))
    parser.add_argument("--again", action="store_true", help=f"take nothing from {_FOLDER}, where rounds are kept")
    options = parser.parse_args(arguments)
    keep = Kept(None if options.again else _FOLDER, _SOURCES)
    whole_path = Kept(None if options.again else _FOLDER)  # of rounds that depend on all of it
    if not options.only_relation:
        _say("labels that come late")
        late = rounds(
            late_round,
            [((options.seed, 12, number), 2) for number in range(max(options.late_streams // 2, 1))],
            kept=whole_path,
        )
        if options.only_late_labels:
            options.out.write_text(with_late_labels(options.out.read_text(), late))
            return
    _say("changed relations")
    relation = rounds(
        relation_round,
        [((options.seed, 11, number), 20) for number in range(max(options.relation_tries // 20, 1))],
        kept=whole_path,
    )
    if options.only_relation:
        options.out.write_text(with_relation(options.out.read_text(), relation))
        return
    n_references = max(options.streams // len(WORLDS) // options.a_reference, 1)
    _say("changes")
    awake = rounds(
        awake_round, [((options.seed, 9, number), 20) for number in range(max(options.tries // 20, 1))], kept=keep
    )
    _say("unchanged streams")
    tasks = [
        (world, (options.seed, place, number), options.a_reference, options.weeks, options.calibration_weeks)
        for number in range(n_references)
        for place, world in enumerate(WORLDS)
    ]
    quiet = rounds(quiet_round, tasks, kept=keep)
    found = Results(
        seed=options.seed,
        weeks=options.weeks,
        calibration_weeks=options.calibration_weeks,
        quiet={world: [one for task, one in zip(tasks, quiet, strict=True) if task[0] == world] for world in WORLDS},
        awake=awake,
        relation=relation,
        late=late,
    )
    options.out.write_text(page(found))


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
