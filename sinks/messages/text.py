"""The one message template: what a person reads first, wherever it arrives. Pure; each destination gives it its form.

Names of columns, segments and categories come from events of others. Here they lose line breaks, control and direction
characters; what a form's own syntax would read in them, its destination escapes.
"""

import re
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

import msgspec

from sinks.messages.alert import Alert, ColumnChange

HEADLINE_CHARACTERS: Final = 120
"""What a lock screen shows."""
COLUMNS: Final = 3
_LONGEST: Final = 2000
_NAME: Final = 80
_PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """An alert for people.

    Attributes
    ----------
    headline
        At most 120 characters: what state, and what happened.
    summary, recommendation
        Sentences.
    changes
        A line each of the three columns that say most.
    more
        How many other columns there are.
    onset
        In words.
    link
        Where to look; "" for nowhere.
    """

    headline: str
    summary: str
    changes: tuple[str, ...]
    more: int
    onset: str
    recommendation: str
    link: str

    def facts(self) -> tuple[tuple[str, str], ...]:
        """What follows the summary, by name; no empty ones."""
        others = (f"and {self.more} more",) if self.more else ()
        found = (
            ("What moved", "\n".join((*self.changes, *others))),
            ("Since", self.onset),
            ("What to do", self.recommendation),
        )
        return tuple((name, text) for name, text in found if text)

    def plain(self) -> str:
        """All of it as plain text."""
        lines = [self.headline]
        if self.summary not in self.headline:
            lines += ["", self.summary]
        for name, text in self.facts():
            lines += ["", f"{name}: {text}" if "\n" not in text else f"{name}:\n  " + text.replace("\n", "\n  ")]
        return "\n".join([*lines, *(["", self.link] if self.link else [])]) + "\n"


def message_of(alert: Alert, link: str = "") -> Message:
    """The alert for people.

    Parameters
    ----------
    link
        An address with ``{model}``, ``{version}``, ``{cause}``, ``{onset_ms}``, ``{at_ms}`` or ``{dedupe_key}`` in it.
    """
    summary = clean(alert.summary) or clean(f"{alert.model}: {alert.cause.replace('_', ' ')}")
    mark = f"[TEST] [{alert.severity}] " if alert.test else f"[{alert.severity}] "
    if alert.state == "resolved":
        mark = mark.replace(alert.severity, "resolved")
    elif alert.state == "updated":
        mark = mark.replace(alert.severity, f"{alert.severity}, updated")
    return Message(
        headline=shortened(mark + summary, HEADLINE_CHARACTERS),
        summary=summary,
        changes=tuple(_change(change) for change in alert.columns[:COLUMNS]),
        more=max(0, len(alert.columns) - COLUMNS),
        onset=datetime.fromtimestamp(alert.onset_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC"),
        recommendation=clean(alert.recommendation),
        link=filled(link, alert),
    )


def clean(text: str, most: int = _LONGEST) -> str:
    """One line of at most `most` characters, of printable ones alone."""
    return shortened("".join(c if c.isprintable() else " " for c in text[: 2 * most]), most)


def shortened(text: str, most: int) -> str:
    """The text with single spaces, cut at a word with an ellipsis where it is longer than `most` characters."""
    text = " ".join(text.split())
    if len(text) <= most:
        return text
    cut = text[: most - 1]
    word = cut.rpartition(" ")[0]
    return (word if len(word) > most // 2 else cut).rstrip() + "…"


def filled(link: str, alert: Alert) -> str:
    """The address with what it names put in, percent-encoded; other braces stay."""
    values = {
        "model": alert.model,
        "version": alert.version,
        "cause": alert.cause,
        "onset_ms": str(alert.onset_ms),
        "at_ms": str(alert.at_ms),
        "dedupe_key": alert.dedupe_key,
    }
    return _PLACEHOLDER.sub(lambda match: quote(values[match[1]], safe="") if match[1] in values else match[0], link)


def _change(change: ColumnChange) -> str:
    where = f" in {clean(change.segment, _NAME)}" if change.segment else ""
    parts = [f"{clean(change.column, _NAME)}{where}:"]
    if change.quantity:
        parts.append(clean(change.quantity, _NAME))
    if change.before is not None and change.after is not None:
        parts.append(f"{change.before:.4g} → {change.after:.4g}")
    if change.direction:
        parts.append(f"({clean(change.direction, _NAME)})")
    return " ".join(parts)
