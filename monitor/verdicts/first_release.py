"""What the first release says of the same windows: its own code, from git, in a process of its own.

Run as a script by `python first_release.py TASK.json` with the release's tree in `PYTHONPATH`; the modules of this
package are found beside that tree's. The release does not change, and is slow: what it found is kept in
`first_release.json`, which `record` writes (`python -m monitor.verdicts --record`).
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from monitor.verdicts.awake import Cell, Power

COMMIT: Final = "ec5a51e"
_ALL_CELLS: Final = 2_000
MAY_LOSE: Final = 0.1
"""Share of windows in which the release may find more than what stands now, in any cell."""
_ROOT: Final = Path(__file__).resolve().parents[2]
RECORD: Final = Path(__file__).with_name("first_release.json")


def recorded(seed: int) -> "dict[Cell, Power]":
    """What `record` wrote, if it is of this seed."""
    from monitor.verdicts.awake import Power

    if not RECORD.exists():
        return {}
    record = json.loads(RECORD.read_text())
    if record["commit"] != COMMIT or record["seed"] != seed:
        return {}
    return {(kind, size, n_rows): Power(n=n, found=found) for kind, size, n_rows, n, found in record["awake"]}


def run(task: dict[str, Any]) -> Any:
    """What the release makes of a task, see `_main`."""
    with tempfile.TemporaryDirectory(prefix="driftline-first-") as folder:
        tree = Path(folder) / "tree"
        tree.mkdir()
        packed = subprocess.run(["git", "-C", str(_ROOT), "archive", COMMIT], capture_output=True, check=True)  # noqa: S607
        subprocess.run(["tar", "x", "-C", str(tree)], input=packed.stdout, check=True)  # noqa: S607
        (Path(folder) / "task.json").write_text(json.dumps(task))
        done = subprocess.run(
            [sys.executable, __file__, str(Path(folder) / "task.json")],
            env={"PYTHONPATH": str(tree), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(done.stdout)


def _main(path: Path) -> None:
    import monitor

    monitor.__path__.append(str(_ROOT / "monitor"))
    import numpy as np

    import monitor.reference.build as its_build
    from detectors.score import score
    from detectors.settings import Setting
    from monitor.verdicts import awake
    from monitor.verdicts.changes import Kind
    from monitor.verdicts.references import build, count
    from monitor.verdicts.worlds import STEP_MS, Rows

    assert not Path(its_build.__file__).is_relative_to(_ROOT)
    task = json.loads(path.read_text())
    settings = [
        Setting(method=name, threshold=threshold) for name, threshold in (("psi", 0.2), ("ks", 0.1), ("js", 0.1))
    ]
    methods = [setting.method for setting in settings]

    def scores(built: Any, windows: Sequence[Rows]) -> Any:
        for part in awake.at_once(windows):
            for sketches in count(built, part):
                yield score(built.reference, sketches, settings)

    n_windows = {int(n): number for n, number in task["n_windows"].items()}
    built = build(awake.reference_rows(task["seed"]), [n * STEP_MS for n in n_windows], methods)

    def judge(windows: Sequence[Rows], kind: Kind) -> list[bool]:
        name = awake.column_of(kind)
        return [bool(np.any(own.drifted & (own.column == own.columns.index(name)))) for own in scores(built, windows)]

    only = None if task.get("only") is None else {(kind, size, n) for kind, size, n in task["only"]}
    cells = awake.power(judge, task["seed"], n_windows, only=only)
    json.dump([[*cell, own.n, own.found] for cell, own in cells.items()], sys.stdout)


def record(seed: int, n_rounds: int, n_windows: dict[int, int], now: "Mapping[Cell, Power]") -> None:
    """Write what the release finds of changes; rounds are added to those that are written already.

    A cell is measured while it is open whether the release is more than `MAY_LOSE` ahead of what `now` finds there,
    and each of at most `_ALL_CELLS` rows at least in the first round, to say what the release finds at all.
    """
    from monitor.verdicts.awake import Power
    from monitor.verdicts.changes import KINDS

    cells = recorded(seed)
    wanted_kinds = {kind.name for kind in KINDS if kind.wanted}
    for n_rows, number in n_windows.items():
        for done in range(n_rounds):
            wanted = [
                cell
                for cell in now
                if cell[2] == n_rows
                and (
                    (n_rows <= _ALL_CELLS and cell not in cells and done == 0)
                    or (cell[0] in wanted_kinds and _open(cells.get(cell, Power()), now[cell], done * number))
                )
            ]
            if not wanted:
                continue
            task = {"seed": [seed, 2, done], "n_windows": {n_rows: number}, "only": wanted}
            for kind, size, rows, n, found in run(task):
                cell = (kind, size, rows)
                cells[cell] = cells.get(cell, Power()) + Power(n=n, found=found)
            rows_of_cells = [[*cell, own.n, own.found] for cell, own in cells.items()]
            RECORD.write_text(json.dumps({"commit": COMMIT, "seed": seed, "awake": rows_of_cells}) + "\n")


def _open(known: "Power", now: "Power", n_before: int) -> bool:
    """Whether a cell needs the round that comes after so many windows."""
    most = min(known.share + 3.0 * known.standard_error, 1.0) if known.n else 1.0
    return known.n == n_before and most - now.share > MAY_LOSE


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
