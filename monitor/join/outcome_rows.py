"""What became of labels, as rows of the record `label_outcome`. Pure."""

import pyarrow as pa

from monitor.join.state import seal_in
from monitor.join.step import JoinStep
from sinks.records import RECORDS, rows_batch


def outcome_rows(step: JoinStep, partition: int) -> pa.RecordBatch | None:
    """The totals that a step changed, as of its offset in a partition of `drift.joins`; None where it changed none.

    The seal has the totals, and is committed with what they count: a repeated step gives the same rows.
    """
    totals = seal_in(step.seal).totals
    changed = [
        (model, outcome, totals[model][outcome])
        for model, outcome in sorted(step.counts)
        if outcome in totals.get(model, {}) and step.counts[model, outcome]
    ]
    if not changed:
        return None
    rows = [
        {"model": model, "outcome": outcome, "join_partition": partition, "n": n, "revision": step.offset + 1}
        for model, outcome, n in changed
    ]
    return rows_batch(RECORDS["label_outcome"], rows)
