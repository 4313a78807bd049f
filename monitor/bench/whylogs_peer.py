"""The same rows into whylogs. A script for a Python of its own (`monitor.bench.peers`): it imports nothing of ours.

Speaks as `monitor.bench.worker` does: one line of measures for each line on standard input.

Usage: python whylogs_peer.py EVENTS.jsonl whylogs_frames|whylogs_rows ROUND_S
"""

import gc
import json
import sys
import time
from pathlib import Path

FRAME_ROWS = 10_000
SINGLE_ROWS = 1_000


def main(events: str, case: str, round_s: float) -> None:
    """Serve rounds until standard input ends. Rows and frames are made beforehand: only tracking is measured."""
    import pandas  # type: ignore[import-untyped,unused-ignore]  # of that other Python
    from whylogs.core import DatasetProfile  # type: ignore[import-not-found]  # likewise

    lines = Path(events).read_bytes().split(b"\n")
    rows = [{**event["features"], **event["prediction"]} for event in map(json.loads, lines)]

    if case == "whylogs_frames":
        frames = [pandas.DataFrame(rows[start : start + FRAME_ROWS]) for start in range(0, len(rows), FRAME_ROWS)]

        def work() -> int:
            profile = DatasetProfile()
            for frame in frames:
                profile.track(frame)
            return len(rows)
    else:

        def work() -> int:
            profile = DatasetProfile()
            for row in rows[:SINGLE_ROWS]:
                profile.track(row)
            return len(rows[:SINGLE_ROWS])

    work()
    gc.collect()
    gc.freeze()
    answer({})
    for _ in sys.stdin:
        total = 0
        started_s = time.process_time()
        while True:
            total += work()
            elapsed_s = time.process_time() - started_s
            if elapsed_s >= round_s and elapsed_s > 0.0:
                break
        answer({"rate": total / elapsed_s})


def answer(measures: dict[str, float]) -> None:
    """One line of JSON on standard output."""
    sys.stdout.write(json.dumps(measures) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
