"""Errors in label time: panes that label time has passed are given to sequential detectors, once and in order. Pure.

What comes for a pane that is closed already (a late label, a correction) is counted and not given to them: a detector
has no way back. Sums are whole numbers, so that a pane is the same whatever the order in which its labels came.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from detectors.error_pane import ErrorPane
from detectors.performance.sketch import UNIT
from detectors.performance.space import PerformanceSpace, Task
from detectors.reference import Reference
from monitor.evaluation.concept_drift import DetectorContext, advance_detectors
from monitor.evaluation.overlay import Write
from monitor.evaluation.performance_state import ErrorSeries, errors_key
from monitor.evaluation.results import Source
from monitor.evaluation.state import KeyValue, pack, read
from monitor.evaluation.watched import Watched
from monitor.sketching.messages import ErrorSums

LABEL: Final = "@label"


class ErrorTurn:
    """The error series of one model's versions during one message.

    `open_ms` is where the panes of label time begin that were not closed before the message, `closed_ms` after it.
    """

    def __init__(
        self,
        model: Watched,
        state: KeyValue,
        source: Source,
        versions: Sequence[str],
        open_ms: int | None,
        closed_ms: int | None,
    ) -> None:
        self._model, self._state, self._offset = model, state, source.offset
        self._open_ms, self._closed_ms = open_ms, closed_ms
        self._versions = set(versions)
        self._series: dict[str, ErrorSeries] = {}
        self._frozen: set[str] = set()
        self._removed: set[str] = set()

    @property
    def versions(self) -> tuple[str, ...]:
        """Those that errors are kept of."""
        return tuple(sorted(self._versions))

    def add(self, version: str, reference: str, start_ms: int, sums: ErrorSums) -> int:
        """Add to a pane; how many matches came too late for it."""
        if self._open_ms is not None and start_ms < self._open_ms:
            return abs(sums.n_loss) or abs(sums.n_said)
        series = self._read(version)
        self._versions.add(version)
        waiting = {**series.waiting, start_ms: series.waiting.get(start_ms, ErrorSums()) + sums}
        self._change(version, series, waiting=waiting, reference=reference, before=None, fed=())
        return 0

    def close(self, reference_of: Callable[[str], Reference]) -> list[Mapping[str, Any]]:
        """Give the detectors what is closed now; the verdicts that they come to."""
        closed_ms = self._closed_ms
        assert closed_ms is not None  # or there would be nothing to close
        verdicts: list[Mapping[str, Any]] = []
        for version in self.versions:
            series = self._read(version)
            if version in self._frozen:
                _, rows = self._fed(version, series.before, series.fed, reference_of(series.reference))
                verdicts += rows
                continue
            ripe = tuple((start_ms, sums) for start_ms, sums in sorted(series.waiting.items()) if start_ms < closed_ms)
            if ripe:
                state, rows = self._fed(version, series.state, ripe, reference_of(series.reference))
                verdicts += rows
                waiting = {start_ms: sums for start_ms, sums in series.waiting.items() if start_ms >= closed_ms}
                self._change(
                    version, series, waiting=waiting, closed_ms=closed_ms, state=state, before=series.state, fed=ripe
                )
            elif not series.waiting and series.closed_ms < closed_ms - self._model.performance_life_ms:
                self._versions.discard(version)
                self._removed.add(version)
        return verdicts

    def _fed(
        self, version: str, state: bytes | None, panes: Sequence[tuple[int, ErrorSums]], reference: Reference
    ) -> tuple[bytes | None, list[Mapping[str, Any]]]:
        rows: list[Mapping[str, Any]] = []
        space = self._model.space_of(reference)
        if space is None:  # the configuration was changed
            return state, rows
        context = DetectorContext(reference=reference, space=space)
        classes = says_classes(space, reference, self._model.threshold)
        for start_ms, sums in panes:
            pane = error_pane(sums, start_ms, start_ms + self._model.pane_ms, classes=classes)
            if pane is not None:
                state, own = advance_detectors(self._model, version, state, pane, context)
                rows += own
        return state, rows

    def _read(self, version: str) -> ErrorSeries:
        if version not in self._series:
            stored = read(self._state, errors_key(self._model.name, version), ErrorSeries, ErrorSeries())
            self._series[version] = stored
            if stored.absorbed >= self._offset:
                self._frozen.add(version)
        return self._series[version]

    def _change(self, version: str, series: ErrorSeries, **changes: Any) -> None:
        if version not in self._frozen:
            self._series[version] = msgspec.structs.replace(series, absorbed=self._offset, **changes)

    def writes(self) -> list[Write]:
        """What changed. None removes a key."""
        changed: list[Write] = [(errors_key(self._model.name, version), None) for version in sorted(self._removed)]
        changed += [
            (errors_key(self._model.name, version), pack(series))
            for version, series in sorted(self._series.items())
            if series.absorbed == self._offset and version not in self._removed
        ]
        return changed


def says_classes(space: PerformanceSpace, reference: Reference, threshold: float | None) -> bool:
    """Whether predictions say a class, by name or by their score (`monitor.join.measured.MatchReader`): then errors are
    right or wrong, in every pane alike."""
    if any(column.name == LABEL for column in reference.layout.columns):
        return bool(space.classes)
    return space.task is Task.BINARY and bool(space.scores) and (threshold is not None or space.probability)


def error_pane(sums: ErrorSums, start_ms: int, end_ms: int, *, classes: bool) -> ErrorPane | None:
    """A closed pane: right and wrong where predictions say classes, else their losses. None where it holds nothing."""
    if classes:
        if not 0 <= sums.n_wrong <= sums.n_said or not sums.n_said:
            return None
        return ErrorPane(start_ms=start_ms, end_ms=end_ms, n=sums.n_said, total=float(sums.n_wrong))
    if sums.n_loss <= 0 or sums.squares < 0:
        return None
    return ErrorPane(
        start_ms=start_ms, end_ms=end_ms, n=sums.n_loss, total=sums.loss * UNIT, squares=sums.squares * UNIT
    )
