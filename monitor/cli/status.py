"""`driftline status`: each role, how far it is behind, what it rejects, the last windows and what drifted."""

import re
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from monitor.cli.query import ask, asked
from monitor.cli.roles import role_addresses
from monitor.config.load import load
from monitor.config.schema import Config
from monitor.embedded.session import last_session
from monitor.errors import DriftlineError, InputError

_T = TypeVar("_T")
_WITHIN_S: Final = 2.0
_LAST: Final = """
SELECT model, version, toUnixTimestamp64Milli(max(window_end)) AS window_end_ms,
    sumIf(events, window_end = newest) AS events
FROM (SELECT *, max(window_end) OVER (PARTITION BY model, version) AS newest FROM windows_latest WHERE segment = '')
GROUP BY model, version ORDER BY model, version LIMIT 100
"""
_DRIFTED: Final = """
SELECT model, version, column, direction, quantity, before, after,
    toUnixTimestamp64Milli(window_start) AS window_start_ms,
    toUnixTimestamp64Milli(window_end) AS window_end_ms,
    effect / threshold AS strength
FROM (
    SELECT *, max(window_end) OVER (PARTITION BY model, version) AS newest
    FROM drift_verdicts_latest WHERE segment = ''
)
WHERE drifted AND window_end = newest ORDER BY strength DESC LIMIT 20
"""


class RoleStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What a role says of itself. `state`: "ready", "not ready" or "not answering"; `because`: why not ready."""

    name: str
    address: str
    state: str
    because: str = ""
    lag: int | None = None
    restarts: int = 0


class LastWindow(msgspec.Struct, frozen=True, kw_only=True):
    """The newest window of a model's version."""

    model: str
    version: str
    window_end_ms: int
    events: int


class Drifted(msgspec.Struct, frozen=True, kw_only=True):
    """A column of the whole that has drifted in the newest window."""

    model: str
    version: str
    column: str
    direction: str
    quantity: str
    before: float | None
    after: float | None
    window_start_ms: int
    window_end_ms: int
    strength: float


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """All that `driftline status` shows.

    Attributes
    ----------
    embedded: whether it is a session of `up`.
    roles: in the order of the flow.
    events: by model, since the roles started; `rejects` by model and reason.
    watermark_delay_s: by model, how far its complete time is behind the clock.
    windows, drifted: from the destination that answers statements; empty where none does.
    missing: why something of this is not known.
    """

    embedded: bool
    roles: tuple[RoleStatus, ...]
    events: dict[str, int]
    rejects: dict[str, dict[str, int]]
    watermark_delay_s: dict[str, float]
    windows: tuple[LastWindow, ...] = ()
    drifted: tuple[Drifted, ...] = ()
    missing: tuple[str, ...] = ()


def read_status(config_path: Path) -> Status:
    """Ask the roles and the results. Raises `InputError` where no role could be asked at all."""
    config = load(config_path)
    session = last_session(config)
    embedded = session is not None and session.runs
    running = load(Path(session.config)) if session is not None and embedded else config
    addresses = role_addresses(running)
    if not addresses:
        raise InputError(
            "the roles serve no metrics, by which their status is told",
            hint="set metrics.listen to an address such as 127.0.0.1:9108",
        )
    roles: list[RoleStatus] = []
    samples: list[tuple[str, Mapping[str, str], float]] = []
    for name, address in addresses.items():
        role, own = _asked_role(name, address)
        roles.append(role)
        samples += own
    missing: list[str] = []
    windows, drifted = _results(config, missing)
    return Status(
        embedded=embedded,
        roles=tuple(roles),
        events={labels["model"]: int(n) for name, labels, n in samples if name == "driftline_events_total"},
        rejects=_rejects(samples),
        watermark_delay_s={
            labels["model"]: value for name, labels, value in samples if name == "driftline_watermark_delay_seconds"
        },
        windows=windows,
        drifted=drifted,
        missing=tuple(missing),
    )


def _asked_role(name: str, address: str) -> tuple[RoleStatus, list[tuple[str, Mapping[str, str], float]]]:
    try:
        because = ""
        try:
            _get(f"http://{address}/readyz")
        except urllib.error.HTTPError as error:
            because = error.read(500).decode("utf-8", "replace").strip() or "not ready"
        text = _get(f"http://{address}/metrics").decode()
    except OSError:  # urllib's own errors are such
        return RoleStatus(name=name, address=address, state="not answering"), []
    samples: list[tuple[str, Mapping[str, str], float]] = [
        (sample.name, sample.labels, sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]
    lags = [int(value) for metric, _, value in samples if metric == "driftline_consumer_lag"]
    restarts = [int(value) for metric, _, value in samples if metric == "driftline_role_restarts_total"]
    role = RoleStatus(
        name=name,
        address=address,
        state="not ready" if because else "ready",
        because=because,
        lag=sum(lags) if lags else None,
        restarts=sum(restarts),
    )
    return role, samples


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=_WITHIN_S) as answer:  # noqa: S310 - http, and an address of ours
        body: bytes = answer.read()
        return body


def _rejects(samples: Sequence[tuple[str, Mapping[str, str], float]]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for name, labels, n in samples:
        if name == "driftline_rejects_total" and n:
            found[labels["model"]][labels["reason"]] = int(n)
    return dict(found)


def _results(config: Config, missing: list[str]) -> tuple[tuple[LastWindow, ...], tuple[Drifted, ...]]:
    try:
        with asked(config) as source:
            return (
                tuple(_decoded(ask(source, _LAST, "json"), LastWindow)),
                tuple(_decoded(ask(source, _DRIFTED, "json"), Drifted)),
            )
    except DriftlineError as error:
        missing.append(f"the last windows are not known: {error.message}")
        return (), ()


def _decoded(lines: bytes, kind: type[_T]) -> list[_T]:
    # ClickHouse writes 64-bit numbers as text, so that JavaScript loses no digit.
    return [msgspec.json.decode(line, type=kind, strict=False) for line in lines.splitlines()]


def lines_of(status: Status, now: datetime) -> list[str]:
    """The status for people."""
    head = "A session of `driftline up` runs." if status.embedded else "Roles, as metrics.listen says:"
    width = max(len(role.name) for role in status.roles)
    lines = [head]
    for role in status.roles:
        lag = "" if role.lag is None else f"  {role.lag:,} messages behind"
        restarts = f"  started again {role.restarts} times" if role.restarts else ""
        lines.append(
            f"  {role.name.ljust(width)}  {role.state}{': ' + role.because if role.because else ''}{lag}{restarts}"
        )
    for model in sorted({*status.events, *status.rejects, *status.watermark_delay_s}):
        delay = status.watermark_delay_s.get(model)
        behind = "" if delay is None else f", event time complete until {_ago(delay)} ago"
        lines.append(f"{model or 'no model'}: {status.events.get(model, 0):,} events{behind}")
        lines += [f"  {n:,} rejected: {reason}" for reason, n in sorted(status.rejects.get(model, {}).items())]
    for window in status.windows:
        end = datetime.fromtimestamp(window.window_end_ms / 1000, UTC)
        lines.append(
            f"{window.model} {window.version or 'no version'}: newest window until {end:%Y-%m-%d %H:%M} UTC, "
            f"{window.events:,} events"
        )
    for one in status.drifted:
        lines.append(f"  drifted: {_sentence(one)}")
    if status.windows and not status.drifted:
        lines.append("  nothing drifted in it")
    lines += list(status.missing)
    if any(role.state == "not answering" for role in status.roles):
        lines.append("Next: start what does not answer: driftline up CONFIG (embedded), or driftline run CONFIG")
    elif status.rejects:
        lines.append('Next: driftline query CONFIG "SELECT reason, detail, count() FROM rejects GROUP BY ALL"')
    else:
        lines.append(f"As of {now:%H:%M:%S} UTC.")
    return [
        re.sub(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", "\N{REPLACEMENT CHARACTER}", line)
        for line in lines
    ]


def _sentence(one: Drifted) -> str:
    moved = f"{one.quantity} from {_figure(one.before)} to {_figure(one.after)}"
    return f"{one.column} ({one.direction}): {moved}, {one.strength:.1f} times the smallest effect that counts"


def _figure(value: float | None) -> str:
    return "none" if value is None else f"{value:.3g}"


def _ago(delay_s: float) -> str:
    for name, seconds in (("days", 86_400.0), ("h", 3_600.0), ("min", 60.0)):
        if delay_s >= 2 * seconds:
            return f"{delay_s / seconds:.0f} {name}"
    return f"{max(delay_s, 0.0):.0f} s"


def show_status(config_path: Path, *, once: bool, as_json: bool) -> None:
    """Print the status; to a terminal again every two seconds until interrupted, unless `once`."""
    import time

    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from monitor.cli.progress import results

    status = read_status(config_path)
    if as_json:
        results().print(msgspec.json.encode(status).decode())
        return
    screen = Console()
    if once or not screen.is_terminal:
        for line in lines_of(status, datetime.now(UTC)):
            results().print(line)
        return
    with Live(console=screen, auto_refresh=False) as live:
        while True:
            live.update(Text("\n".join([*lines_of(status, datetime.now(UTC)), "Stop with Ctrl-C"])), refresh=True)
            time.sleep(2.0)
            status = read_status(config_path)
