"""`driftline diagnose`: why a metric dropped, from the folder of a replay or from a destination."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console
from rich.text import Text

from monitor.cli.progress import results
from monitor.cli.reference import chosen_model
from monitor.cli.stored import from_destination, from_folder, instant_of, quoted
from monitor.config.load import load
from monitor.decisions.diagnosis import Diagnosis, Stored, diagnose
from monitor.decisions.gather import closed_windows, of_record
from monitor.decisions.moved import ClosedWindow
from monitor.decisions.performance_found import MeasuredMetric, Part
from monitor.decisions.policy import Policy
from monitor.decisions.words import safe
from monitor.errors import InputError
from monitor.events.reasons import Reason
from monitor.models import policy_with
from monitor.process.logs import configure_logging
from monitor.reference.opened import references_there
from monitor.wording import counted, instant

if TYPE_CHECKING:
    from sinks.destination import Queryable

DAYS: Final = 30
"""That are asked about where nothing is said."""
_BEFORE_MS: Final = 30 * 86_400_000
"""Read before the time asked about: what the policy has to know of it."""
_NAMES: Final = ("drift_verdict", "window", "performance", "performance_part")
_ANSWERS: Final = {"yes": "yes", "no": "no", "unknown": "not known"}


def run_diagnosis(
    config_path: Path, model_name: str, *, since: str, scores: Path | None, destination: str, as_json: bool
) -> None:
    """Print the answers for one model.

    Raises
    ------
    InputError: nothing is stored of the model in that time.
    """
    configure_logging("diagnose")
    config = load(config_path)
    model = chosen_model(config, model_name)
    since_ms, alone = instant_of(since, "--since"), len(config.models) == 1
    policy = policy_with(model, references_there([model])[model.name])
    if scores is not None:
        batches = from_folder(scores, _NAMES, config_path, optional=("performance", "performance_part"))
        rejects = _rejects(_rejects_in(scores / "rejects.jsonl"), model.name, alone=alone)
        found = diagnose(policy, _stored(policy, batches, rejects), since_ms)
    else:
        from monitor.cli.query import asked

        with asked(config, destination) as source:
            first_ms = None if since_ms is None else max(since_ms - _BEFORE_MS, 0)
            batches = from_destination(source, _NAMES, model.name, first_ms, DAYS)
            rejects = _rejects(_rejects_of(source, model.name, since_ms), model.name, alone=alone)
        found = diagnose(policy, _stored(policy, batches, rejects), since_ms)
    if not found.n_windows:
        hint = (
            "leave out --since, or give an earlier one"
            if since
            else "is the model's name right, and has a window closed?"
        )
        raise InputError(f"no window of {model.name} is stored in that time", hint=hint)
    console = results()
    if as_json:
        console.print(msgspec.json.encode(found, order="deterministic").decode())
        return
    show_diagnosis(console, found)


def show_diagnosis(console: Console, found: Diagnosis) -> None:
    """A question a paragraph, and what to do at the end."""
    console.print(
        f"{safe(found.model)}: {counted(found.n_windows, 'window')} from {instant(found.start_ms)} to "
        f"{instant(found.end_ms)}, {counted(found.n_events, 'event')}"
    )
    for number, step in enumerate(found.steps, 1):
        since = f", since {instant(step.since_ms)}" if step.since_ms is not None else ""
        console.print(f"{number}. {step.question} {_ANSWERS[step.answer]}{since}")
        for sentence in step.sentences:
            console.print(Text(f"   {sentence}"), soft_wrap=True)
    console.print(Text(f"What to do: {found.action}. {found.because}"), soft_wrap=True)


def _stored(policy: Policy, batches: Sequence[pa.RecordBatch], rejects: Mapping[str, int]) -> Stored:
    def windows(compare: str) -> list[ClosedWindow]:
        return closed_windows(
            batches, model=policy.model, tiling=policy.tiling, compare=compare, alpha=policy.alpha,
            hysteresis=policy.alerts.hysteresis,
        )  # fmt: skip

    compares: set[str] = set()
    for batch in of_record(batches, "drift_verdict"):
        names: list[Any] = batch["compare"].unique().to_pylist()
        compares.update(names)
    seasons = [name for name in sorted(compares) if name.startswith("season ") and name != policy.compare]
    return Stored(
        windows=windows(policy.compare),
        seasonal=windows(seasons[0]) if seasons else (),
        measured=[
            msgspec.convert(_fields(row, _MEASURED), MeasuredMetric) for row in _rows(batches, "performance", policy)
        ],
        parts=[
            msgspec.convert(_fields(row, _PART), Part)
            for row in _rows(batches, "performance_part", policy)
            if row["part"] in ("inputs", "relation")
        ],
        rejects=rejects,
    )  # fmt: skip


_FIGURES: Final = (
    "value", "ci_low", "ci_high", "reference_value", "spread_low", "spread_high", "contribution",
)  # fmt: skip
_MEASURED: Final = ("metric", "n_labelled", "n", "estimated", *_FIGURES[:6])
_PART: Final = ("part", "n_now", "contribution", "ci_low", "ci_high")


def _fields(row: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Of the window and of these names; a figure that is none is NaN."""
    own = {name: math.nan if name in _FIGURES and row[name] is None else row[name] for name in names}
    return {"start_ms": row["window_start_ms"], "end_ms": row["window_end_ms"], **own}


def _rows(batches: Iterable[pa.RecordBatch], record: str, policy: Policy) -> Iterable[dict[str, Any]]:
    """Of the whole of the model, in the policy's windows."""
    for batch in of_record(batches, record):
        own = batch.filter(
            pc.and_(pc.equal(batch["model"], pa.scalar(policy.model)), pc.equal(batch["segment"], pa.scalar("")))
        )
        for row in own.to_pylist():
            if policy.tiling.holds(row["window_start_ms"], row["window_end_ms"]):
                yield row


_Rejects = Iterable[tuple[str, str, int]]
"""Model, reason, how many."""


def _rejects(found: _Rejects, model: str, *, alone: bool) -> dict[str, int]:
    """By reason, those of a model. Of several, those that name none may be its own, and say so; those that name a model
    that is not configured are not."""
    counts = Counter[str]()
    for name, reason, n in found:
        if name == model or (alone and not name):
            counts[reason] += n
        elif not name and reason != Reason.UNKNOWN_MODEL:
            counts[f"{reason} (of no model)"] += n
    return dict(counts)


def _rejects_in(path: Path) -> _Rejects:
    if path.exists():
        with path.open("rb") as lines:
            for line in lines:
                row = msgspec.json.decode(line)
                yield row["model"], row["reason"], 1


def _rejects_of(source: "Queryable", model: str, since_ms: int | None) -> _Rejects:
    from monitor.cli.query import ask

    since = (
        f"fromUnixTimestamp64Milli(toInt64({since_ms}))" if since_ms is not None else f"now() - toIntervalDay({DAYS})"
    )
    where = f"model IN ('', {quoted(model)}) AND time > {since}"
    statement = f"SELECT model, reason, count() AS n FROM rejects_latest WHERE {where} GROUP BY model, reason"  # noqa: S608 - quoted
    rows = [msgspec.json.decode(line) for line in ask(source, statement, "json").splitlines() if line.strip()]
    return [(row["model"], row["reason"], int(row["n"])) for row in rows]
