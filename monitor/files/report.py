"""What a reader of a file has to say of it beside its rows."""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from monitor.errors import NothingScored
from monitor.events.batch import Rejected
from monitor.events.json.forgiving import Refused
from monitor.wording import counted


def once(notes: Iterable[tuple[Path, str]]) -> list[str]:
    """Notes of several files, each with the file that it is of: one of each kind, and how many files it is of."""
    found: dict[str, tuple[str, set[Path]]] = {}
    for path, note in notes:
        kind = re.sub(r"[\d,]+", "", note.replace(path.name, ""))
        found.setdefault(kind, (note, set()))[1].add(path)
    return [
        note if len(paths) == 1 else f"{note}; the like of {counted(len(paths) - 1, 'other file')}"
        for note, paths in found.values()
    ]


class FileReport:
    """Rows that are no events, and what was read otherwise than it stands.

    Attributes
    ----------
    rejects
        How many rows were left out, by reason.
    examples
        By reason: the first.
    notes
        Sentences for people.
    bad_time
        Why the first time that is none is none; "" where all are some, or nobody looked.
    """

    def __init__(self, parts: "Iterable[FileReport]" = ()) -> None:
        self.rejects = Counter[str]()
        self.examples: dict[str, Rejected] = {}
        self.notes: list[str] = []
        self.bad_time = ""
        for part in parts:
            self.add(part)

    def add(self, other: "FileReport") -> None:
        """What another says, too."""
        self.rejects.update(other.rejects)
        self.examples = {**other.examples, **self.examples}
        self.notes += other.notes
        self.bad_time = self.bad_time or other.bad_time

    def clear(self) -> None:
        """Forget all of it, before another pass."""
        self.rejects.clear()
        self.examples.clear()

    def reject(self, rejected: Rejected) -> None:
        """One row more that is left out."""
        self.rejects[rejected.reason] += 1
        self.examples.setdefault(rejected.reason, rejected)


def rejected(refused: Refused, raw: bytes) -> Rejected:
    """A line that is no event, as a reject."""
    return Rejected(
        message=0, index=0, reason=refused.reason, detail=refused.detail, model=refused.model, raw=raw.rstrip()
    )


def nothing_usable(path: Path | str, report: FileReport) -> NothingScored:
    """None of the rows of a file is left: how many they were, and what was wrong with most."""
    ((reason, _),) = report.rejects.most_common(1)
    rows = counted(report.rejects.total(), "row")
    hint = "`mapping` says where things lie in an event, and which envelope it comes in"
    if "where the header has" in report.examples[reason].detail:
        hint = "the first line must name the columns, and nothing stand before it: no title, no comment"
    return NothingScored(
        f"{path} has no row that can be used, of {rows} ({reason}): {report.examples[reason].detail}",
        hint=hint,
    )
