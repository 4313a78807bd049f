"""What a command says of the rows it has read: of which time, what was refused and why, what was left out."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from rich.console import Console

from monitor.events.batch import Rejected
from monitor.replay.account import Account
from monitor.wording import counted, listed

_RAW: int = 100
"""Characters of an example."""


def show_account(console: Console, account: Account, unread: Sequence[str], rejects_file: str) -> None:
    """Print it, a line a fact; nothing where nothing is amiss but the time range."""
    if account.first_ms is not None and account.last_ms is not None:
        span = time_range(account.first_ms, account.last_ms)
        console.print(f"read {counted(account.n_events, 'event')}; those counted are of {span}")
    show_rejects(console, account.rejects, account.examples, rejects_file)
    for note in account.notes:
        console.print(note)
    several = len({model for model, _, _ in account.empty_columns()}) > 1
    empty = [
        f"{f'{model}: ' if several else ''}{name}{f' ({n:,} invalid)' if n else ''}"
        for model, name, n in account.empty_columns()
    ]
    if empty:
        console.print(f"{counted(len(empty), 'column')} without a single value: {listed(empty)}")
    if unread:
        names = [name or "a column without a name" for name in unread]
        console.print(f"left out, for the reference does not have {_them(unread)}: {listed(names)}")


def show_rejects(
    console: Console, rejects: Mapping[str, int], examples: Mapping[str, Rejected], rejects_file: str = ""
) -> None:
    """Two lines a reason, the most frequent first; where all of them can be seen, if anywhere."""
    for reason, n in sorted(rejects.items(), key=lambda pair: -pair[1]):
        console.print(f"{n:,} rejected ({reason}): {examples[reason].detail}")
        where = f"; all of them: {rejects_file}" if rejects_file else ""
        console.print(f"  such as {_shown(examples[reason].raw)}{where}", style="dim")


def rejects_object(rejects: Mapping[str, int], examples: Mapping[str, Rejected]) -> dict[str, object]:
    """The same for machines."""
    most = sorted(rejects.items(), key=lambda pair: -pair[1])
    return {reason: {"n": n, "example": examples[reason].detail} for reason, n in most}


def account_object(account: Account, unread: Sequence[str]) -> dict[str, object]:
    """The same for machines. Times are milliseconds since 1970 UTC."""
    return {
        "rejects": rejects_object(account.rejects, account.examples),
        "notes": list(account.notes),
        "columns_without_a_value": [
            {"model": model, "column": column, "invalid": n} for model, column, n in account.empty_columns()
        ],
        "columns_left_out": list(unread),
        "events": {
            "read": account.n_events,
            "counted": account.n_counted,
            "rejected": account.rejects.total(),
            "first_ms": account.first_ms,
            "last_ms": account.last_ms,
        },
    }


def time_range(first_ms: int, last_ms: int) -> str:
    """In UTC, to the second."""
    first, last = (datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S") for ms in (first_ms, last_ms))
    return f"{first} to {last} UTC"


def _shown(raw: bytes) -> str:
    text = " ".join(raw[: 4 * _RAW].decode("utf-8", "backslashreplace").split())
    return f"{text[:_RAW]}..." if len(text) > _RAW else text


def _them(names: Sequence[str]) -> str:
    return "it" if len(names) == 1 else "them"
