"""`driftline backtest`: a policy over the verdicts of a replay, and a second one beside it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from monitor.cli.progress import results
from monitor.config import forms
from monitor.config.load import load, load_policy
from monitor.config.schema import Config, Model
from monitor.decisions.backtest import Backtest, backtest, timeline
from monitor.decisions.decide import Policy
from monitor.decisions.stage import policy_of
from monitor.decisions.words import safe
from monitor.errors import InputError
from monitor.wording import counted, instant
from sinks.records import RECORDS
from sinks.settings import FormError

_AS_CONFIGURED: Final = "as configured"


def run_backtest(
    config_path: Path, scores: Path, *, since: str, until: str, policy: Path | None, as_json: bool
) -> None:
    """Run the configured policy, and that of a file, over a folder that `driftline replay` wrote."""
    config = load(config_path)
    since_ms, until_ms = _instant(since, "--since"), _instant(until, "--until")
    batches = _read(scores, config_path)
    runs = [backtest(_AS_CONFIGURED, _policies(config), batches, since_ms=since_ms, until_ms=until_ms)]
    if policy is not None:
        other = load_policy(policy)
        models = [
            msgspec.structs.replace(model, alerts=other.alerts, retraining=other.retraining) for model in config.models
        ]
        own = [policy_of(model) for model in models]
        runs.append(backtest(policy.name, own, batches, since_ms=since_ms, until_ms=until_ms))
    console = results()
    if as_json:
        console.print(msgspec.json.encode({"policies": runs}, order="deterministic").decode())
        return
    _show(console, runs, config_path)


def _policies(config: Config) -> list[Policy]:
    models: Sequence[Model] = config.models
    return [policy_of(model) for model in models]


def _read(scores: Path, config_path: Path) -> list[pa.RecordBatch]:
    hint = f"driftline replay {config_path} --predictions FILE --out {scores} writes it"
    batches: list[pa.RecordBatch] = []
    for name in ("drift_verdict", "window", "performance"):
        record = RECORDS.get(name)
        if record is None or not record.file:
            continue
        path = scores / record.file
        if name == "performance" and not path.exists():
            continue
        try:
            table = pq.read_table(path)
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{path} cannot be read as the Parquet file of a replay", hint=hint) from error
        missing = [field.name for field in record.fields if field.name not in table.column_names]
        if missing:
            raise InputError(f"{path} lacks {', '.join(missing)}: another release wrote it", hint=hint)
        schema = record.schema
        batches += table.select(schema.names).cast(schema).to_batches()
    return batches


def _instant(text: str, option: str) -> int | None:
    if not text:
        return None
    try:
        return forms.instant(text)
    except FormError:
        raise InputError(
            f"{option} is no time", hint=f"give a day, {option} 2026-03-01, or a time with its offset"
        ) from None


def _show(console: Console, runs: Sequence[Backtest], config_path: Path) -> None:
    lines = timeline(runs)
    if lines:
        table = Table(show_lines=False)
        table.add_column("end of window", no_wrap=True)
        for run in runs:
            table.add_column(safe(run.name), overflow="fold")
        for line in lines:
            table.add_row(instant(line.at_ms), *line.told)
        console.print(table, soft_wrap=False)
    for run in runs:
        console.print(f"{safe(run.name)}: {_summary(run)}")
    n_windows = max(run.n_windows for run in runs)
    if not n_windows:
        console.print("No window lies in that time: leave out --since and --until, or replay more data.")
    elif len(runs) == 1:
        console.print("Next: --policy FILE, with keys alerts and retraining, shows a second policy beside this one.")
    else:
        console.print(f"Next: put the keys that you prefer under the model in {config_path}.")


def _summary(run: Backtest) -> str:
    states: dict[str, int] = {}
    for alert in run.alerts:
        states[alert.state] = states.get(alert.state, 0) + 1
    statuses: dict[str, int] = {}
    for request in run.requests:
        statuses[request.status] = statuses.get(request.status, 0) + 1
    told: list[Any] = [
        f"{counted(run.n_windows, 'window')}",
        f"{counted(states.get('raised', 0), 'alert')} raised",
        f"{states.get('updated', 0):,} updates",
        f"{states.get('resolved', 0):,} resolved",
        f"{counted(statuses.get('requested', 0), 'request')} to retrain",
        f"{statuses.get('held_back', 0):,} held back",
    ]
    return ", ".join(told)
