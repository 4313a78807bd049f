"""Dagster: a job that the destination `dagster` launches. `dagster-webserver -f dagster_defs.py` serves it.

Dagster has no idempotency of its own: Driftline looks for a run with the request's tag first. Two senders at once could
still launch two, so the op looks again, and leaves the work to the run that was made first.
"""

import json

from dagster import Config, Definitions, OpExecutionContext, RunsFilter, job, op
from training import evidence_of, retrain

TAG = "driftline/dedupe_key"


class RetrainingConfig(Config):
    """The request as JSON."""

    request: str


@op
def train_and_report(context: OpExecutionContext, config: RetrainingConfig) -> str:
    """Train on what the request proposes, and report."""
    request = json.loads(config.request)
    same = context.instance.get_run_records(RunsFilter(tags={TAG: request["dedupe_key"]}), ascending=True)
    if same and same[0].dagster_run.run_id != context.run_id:
        context.log.info(f"run {same[0].dagster_run.run_id} has this request")
        return ""
    context.log.info(evidence_of(request))
    return retrain(request)


@job
def driftline_retraining() -> None:
    """Train and report."""
    train_and_report()


defs = Definitions(jobs=[driftline_retraining])
