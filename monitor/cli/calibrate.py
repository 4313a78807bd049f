"""`driftline calibrate`: what the alert policy does on a quiet period, and which shifts it would find."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from monitor.cli.account import show_rejects
from monitor.cli.progress import bar, results
from monitor.cli.reference import chosen_model
from monitor.config.load import load
from monitor.decisions.calibration import (
    FEWEST_BLOCKS,
    Blocks,
    FalseAlarms,
    Found,
    blocks_of,
    budget_a_month,
    calibrated,
    delays,
)
from monitor.decisions.gather import closed_windows
from monitor.decisions.moved import ClosedWindow
from monitor.decisions.tiling import tiling
from monitor.errors import InputError, NothingScored
from monitor.wording import counted, instant

if TYPE_CHECKING:
    from monitor.config.schema import Config, Model
    from monitor.decisions.policy import Policy
    from monitor.events.batch import Batch
    from monitor.events.models import ModelSpec
    from monitor.reference.opened import References
    from monitor.replay.account import Account
    from monitor.replay.shifts import Shift

MOST_BYTES: Final = 512 * 1024 * 1024
"""Of rows that are held for the shifts: those of the period's beginning."""
_DAY_MS: Final = 86_400_000
_FEW_DAYS: Final = 28


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """All that the command says of one model; durations in milliseconds.

    Attributes
    ----------
    start_ms, end_ms, n_windows: the period that was resampled.
    block, n_blocks: what was drawn.
    budget: false alarms in 30 days that are allowed.
    as_is, corrected: as configured, and with the factor that keeps the budget; null where none does.
    shifts: by description what was found.
    rejected: rows that could not be counted, by reason.
    """

    model: str
    version: str
    start_ms: int
    end_ms: int
    n_windows: int
    window_ms: int
    block: str
    n_blocks: int
    budget: float
    as_is: FalseAlarms
    corrected: FalseAlarms | None
    shifts: dict[str, Found]
    rejected: dict[str, int]


def calibrate(config_path: Path, data: Path, *, model_name: str, seed: int, months: int, as_json: bool) -> None:
    """Replay quiet data, resample its windows, and say what the policy gives.

    Raises
    ------
    NothingScored: no window of the data could be scored.
    InputError: too few windows to draw from.
    """
    from monitor.models import policy_with
    from monitor.reference.opened import open_references

    config = load(config_path)
    model = _narrowed(chosen_model(config, model_name))
    config = msgspec.structs.replace(config, models=(model,))
    references = open_references(config)
    with bar(f"replaying {data.name}") as show:
        windows, held, account = _replayed(config, references, data, show)
    if not as_json:
        show_rejects(results(), account.rejects, account.examples)
        for note in account.notes:
            results().print(note)
    policy = policy_with(model, references[model.name])
    version, own = _of_one_version(windows)
    if not own:
        raise NothingScored(f"no window of {data} could be scored", hint="driftline check --data FILE says why")
    pane_ms = policy.tiling.pane_ms
    blocks = blocks_of(own, pane_ms)
    if len(blocks.parts) < FEWEST_BLOCKS:
        raise InputError(
            f"{data} has {counted(blocks.n_windows, 'scored window')}: too few to resample",
            hint="give at least four days of hourly windows, or four windows; four weeks show weekends, too",
        )
    n_sets = max(months // 3, 5)
    tried: list[FalseAlarms] = []
    with bar("running the policy over resampled months") as show:

        def count(one: FalseAlarms) -> None:
            tried.append(one)
            show(min(len(tried) / 5, 0.9))

        as_is, corrected = calibrated(policy, blocks, seed=seed, n_sets=n_sets, n_months=3, tried=count)
    found = _shifts(config, references, held, policy, blocks, corrected or as_is, seed)
    result = Calibration(
        model=model.name,
        version=version,
        start_ms=min(one.start_ms for one in own),
        end_ms=max(one.end_ms for one in own),
        n_windows=blocks.n_windows,
        window_ms=pane_ms,
        block=blocks.name,
        n_blocks=len(blocks.parts),
        budget=budget_a_month(policy),
        as_is=as_is,
        corrected=corrected,
        shifts=found,
        rejected=dict(account.rejects),
    )
    if as_json:
        results().print(msgspec.json.encode(result, order="deterministic").decode())
        return
    show_calibration(results(), result, config_path, seasonal=any(one.season for one in model.compare))


def _narrowed(model: "Model") -> "Model":
    """The model with the windows and the comparison alone that decisions look at."""
    shapes = [window.shape for window in model.windows]
    tiles = tiling(shapes)
    windows = tuple(window for window in model.windows if window.shape == tiles.shape)[:1]
    return msgspec.structs.replace(model, windows=windows, compare=model.compare[:1], label_horizon_ms=None)


def _replayed(
    config: "Config", references: "References", data: Path, show: Callable[[float], None]
) -> "tuple[list[ClosedWindow], list[Batch], Account]":
    """The data's windows, the rows of its beginning in the order of time, and what became of all rows."""
    import tempfile
    import time

    from monitor import models
    from monitor.files.read import iter_decoded
    from monitor.replay.account import Account
    from monitor.replay.order import OutOfOrder, by_time, in_order

    specs, now_ms = models.model_specs(config, references), int(time.time() * 1000)
    lateness_ms = {model.name: model.lateness_ms for model in config.models}

    def attempt(folder: Path | None) -> "tuple[list[ClosedWindow], list[Batch], Account]":
        windows, held, n_bytes = _Windows(config, references), [], 0
        account = Account({spec.name: spec.layout for spec in specs})

        def parts() -> Any:
            for part in iter_decoded(data, specs, now_ms, limits=models.limits(config.kafka)):
                account.take(part.decoded)
                account.notes.update(dict.fromkeys(part.notes))
                yield part.decoded
                show(part.fraction)

        for decoded in in_order(parts(), lateness_ms) if folder is None else by_time(parts(), folder):
            windows.feed(decoded.batches, decoded.complete_ms)
            for batch in decoded.batches:
                if n_bytes <= MOST_BYTES:
                    n_bytes += batch.numeric.nbytes + batch.codes.nbytes + 64 * batch.n
                    held.append(batch)
        return windows.finish(), held, account

    try:
        return attempt(None)
    except OutOfOrder:
        with tempfile.TemporaryDirectory(prefix="driftline-") as name:
            return attempt(Path(name))


class _Windows:
    """Batches in, what decisions read of their windows out."""

    def __init__(self, config: "Config", references: "References") -> None:
        from monitor import models
        from monitor.replay.replay import Replay

        (model,) = config.models
        self._policy = models.policy_with(model, references[model.name])
        self._replay = Replay(
            models.watched(config, references), {name: found.current for name, found in references.items()}
        )
        self._found: list[ClosedWindow] = []

    def feed(self, batches: "Sequence[Batch]", complete_ms: int | None) -> None:
        if batches or complete_ms is not None:
            self._take(self._replay.feed(batches, complete_ms))

    def finish(self) -> list[ClosedWindow]:
        self._take(self._replay.finish())
        return self._found

    def _take(self, batches: Any) -> None:
        policy = self._policy
        self._found += closed_windows(
            batches, model=policy.model, tiling=policy.tiling, compare=policy.compare, alpha=policy.alpha,
            hysteresis=policy.alerts.hysteresis,
        )  # fmt: skip


def _of_one_version(windows: Sequence[ClosedWindow]) -> tuple[str, list[ClosedWindow]]:
    """The version with the most windows: of two at once each would be resampled with the other's gaps."""
    counts: dict[tuple[str, str], int] = {}
    for one in windows:
        if one.n_whole or one.n_segments:
            key = (one.version, one.reference)
            counts[key] = counts.get(key, 0) + 1
    best = max(counts, key=lambda key: (counts[key], key), default=("", ""))
    return best[0], [one for one in windows if (one.version, one.reference) == best and (one.n_whole or one.n_segments)]


def _shifts(
    config: "Config",
    references: "References",
    held: "Sequence[Batch]",
    policy: "Policy",
    quiet: Blocks,
    best: FalseAlarms,
    seed: int,
) -> dict[str, Found]:
    from monitor import models
    from monitor.decisions.calibration import with_factor
    from monitor.replay.shifts import known_shifts

    (spec,) = models.model_specs(config, references)
    reference = references[spec.name].current
    shifts = known_shifts(reference, policy.settings_on(reference.digest).importance)
    policy = with_factor(policy, best.factor)
    found = {}
    with bar("injecting known shifts") as show:
        for number, shift in enumerate(shifts):
            windows = _of_one_version(_with_shift(config, references, held, spec, shift, seed + number))[1]
            blocks = blocks_of(windows, policy.tiling.pane_ms, quiet.length_ms)
            if blocks.parts:
                found[shift.said] = delays(policy, quiet, blocks, shift.column, seed=seed)
            show((number + 1) / len(shifts))
    return found


def _with_shift(
    config: "Config",
    references: "References",
    held: "Sequence[Batch]",
    spec: "ModelSpec",
    shift: "Shift",
    seed: int,
) -> list[ClosedWindow]:
    from monitor.replay.shifts import shifted

    windows, rng = _Windows(config, references), np.random.default_rng(seed)
    for batch in held:
        windows.feed([shifted(batch, spec.layout, shift, spec.dimensions, rng)], None)
    return windows.finish()


def show_calibration(console: Console, result: Calibration, config_path: Path, *, seasonal: bool) -> None:
    """Print what was found, and what to write into the configuration."""
    days = (result.end_ms - result.start_ms) / _DAY_MS
    console.print(
        f"{result.model}: {counted(result.n_windows, 'window')}, {instant(result.start_ms)} to "
        f"{instant(result.end_ms)}; {result.as_is.n_months} months of 30 days drawn from "
        f"{counted(result.n_blocks, result.block)}."
    )
    if days < _FEW_DAYS:
        console.print(f"The period has {days:.0f} days: what comes once a month cannot be seen in it.")
    table = Table(title="False alarms", title_justify="left")
    for heading in ("policy", "in 30 days", "90 % interval", "causes"):
        table.add_column(heading, overflow="fold")
    _alarms_row(table, "as configured", result.as_is)
    if result.corrected is not None and result.corrected is not result.as_is:
        _alarms_row(table, f"calibration: {result.corrected.factor:g}", result.corrected)
    console.print(table, soft_wrap=False)
    if result.as_is.columns:
        first = ", ".join(f"{name} ({n:,})" for name, n in list(result.as_is.columns.items())[:3])
        console.print(f"They began with: {first}.")
    _show_shifts(console, result)
    console.print(_next(result, config_path, seasonal=seasonal))


def _alarms_row(table: Table, name: str, one: FalseAlarms) -> None:
    causes = ", ".join(f"{cause} {n:,}" for cause, n in one.causes.items()) or "none"
    table.add_row(name, f"{one.per_month:.2f}", f"{one.low:.2f} to {one.high:.2f}", causes)


def _show_shifts(console: Console, result: Calibration) -> None:
    if not result.shifts:
        console.print("No feature varies: no shift could be tried.")
        return
    table = Table(title="What would be found within 30 days", title_justify="left")
    for heading in ("shift", "found", "half within", "90 % within"):
        table.add_column(heading, overflow="fold")
    for name, found in result.shifts.items():
        half, most = (found.within(share) for share in (0.5, 0.9))
        table.add_row(name, f"{found.n_found} of {found.n}", _windows(half), _windows(most))
    console.print(table, soft_wrap=False)


def _windows(n: int | None) -> str:
    return "-" if n is None else counted(n, "window")


def _next(result: Calibration, config_path: Path, *, seasonal: bool) -> str:
    where = f"under the model {result.model} in {config_path}"
    if result.corrected is result.as_is:
        return f"Nothing to write: the budget of {result.budget:g} in 30 days is kept as it is."
    if result.corrected is not None:
        return f"Write {where}: alerts: {{calibration: {result.corrected.factor:g}}}"
    if not seasonal and result.window_ms < 7 * _DAY_MS:
        return (
            "No level keeps the budget: these windows drift again and again. If they follow the day and the week, "
            f"write {where}: compare: [{{season: hour_of_week}}], build the reference from four weeks or more, and "
            "calibrate again; else the data is not quiet."
        )
    return (
        "No level keeps the budget: the data is not quiet, or the reference is not like it. Build the reference from "
        f"such data and calibrate again, or raise thresholds {where}: drift: [{{method: ..., threshold: ...}}]"
    )
