"""Prefect 3: a flow that the destination `prefect` starts.

`python prefect_flow.py` serves it as `driftline-retraining/prod`.

Driftline sends the dedupe key as idempotency key, so that Prefect answers a repeat with the run that is there.
"""

from typing import Any

from prefect import flow, get_run_logger
from training import evidence_of, retrain


@flow(name="driftline-retraining")
def driftline_retraining(request: dict[str, Any]) -> str:
    """Train on what the request proposes, and report."""
    get_run_logger().info(evidence_of(request))
    return retrain(request)


if __name__ == "__main__":
    driftline_retraining.serve(name="prod")
