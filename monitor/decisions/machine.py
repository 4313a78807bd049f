"""Raised, updated, resolved: from findings to what is told. Pure.

There is at most one open alert a cause. It is raised where the finding says so, it is not cooling down, and something
of it is not silenced; told again where a column that was not named joins, where it becomes critical, or where late data
changed it; resolved once nothing is found any more.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from monitor.config.decisions import AlertSettings, Cause
from monitor.decisions.alert import MOST_COLUMNS, Alert, Evidence
from monitor.decisions.cause import CAUSES
from monitor.decisions.finding import Finding
from monitor.decisions.words import recommendation, summary

MOST_NAMED: Final = 10
"""Columns at the head of the list of which a new one is news."""
LONGEST_MS: Final = 2**62
"""146 million years: no more is told of how seldom unchanged data give as much. State and messages have 64 bits."""


class OpenAlert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert that is not resolved.

    Attributes
    ----------
    alert: as it was told last.
    raised_ms, told_ms: when it was raised, and told last.
    named: columns that were told.
    """

    alert: Alert
    raised_ms: int
    told_ms: int
    named: tuple[str, ...]


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Which alerts of a model are open, in the order of `CAUSES`, and what is known of those that are not.

    Attributes
    ----------
    resolved_ms: by cause, when its last alert was resolved.
    raised: by cause, when its last alert was raised, and how many before it at that same moment: late events may take
        an alert back, and bring it again.
    """

    opened: tuple[OpenAlert, ...] = ()
    resolved_ms: dict[str, int] = {}
    raised: dict[str, tuple[int, int]] = {}

    def open_causes(self) -> frozenset[Cause]:
        """Of the open ones."""
        return frozenset(one.alert.cause for one in self.opened)


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """When a decision is taken, and over what.

    Attributes
    ----------
    model, compare: whose windows, compared with what.
    start_ms, end_ms: the last window.
    pane_ms: its usual length.
    revised: whether late events changed windows before it.
    succeeded: by version and reference that another has taken over from, the version that has.
    """

    model: str
    compare: str
    start_ms: int
    end_ms: int
    pane_ms: int
    revised: bool = False
    succeeded: Mapping[tuple[str, str], str] = {}


def step(
    machine: Machine,
    found: Mapping[Cause, Finding],
    settings: AlertSettings,
    moment: Moment,
    acknowledged_by: Callable[[str], str | None] = lambda _key: None,
) -> tuple[Machine, list[Alert]]:
    """The machine after a moment, and what is told, in the order of `CAUSES`."""
    opened = {one.alert.cause: one for one in machine.opened}
    resolved_ms, raised = dict(machine.resolved_ms), dict(machine.raised)
    told: list[Alert] = []
    for cause in CAUSES:
        finding, current = found.get(cause), opened.get(cause)
        if current is None:
            if finding is not None and _may_raise(finding, resolved_ms.get(cause), settings, moment):
                at_ms, n = raised.get(cause, (-1, 0))
                raised[cause] = (moment.end_ms, n + 1 if at_ms == moment.end_ms else 0)
                opened[cause] = _raise(finding, settings, moment, raised[cause][1])
                told.append(opened[cause].alert)
        elif finding is None:
            told.append(_resolve(current, moment))
            del opened[cause]
            resolved_ms[cause] = moment.end_ms
        else:
            by = acknowledged_by(current.alert.dedupe_key) or ""
            updated = _update(current, finding, settings, moment, by)
            if updated is not current:
                opened[cause] = updated
                told.append(updated.alert)
    after = tuple(opened[cause] for cause in CAUSES if cause in opened)
    return Machine(opened=after, resolved_ms=resolved_ms, raised=raised), told


def _may_raise(finding: Finding, resolved_ms: int | None, settings: AlertSettings, moment: Moment) -> bool:
    cooling = resolved_ms is not None and moment.end_ms - resolved_ms < settings.cooldown_ms
    return finding.raises and (not cooling or finding.severity == "critical")


def _raise(finding: Finding, settings: AlertSettings, moment: Moment, n_before: int) -> OpenAlert:
    key = dedupe_key(moment.model, finding.cause, moment.end_ms, *([n_before] if n_before else []))
    alert = _alert(finding, settings, moment, key)
    return OpenAlert(alert=alert, raised_ms=moment.end_ms, told_ms=moment.end_ms, named=tuple(sorted(_named(finding))))


def _update(current: OpenAlert, finding: Finding, settings: AlertSettings, moment: Moment, by: str) -> OpenAlert:
    before = current.alert
    worse = finding.severity == "critical" and before.severity != "critical"
    new = _named(finding) - set(current.named)
    due = moment.end_ms - current.told_ms >= settings.update_every_ms
    changed = moment.revised and {(one.segment, one.column) for one in finding.columns[:MOST_COLUMNS]} != {
        (one.segment, one.column) for one in before.columns
    }
    if not (worse or (not by and ((new and due) or changed))):
        return current
    alert = _alert(finding, settings, moment, before.dedupe_key)
    alert = msgspec.structs.replace(
        alert,
        state="updated",
        sequence=before.sequence + 1,
        onset_ms=min(alert.onset_ms, before.onset_ms) if not moment.revised else alert.onset_ms,
        acknowledged_by=by,
    )
    return msgspec.structs.replace(
        current,
        alert=msgspec.structs.replace(alert, summary=summary(alert)),
        told_ms=moment.end_ms,
        named=tuple(sorted({*current.named, *new})),
    )


def _resolve(current: OpenAlert, moment: Moment) -> Alert:
    alert = msgspec.structs.replace(
        current.alert,
        state="resolved",
        sequence=current.alert.sequence + 1,
        at_ms=moment.end_ms,
        evidence=msgspec.structs.replace(
            current.alert.evidence, window_start_ms=moment.start_ms, window_end_ms=moment.end_ms
        ),
    )
    return msgspec.structs.replace(
        alert,
        summary=summary(alert, late=moment.revised, successor=moment.succeeded.get((alert.version, alert.reference))),
        recommendation=recommendation(alert),
    )


def _named(finding: Finding) -> set[str]:
    return {one.column for one in finding.columns[:MOST_NAMED] if not one.follows}


def _alert(finding: Finding, settings: AlertSettings, moment: Moment, key: str) -> Alert:
    rule = "at once" if finding.at_once else str(settings.raise_when)
    surely = settings.raise_when.by_evidence and finding.value > 0.0
    alert = Alert(
        model=moment.model,
        version=finding.version,
        reference=finding.reference,
        state="raised",
        cause=finding.cause,
        severity=finding.severity,
        sequence=1,
        at_ms=moment.end_ms,
        onset_ms=finding.onset_ms,
        columns=finding.columns[:MOST_COLUMNS],
        summary="",
        recommendation="",
        dedupe_key=key,
        evidence=Evidence(
            rule=rule,
            value=finding.value,
            level=finding.level,
            chance_once_in_ms=_once_in(finding.value / settings.calibration, moment.pane_ms) if surely else None,
            window_start_ms=moment.start_ms,
            window_end_ms=moment.end_ms,
            n_windows=finding.n_windows,
            p_value=finding.p_value,
            compare=moment.compare,
            n_columns=len(finding.columns),
        ),
    )
    return msgspec.structs.replace(alert, summary=summary(alert), recommendation=recommendation(alert))


def _once_in(n_panes: float, pane_ms: int) -> int:
    return int(min(n_panes * pane_ms, LONGEST_MS))


def dedupe_key(*parts: object) -> str:
    """32 hexadecimal digits, the same for the same parts: names may be of any length and script, and keys may not."""
    return hashlib.sha256(msgspec.json.encode([str(part) for part in parts])).hexdigest()[:32]
