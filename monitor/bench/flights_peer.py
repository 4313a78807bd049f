"""One week of the flights by another library. A script for a Python of its own (`monitor.bench.peers`).

It imports nothing of ours, and speaks as `monitor.bench.worker` does: one line of measures for each line on standard
input. What a library can prepare of the reference, and the data frames, are made beforehand.

Usage: python flights_peer.py FOLDER evidently|nannyml|whylogs
"""

import gc
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def main(folder: str, case: str) -> None:
    """Serve rounds until standard input ends."""
    import pandas  # type: ignore[import-untyped,unused-ignore]  # of that other Python

    reference, week = (pandas.read_csv(Path(folder) / name) for name in ("flights-january.csv", "flights-week.csv"))
    work = {"evidently": evidently, "nannyml": nannyml, "whylogs": whylogs}[case](reference, week)
    work()
    gc.collect()
    gc.freeze()
    answer({})
    for _ in sys.stdin:
        started_s = time.process_time()
        work()
        answer({"seconds": time.process_time() - started_s})


def evidently(reference: Any, week: Any) -> Callable[[], object]:
    """PSI of every column."""
    from evidently import DataDefinition, Dataset, Report  # type: ignore[import-not-found]  # of that other Python
    from evidently.metrics import ValueDrift  # type: ignore[import-not-found]  # likewise

    texts = _texts(reference)
    numbers = [name for name in reference.columns if name not in texts]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=texts)
    before = Dataset.from_pandas(reference, definition)
    report = Report([ValueDrift(column=name, method="psi") for name in reference.columns])
    return lambda: report.run(Dataset.from_pandas(week, definition), before).dict()


def nannyml(reference: Any, week: Any) -> Callable[[], object]:
    """The Jensen-Shannon distance of every column: it has no PSI."""
    from nannyml import UnivariateDriftCalculator  # type: ignore[import-not-found]  # of that other Python

    calculator = UnivariateDriftCalculator(
        column_names=list(reference.columns),
        treat_as_categorical=_texts(reference),
        continuous_methods=["jensen_shannon"],
        categorical_methods=["jensen_shannon"],
        chunk_size=len(week),
    )
    calculator.fit(reference)
    return lambda: calculator.calculate(week)


def whylogs(_reference: Any, week: Any) -> Callable[[], object]:
    """A profile of the rows, compared with nothing: it has no PSI."""
    from whylogs.core import DatasetProfile  # type: ignore[import-not-found]  # of that other Python

    def work() -> None:
        DatasetProfile().track(week)

    return work


def _texts(frame: Any) -> list[str]:
    """The columns of text; all others are numbers."""
    return [name for name in frame.columns if frame[name].dtype.kind not in "iufb"]


def answer(measures: dict[str, float]) -> None:
    """One line of JSON on standard output."""
    sys.stdout.write(json.dumps(measures) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
