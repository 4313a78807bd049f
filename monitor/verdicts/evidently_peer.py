"""Evidently itself on some windows: `python evidently_peer.py TASK.json`, with this tree in the path.

Run by a Python that has it. Prints for each window the columns that its default rule calls drifted.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from monitor.verdicts.awake import changed_windows, reference_rows
from monitor.verdicts.changes import KINDS
from monitor.verdicts.worlds import COLUMNS, N_NUMERIC, Rows


def _main(path: Path) -> None:
    import pandas  # type: ignore[import-untyped,unused-ignore]  # of that other Python
    from evidently import DataDefinition, Dataset, Report  # type: ignore[import-not-found]  # likewise
    from evidently.presets import DataDriftPreset  # type: ignore[import-not-found]  # likewise

    task = json.loads(path.read_text())
    numeric, categorical = list(COLUMNS[:N_NUMERIC]), list(COLUMNS[N_NUMERIC:])
    definition = DataDefinition(numerical_columns=numeric, categorical_columns=categorical)

    def dataset(rows: Rows) -> Any:
        columns: dict[str, Any] = {name: rows.numeric[row] for row, name in enumerate(numeric)}
        for row, name in enumerate(categorical):
            ranks = rows.categories[row]
            columns[name] = np.where(ranks < 0, None, ranks.astype(str).astype(object))
        return Dataset.from_pandas(pandas.DataFrame(columns), definition)

    before = dataset(reference_rows(task["seed"]))
    n_rows = int(task["n_rows"])
    kinds = [kind for kind in KINDS if kind.name in task["kinds"]]
    result = []
    for kind, size, windows in changed_windows(task["seed"], n_rows, int(task["n_windows"]), kinds):
        for rows in windows:
            snapshot = Report([DataDriftPreset()]).run(dataset(rows), before).dict()
            result.append([kind.name, size, _drifted(snapshot)])
    json.dump(result, sys.stdout)


def _drifted(snapshot: Any) -> list[str]:
    names = []
    for metric in snapshot["metrics"]:
        config = metric["config"]
        if config["type"].endswith("ValueDrift"):
            value, threshold = float(metric["value"]), float(config["threshold"])
            p_value = "p_value" in config["method"]
            if (value < threshold) if p_value else (value >= threshold):
                names.append(config["column"])
    return names


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
