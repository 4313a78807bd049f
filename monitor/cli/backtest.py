"""`driftline backtest`: a policy over the verdicts of a replay, and a second one beside it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.table import Table

from detectors.reference import Reference
from monitor.cli.progress import results
from monitor.cli.query import asked
from monitor.cli.stored import from_destination, from_folder, instant_of
from monitor.config.load import load, load_policy
from monitor.config.schema import Model
from monitor.decisions.backtest import Backtest, backtest, timeline
from monitor.decisions.policy import Policy
from monitor.decisions.words import safe
from monitor.models import policy_with
from monitor.process.logs import configure_logging
from monitor.reference.opened import references_there
from monitor.wording import counted, instant

_AS_CONFIGURED: Final = "as configured"
_DATABASE: Final = "clickhouse"
_ALL_DAYS: Final = 36_500


def run_backtest(config_path: Path, scores: str, *, since: str, until: str, policy: Path | None, as_json: bool) -> None:
    """Run the configured policy, and that of a file, over a folder that `driftline replay` wrote, or over what the
    database holds: `clickhouse`."""
    configure_logging("backtest")
    config = load(config_path)
    since_ms, until_ms = instant_of(since, "--since"), instant_of(until, "--until")
    names = ("drift_verdict", "window", "performance")
    if scores == _DATABASE:
        with asked(config) as source:
            batches = [
                batch
                for model in config.models
                for batch in from_destination(source, names, model.name, since_ms, _ALL_DAYS)
            ]
    else:
        batches = from_folder(Path(scores), names, config_path, optional=("performance",))
    references = references_there(config.models)
    configured = _policies(config.models, references)
    runs = [backtest(_AS_CONFIGURED, configured, batches, since_ms=since_ms, until_ms=until_ms)]
    if policy is not None:
        other = load_policy(policy)
        models = [
            msgspec.structs.replace(model, alerts=other.alerts, retraining=other.retraining) for model in config.models
        ]
        runs.append(backtest(policy.name, _policies(models, references), batches, since_ms=since_ms, until_ms=until_ms))
    console = results()
    if as_json:
        console.print(msgspec.json.encode({"policies": runs}, order="deterministic").decode())
        return
    _show(console, runs, config_path)


def _policies(models: Sequence[Model], references: Mapping[str, Mapping[str, Reference]]) -> list[Policy]:
    return [policy_with(model, references[model.name]) for model in models]


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
