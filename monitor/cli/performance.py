"""What `driftline replay --labels` says of performance at its end."""

from pathlib import Path
from typing import Final

import pyarrow.parquet as pq
from rich.console import Console
from rich.text import Text

from monitor.replay.performance import READ, READ_PARTS, performance_lines
from sinks.records import RECORDS

_FILE: Final = RECORDS["performance"].file
_PARTS: Final = RECORDS["performance_part"].file


def show_performance(console: Console, out: Path) -> None:
    """Print how good each model was, from the files of a replay into `out`."""
    lines = performance_lines(
        pq.read_table(out / _FILE, columns=list(READ)), pq.read_table(out / _PARTS, columns=list(READ_PARTS))
    )
    for line in lines:
        console.print(Text(line), soft_wrap=True)
    if lines:
        console.print(f"Next: {out}/{_FILE} has all metrics with their intervals, {_PARTS} where a loss comes from.")
    else:
        console.print(
            "No performance was measured: driftline check says what is known of each model's, and what lacks for more."
        )
