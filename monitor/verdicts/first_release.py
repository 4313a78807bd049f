"""What the first release says of the same windows: its own code, from git, in a process of its own.

Run as a script by `python first_release.py TASK.json` with the release's tree in `PYTHONPATH`; this package's modules are found
beside that tree's.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

COMMIT: Final = "ec5a51e"
_ROOT: Final = Path(__file__).resolve().parents[2]


def available() -> bool:
    """Whether the commit is in this repository's history."""
    probe = ["git", "-C", str(_ROOT), "cat-file", "-e", f"{COMMIT}^{{commit}}"]  # noqa: S607
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


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
    from detectors.score import score
    from detectors.settings import Setting

    import monitor.reference.build as its_build
    from monitor.verdicts import awake
    from monitor.verdicts.changes import KINDS, Kind
    from monitor.verdicts.quiet_windows import quiet_rows
    from monitor.verdicts.references import build, count
    from monitor.verdicts.worlds import STEP_MS, WORLDS, Rows, draw

    assert not Path(its_build.__file__).is_relative_to(_ROOT)
    task = json.loads(path.read_text())
    settings = [Setting(method=name, threshold=threshold) for name, threshold in (("psi", 0.2), ("ks", 0.1), ("js", 0.1))]
    methods = [setting.method for setting in settings]

    def scores(built: Any, windows: Sequence[Rows]) -> Any:
        for part in awake.at_once(windows):
            for sketches in count(built, part):
                yield score(built.reference, sketches, settings)

    if task["what"] == "awake":
        n_windows = {int(n): number for n, number in task["n_windows"].items()}
        built = build(awake.reference_rows(task["seed"]), [n * STEP_MS for n in n_windows], methods)

        def judge(windows: Sequence[Rows], kind: Kind) -> list[bool]:
            name = awake.column_of(kind)
            found = []
            for own in scores(built, windows):
                column = own.columns.index(name)
                found.append(bool(np.any(own.drifted & (own.column == column))))
            return found

        cells = awake.power(judge, task["seed"], n_windows, KINDS)
        json.dump([[*cell, own.n, own.found] for cell, own in cells.items()], sys.stdout)
    else:
        world = WORLDS[task["world"]]
        rng = np.random.default_rng(task["seed"])
        n_windows = {int(n): number for n, number in task["n_windows"].items()}
        built = build(draw(world, rng, awake.N_REFERENCE), [n * world.step_ms for n in n_windows], methods)
        result = []
        for n_rows, number in n_windows.items():
            false = 0
            for windows in quiet_rows(world, rng, n_rows, number):
                false += sum(bool(own.drifted.any()) for own in scores(built, windows))
            result.append([n_rows, number, false])
        json.dump(result, sys.stdout)


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
