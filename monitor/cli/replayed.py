"""What `driftline replay` says at its end: what drifted, how much was looked at, and what to do next."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.console import Console

from monitor.cli.account import account_object, rejects_object, show_rejects
from monitor.cli.decided import show_decisions
from monitor.config.schema import Config
from monitor.join.outcomes import (
    CORRECTED,
    DUPLICATE,
    EARLY,
    EXPIRED,
    MATCHED,
    OF_FEATURES,
    ORPHAN,
    OVERDUE,
    REPEATED,
    SUPERSEDED,
    TOO_LATE,
    UNKNOWN_MODEL,
)
from monitor.replay.account import Account
from monitor.replay.drifted import READ, DriftedColumn, drifted_columns
from monitor.replay.joining import LABELS_WAITING, PREDICTIONS_WAITING
from monitor.replay.replay import ALERTS, RETRAINING, ReplayReport
from monitor.wording import counted, figure, instant, sure
from sinks.records import RECORDS

MOST_LINES: Final = 20
_VERDICTS: Final = RECORDS["drift_verdict"].file
_SCORES: Final = RECORDS["drift_score"].file
_WINDOWS: Final = RECORDS["window"].file
_OF_LABELS: Final = {
    MATCHED: "matched",
    REPEATED: "repeated",
    CORRECTED: "corrected",
    SUPERSEDED: "superseded",
    EARLY: "before their prediction",
    OVERDUE: "later than their prediction's label_horizon",
    TOO_LATE: "when the label_horizon had passed",
    ORPHAN: "of no prediction",
    LABELS_WAITING: "whose prediction may still come",
    UNKNOWN_MODEL: "of a model without labels",
}
"""What became of labels, in words and in this order."""
_ALONE: Final = {
    DUPLICATE: "of an id that had one",
    EXPIRED: "without a label in their label_horizon",
    PREDICTIONS_WAITING: "may still get one",
}
"""Likewise of predictions."""
_BECAUSE: Final = {
    "few events": "for want of events",
    "absent": "because no event spoke of them",
    "nothing to compare with": "for want of anything to compare with",
}


def findings(config: Config, out: Path) -> list[DriftedColumn]:
    """What drifted in a replay into `out`, largest effect first."""
    sizes = {
        model.name: [(window.shape.usual_ms, str(window.size)) for window in model.windows] for model in config.models
    }
    return drifted_columns(pq.read_table(out / _VERDICTS, columns=list(READ)), sizes)


def as_object(
    account: Account,
    unread: Sequence[str],
    report: ReplayReport,
    found: Sequence[DriftedColumn],
    joined: Mapping[tuple[str, str], int],
    out: Path,
) -> str:
    """The end of a replay as one JSON object, for machines. Times are milliseconds since 1970 UTC.

    `findings` are those of the table, all of them; `alerts` and `retraining` the CloudEvents of `docs/schemas`.
    """
    labels: dict[str, dict[str, int]] = {}
    for (model, outcome), n in joined.items():
        labels.setdefault(model, {})[outcome] = n
    said = {
        **account_object(account, unread),
        "events": {
            "read": report.n_events,
            "counted": report.n_counted,
            "rejected": report.n_rejected,
            "late": report.n_late_dropped,
            "in_open_windows": report.n_open,
            "recomputed": report.n_recomputed,
            "first_ms": account.first_ms,
            "last_ms": account.last_ms,
        },
        "windows": report.windows,
        "verdicts": report.n_verdicts,
        "drifted": report.n_drifted,
        "not_scored": _reasons(out / _WINDOWS),
        "findings": found,
        "alerts": _lines(out / ALERTS),
        "retraining": _lines(out / RETRAINING),
        "joined": labels,
        "labels_rejected": report.label_rejects.total(),
        "label_rejects": rejects_object(report.label_rejects, report.label_examples),
        "out": str(out),
    }
    return msgspec.json.encode(said).decode()


def _lines(path: Path) -> list[msgspec.Raw]:
    return [msgspec.Raw(line) for line in path.read_bytes().splitlines()] if path.exists() else []


def show_replayed(
    console: Console,
    config_path: Path,
    report: ReplayReport,
    found: Sequence[DriftedColumn],
    out: Path,
    *,
    closed: bool,
) -> None:
    """Print the end of a replay into `out`; `closed`: windows that are not over were scored too."""
    show_drifted(console, found, out)
    show_decisions(console, report.alerts, report.requests)
    console.print(
        f"{counted(report.n_events, 'event')}: {_accounted(report)}; "
        f"{counted(report.windows, 'window')} scored, {report.n_drifted:,} of {counted(report.n_verdicts, 'verdict')} "
        f"drifted{_not_scored(out / _WINDOWS)}."
    )
    if not closed:
        console.print(
            "windows that are not over at the end of the file are left open; --close scores them", style="dim"
        )
    console.print(
        f"written: {out}/{', '.join(record.file for record in RECORDS.values() if record.file)}, rejects.jsonl, "
        f"{ALERTS}, {RETRAINING}"
    )
    console.print(_next(report, found, config_path))


def _accounted(report: ReplayReport) -> str:
    """What became of the events, so that the figures add up."""
    parts = [
        f"{report.n_counted:,} counted",
        f"{report.n_rejected:,} rejected",
        f"{report.n_late_dropped:,} too late",
        *([f"{report.n_open:,} in windows that are not over"] if report.n_open else []),
        *([f"{report.n_recomputed:,} with features computed again"] if report.n_recomputed else []),
    ]
    return ", ".join(parts)


def show_joined(
    console: Console, counts: Mapping[tuple[str, str], int], report: ReplayReport, rejects_file: str
) -> None:
    """Print what became of the labels of a replay, and of features that were compared."""
    for model in sorted({name for name, _ in counts}):
        own = {what: n for (name, what), n in counts.items() if name == model and n}
        told = [
            [f"{own[what]:,} {words}" for what, words in _OF_LABELS.items() if what in own],
            [f"{counted(own[what], 'prediction')} {words}" for what, words in _ALONE.items() if what in own],
        ]
        of_labels = [", ".join(one) for one in told if one]
        of_features = [f"{n:,} {what.replace('_', ' ')}" for what, n in own.items() if what in OF_FEATURES.values()]
        if of_labels:
            console.print(f"labels of {model}: {'; '.join(of_labels)}")
        if not own.get(MATCHED) and (own.get(ORPHAN) or own.get(LABELS_WAITING)):
            console.print(
                "  no label has the id of a prediction: label_mapping.id says where a label has its prediction's id, "
                "mapping.prediction_id where the prediction has it"
            )
        if of_features:
            console.print(f"features of {model}: {', '.join(of_features)}")
    if report.label_rejects:
        console.print(f"{counted(report.label_rejects.total(), 'label')} rejected:")
        show_rejects(console, report.label_rejects, report.label_examples, rejects_file)


def show_drifted(console: Console, found: Sequence[DriftedColumn], out: Path) -> None:
    """Print what drifted, a line a column; nothing where nothing did."""
    if not found:
        return
    console.print("What drifted, largest effect first (q: the share of false ones among verdicts as sure as that):")
    told = [name for name in ("model", "version", "compare") if len({getattr(one, name) for one in found}) > 1]
    rows = [
        (
            *((_beside(one) if name == "compare" else getattr(one, name)) or "no version" for name in told),
            one.column,
            _where(one),
            _when(one),
            _what(one),
            f"{one.method} {one.effect:.3g}" + (f", threshold {one.threshold:.3g}" if one.threshold else ""),
            sure(one.q_value),
        )
        for one in found[:MOST_LINES]
    ]
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    for row in rows:
        console.print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    if len(found) > MOST_LINES:
        console.print(f"  and {len(found) - MOST_LINES:,} more: {out / _VERDICTS}")


def _beside(one: DriftedColumn) -> str:
    """What the windows were compared with, in words."""
    first, _, rest = one.compare.partition(" ")
    return {
        "pinned": "beside the reference",
        "trailing": f"beside the {rest} before",
        "season": f"beside the same {rest.replace('_', ' ')}",
        "version": f"beside version {rest}",
        "recomputed": "computed again",
        "sequential": "in the order of labels",
    }.get(first, one.compare)


def _where(one: DriftedColumn) -> str:
    place = one.segment or "all rows"
    if not one.n_other_segments:
        return place
    if one.most_in:
        return f"{place}, most in {one.most_in}" + (
            f" of {counted(one.n_other_segments, 'segment')}" if one.n_other_segments > 1 else ""
        )
    return f"{place} and {counted(one.n_other_segments, 'segment')}"


def _when(one: DriftedColumn) -> str:
    windows = f"{counted(one.n_windows, 'window')} of {one.size}"
    first = instant(one.first_ms)
    return f"since {first}, {windows}" if one.lasts else f"{first} to {instant(one.end_ms)}, {windows}"


def _what(one: DriftedColumn) -> str:
    before, after = (figure(one.quantity, value) for value in (one.before, one.after))
    return f"{one.quantity} {before} -> {after} ({one.direction})"


def _not_scored(path: Path) -> str:
    """How many columns, a segment and window each, had no verdict, and why."""
    parts = [f"{n:,} {_BECAUSE[reason]}" for reason, n in _reasons(path).items()]
    return f"; columns of segments not scored: {', '.join(parts)}" if parts else ""


def _reasons(path: Path) -> dict[str, int]:
    """Columns, a segment and window each, that had no verdict, by the reason."""
    table = pq.read_table(path, columns=["columns_not_scored", "reason"])
    reasons = table["reason"].cast(pa.string())
    found = {}
    for reason in _BECAUSE:
        n = pc.sum(table["columns_not_scored"].filter(pc.equal(reasons, pa.scalar(reason)))).as_py() or 0
        if n:
            found[reason] = n
    return found


def _next(report: ReplayReport, found: Sequence[DriftedColumn], config_path: Path) -> str:
    if not report.windows:
        return "No window was scored."
    if not found:
        return f"Nothing drifted. Next: driftline up {config_path} watches a stream with this configuration."
    return (
        f"Next: {_SCORES} has the evidence by method. Where a change is meant to stay, build the reference from data "
        f"that has it: driftline reference build {config_path} --data FILE"
    )
