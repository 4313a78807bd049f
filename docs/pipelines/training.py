"""What the three example pipelines share: read the request, train on the proposed window, report the outcome.

Copy it beside your pipeline, and put your own training in place of `train`. It needs nothing but Python.

Environment: `DRIFTLINE_TRAINING_DATA`, a CSV with the columns `timestamp` (ms since 1970) and `label`;
`DRIFTLINE_MODELS`, a folder for what was trained; `DRIFTLINE_REPORT`, the command that reports outcomes, where it is
not `driftline retraining report driftline.yaml`.
"""

import csv
import json
import os
import shlex
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

Request = dict[str, Any]


def evidence_of(request: Request) -> str:
    """The evidence in a line, for the pipeline's log: why a new model is wanted."""
    causes = ", ".join(request.get("causes") or ()) or "age"
    return f"{request['model']} {request['version']}: {request['reason']} ({causes}); {json.dumps(request['evidence'])}"


def train(request: Request) -> str:
    """Train on the rows of the proposed window, and keep the model; returns the new version's name.

    This one learns how frequent each label is. It writes one file a request, so that to run again changes nothing.
    """
    window = request["training_window"]
    with Path(os.environ["DRIFTLINE_TRAINING_DATA"]).open(newline="") as file:
        rows = [r for r in csv.DictReader(file) if window["start_ms"] <= int(r["timestamp"]) < window["end_ms"]]
    if not rows:
        raise ValueError("no rows in the proposed window")
    shares = {label: n / len(rows) for label, n in sorted(Counter(row["label"] for row in rows).items())}
    version = f"{request['version']}+{window['end_ms']}"
    model = {"version": version, "request": request["dedupe_key"], "n_rows": len(rows), "shares": shares}
    folder = Path(os.environ["DRIFTLINE_MODELS"])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{version}.json").write_text(json.dumps(model))
    return version


def report(request: Request, status: str, version: str = "") -> None:
    """Tell Driftline how it ended: `succeeded`, with the new version, or `failed`."""
    command = shlex.split(os.environ.get("DRIFTLINE_REPORT", "driftline retraining report driftline.yaml"))
    chosen = ["--version", version] if version else []
    subprocess.run([*command, request["dedupe_key"], "--status", status, *chosen], check=True)


def retrain(request: Request) -> str:
    """All three steps. A failure is reported, and raised, so that the orchestrator shows it too."""
    if request.get("test"):  # driftline deliver --test
        return ""
    try:
        version = train(request)
    except Exception:
        report(request, "failed")
        raise
    report(request, "succeeded", version)
    return version
