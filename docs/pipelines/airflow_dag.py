"""Airflow 3: a DAG that the destination `airflow` starts. Put it and `training.py` into the folder of DAGs.

Driftline makes the run's id from the request's dedupe key, so that Airflow refuses a second run of one request.
"""

from airflow.sdk import dag, get_current_context, task
from training import evidence_of, retrain


@dag(dag_id="driftline_retraining", schedule=None, catchup=False, max_active_runs=1, tags=["driftline"])
def driftline_retraining() -> None:
    """Train on what the request proposes, and report."""

    @task
    def train_and_report() -> str:
        request = get_current_context()["dag_run"].conf
        print(evidence_of(request))  # noqa: T201 - the task's log
        return retrain(request)

    train_and_report()


driftline_retraining()
