"""Decisions on one model: closed windows, labels, rejects and controls in; alerts and requests out. Pure.

`decide(policy, state, inputs, now_ms)` is a function of what it is given; the state is all that it remembers. Windows
are taken in the order of their ends, whatever the order they are given in; those that were taken before are revisions.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from monitor.config.decisions import Cause
from monitor.decisions import machine as machines
from monitor.decisions import retraining as retrainings
from monitor.decisions.alert import Alert
from monitor.decisions.controls import Control, Controls
from monitor.decisions.finding import QUIET_PANES, Finding, cause_now, findings, grouped, silence_finding
from monitor.decisions.machine import Machine, Moment
from monitor.decisions.moved import ClosedWindow, PerformanceWindow
from monitor.decisions.policy import Policy
from monitor.decisions.request import RetrainingRequest
from monitor.decisions.retraining import Retraining
from monitor.decisions.silences import AnySilence, is_silenced, silenced_cells
from monitor.decisions.succession import current, newest_reference, references_by_version, succeeded_by
from monitor.decisions.track import FEWEST_PANES, Track, absorb, close
from monitor.decisions.unread import Unread, beside, new_features, rejects_finding, starts_in, take
from monitor.decisions.unread import close as close_unread
from monitor.decisions.usual import MOST_RECENT, Usual, count, silent
from monitor.sketching.messages import UnreadCounts

MOST_TRACKS: Final = 50
MOST_PASSES: Final = 5
"""At one moment: a bound, for the second tells nothing as a rule."""


class Decisions(msgspec.Struct, frozen=True, kw_only=True):
    """All that is remembered of a model.

    Attributes
    ----------
    ahead: controls of a replay that had not been said yet.
    last_start_ms, last_end_ms: the last window that was taken in its turn; None before the first.
    first_seen_ms: by version, the start of its first window.
    """

    tracks: tuple[Track, ...] = ()
    usual: Usual = Usual()
    machine: Machine = Machine()
    retraining: Retraining = Retraining()
    controls: Controls = Controls()
    unread: Unread = Unread()
    ahead: tuple[Control, ...] = ()
    last_start_ms: int | None = None
    last_end_ms: int | None = None
    first_seen_ms: dict[str, int] = {}


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """What has come since the last time.

    Attributes
    ----------
    ahead: controls that count once event time has come to when they were said, as they did in the stream: in a replay.
    """

    windows: Sequence[ClosedWindow] = ()
    performance: Sequence[PerformanceWindow] = ()
    unread: Sequence[UnreadCounts] = ()
    controls: Sequence[Control] = ()
    ahead: Sequence[Control] = ()


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """The state after, and what is told, in order."""

    state: Decisions
    alerts: tuple[Alert, ...] = ()
    requests: tuple[RetrainingRequest, ...] = ()


def decide(policy: Policy, state: Decisions, inputs: Inputs, now_ms: int) -> Decided:
    """Take in what has come; `now_ms` is event time: windows that end later may still come."""
    turn = _Turn(policy, state)
    turn.hear(inputs)
    last_end_ms = state.last_end_ms
    late = [one for one in inputs.windows if last_end_ms is not None and one.end_ms <= last_end_ms]
    due = [one for one in inputs.windows if last_end_ms is None or one.end_ms > last_end_ms]
    if late and state.last_start_ms is not None and last_end_ms is not None:
        turn.absorb(late)
        # Labels always come after the window's end.
        revised = any(one.family == "inputs" for one in late)
        turn.conclude(state.last_start_ms, last_end_ms, revised=revised)
    empty = False
    for end_ms in sorted({one.end_ms for one in due}):
        own = [one for one in due if one.end_ms == end_ms]
        empty |= turn.pass_empty(min(one.start_ms for one in own))
        turn.hear_ahead(end_ms)
        turn.absorb(own)
        turn.conclude(max(one.start_ms for one in own), end_ms, revised=False)
    empty |= turn.pass_empty(now_ms)
    if (
        turn.heard
        and not empty
        and not due
        and not late
        and last_end_ms is not None
        and state.last_start_ms is not None
    ):
        turn.conclude(state.last_start_ms, max(last_end_ms, turn.last_end_ms), revised=False)
    return turn.decided()


class _Turn:
    def __init__(self, policy: Policy, state: Decisions) -> None:
        self._policy = policy
        self._tracks = {(one.version, one.reference, one.family): one for one in state.tracks}
        self._state = state
        self._usual, self._machine, self._retraining = state.usual, state.machine, state.retraining
        self._controls, self._unread, self._ahead = state.controls, state.unread, state.ahead
        self._first_seen_ms = dict(state.first_seen_ms)
        self._last = (state.last_start_ms, state.last_end_ms)
        self._alerts: list[Alert] = []
        self._requests: list[RetrainingRequest] = []
        self.heard = False

    @property
    def last_end_ms(self) -> int:
        return self._last[1] or 0

    def hear(self, inputs: Inputs) -> None:
        """What is not a window."""
        self.heard = bool(inputs.controls or inputs.performance or starts_in(inputs.unread, self.last_end_ms))
        self._controls = self._controls.take(self._own(inputs.controls))
        self._ahead += self._own(inputs.ahead)
        self._retraining = retrainings.take_labels(self._retraining, inputs.performance)
        self._unread = take(self._unread, inputs.unread, self._policy.tiling)

    def hear_ahead(self, end_ms: int) -> None:
        """What a replay knows was said before a window was over: event time was then no further than that and the
        lateness. It is taken in at the end of the window before, as a message of its own would be."""
        until_ms = end_ms + self._policy.lateness_ms
        said = [one for one in self._ahead if one.at_ms < until_ms]
        if not said:
            return
        self._ahead = tuple(one for one in self._ahead if one.at_ms >= until_ms)
        self._controls = self._controls.take(said)
        last_start_ms, last_end_ms = self._last
        if last_start_ms is not None and last_end_ms is not None:
            self.conclude(last_start_ms, last_end_ms, revised=False)

    def _own(self, controls: Sequence[Control]) -> tuple[Control, ...]:
        return tuple(one for one in controls if one.model in ("", self._policy.model))

    def absorb(self, windows: Sequence[ClosedWindow]) -> None:
        """Count the evidence of windows."""
        settings = self._policy.alerts
        hold_ms = max(settings.resolve_after_ms, (QUIET_PANES + 1) * self._policy.tiling.pane_ms)
        windows = sorted(windows, key=lambda one: (one.end_ms, one.version, one.reference, one.family))
        for window in windows:
            key = (window.version, window.reference, window.family)
            first_ms = min(self._first_seen_ms.get(window.version, window.start_ms), window.start_ms)
            self._first_seen_ms[window.version] = first_ms
            track = self._tracks.get(key)
            if track is None:
                track = Track(version=key[0], reference=key[1], family=key[2], first_ms=window.start_ms)
            if not window.n_whole and not window.n_segments and not window.moved:
                continue
            self._tracks[key] = absorb(
                track,
                window,
                retention_ms=self._policy.retention_ms + self._policy.lag_ms(window.family),
                hold_ms=hold_ms,
                fewest=max(FEWEST_PANES, settings.raise_when.n),
            )
        end_ms = max(window.end_ms for window in windows)
        self._usual = count(self._usual, windows, self._policy.tiling, max(end_ms, self.last_end_ms))
        self._forget(max(end_ms, self.last_end_ms))

    def pass_empty(self, until_ms: int) -> bool:
        """Decide at the end of each window without any event that time has passed since the last one; whether there
        is one.

        One after the other, so that it is the same whether time comes in one step or in many. From so many on as are
        remembered nothing is decided any more before events are back: all that was open has long been told.
        """
        passed = False
        while self._usual.recent:
            following = self._policy.tiling.after(self._usual.recent[-1].end_ms)
            if following is None or following.end_ms > until_ms:
                break
            if (
                all(not one.total for one in self._usual.recent[-MOST_RECENT:])
                and len(self._usual.recent) == MOST_RECENT
            ):
                self._usual = count(self._usual, (), self._policy.tiling, until_ms)
                break
            self._usual = count(self._usual, (), self._policy.tiling, following.end_ms)
            if following.end_ms > self.last_end_ms:
                self.hear_ahead(following.end_ms)
                self.conclude(following.start_ms, following.end_ms, revised=False)
                passed = True
        return passed

    def conclude(self, start_ms: int, end_ms: int, *, revised: bool) -> None:
        """Decide at the end of a window; once more nothing else is told, however often that is asked."""
        policy = self._policy
        self._unread = close_unread(self._unread, end_ms, policy.tiling)
        for _ in range(MOST_PASSES):
            tracks, told = self._tell(start_ms, end_ms, revised=revised)
            if not told:
                break
        live = references_by_version(tracks)
        self._retraining, requests = retrainings.step(
            self._retraining,
            [one.alert for one in self._machine.opened],
            policy.retraining,
            self._controls,
            model=policy.model,
            at_ms=end_ms,
            first_seen_ms={name: at_ms for name, at_ms in self._first_seen_ms.items() if name in live},
            reference_versions=policy.reference_versions,
            references=live,
        )
        self._requests += requests
        self._last = (start_ms, end_ms)

    def _tell(self, start_ms: int, end_ms: int, *, revised: bool) -> tuple[list[Track], list[Alert]]:
        """The tracks that count, and what is told of them. What is resolved uses up evidence, also of other causes."""
        policy = self._policy
        pane_ms = policy.tiling.pane_ms
        every = [self._tracks[key] for key in sorted(self._tracks)]
        tracks = current(every, self._retraining.successor)
        silenced = silenced_cells(self._silences, tracks, end_ms)
        settings = policy.settings_on(newest_reference(tracks))
        found = findings(tracks, settings, end_ms=end_ms, pane_ms=pane_ms, silenced=silenced, kinds=policy.n_kinds)
        found |= self._others(end_ms)
        followed = {column.column for one in self._machine.opened for column in one.alert.columns if column.follows}
        found = grouped(found, self._machine.open_causes(), pane_ms, followed)
        found |= self._of_unread(found, end_ms)
        moment = Moment(
            model=policy.model, compare=policy.compare, start_ms=start_ms, end_ms=end_ms, pane_ms=pane_ms,
            revised=revised, succeeded=succeeded_by(every, tracks),
        )  # fmt: skip
        self._machine, told = machines.step(self._machine, found, policy.alerts, moment, self._controls.acknowledged_by)
        self._alerts += told
        self._close_cells({one.cause for one in told if one.state == "resolved"}, every, end_ms)
        return tracks, told

    def decided(self) -> Decided:
        open_keys = {one.alert.dedupe_key for one in self._machine.opened}
        if self._retraining.open is not None:
            open_keys.add(self._retraining.open.dedupe_key)
        end_ms = self._last[1]
        controls = self._controls
        if end_ms is not None:
            controls = controls.forget(end_ms - self._policy.retention_ms, frozenset(open_keys))
        return Decided(
            state=Decisions(
                tracks=tuple(self._tracks[key] for key in sorted(self._tracks)),
                usual=self._usual,
                machine=self._machine,
                retraining=self._retraining,
                controls=controls,
                unread=self._unread,
                ahead=self._ahead,
                last_start_ms=self._last[0],
                last_end_ms=end_ms,
                first_seen_ms={name: self._first_seen_ms[name] for name in sorted({key[0] for key in self._tracks})},
            ),
            alerts=tuple(self._alerts),
            requests=tuple(self._requests),
        )

    def _others(self, end_ms: int) -> dict[Cause, Finding]:
        """What does not come from verdicts."""
        settings = self._policy.alerts
        found: dict[Cause, Finding] = {}
        quiet = silent(self._usual, self._policy.tiling, settings.fewest_events)
        ends_ms = [one.end_ms for one in self._usual.recent[-48:]]
        silence = silence_finding(quiet, ends_ms, settings)
        if silence is not None:
            raises = silence.raises and not self._is_silenced("silence", "", "@events", end_ms)
            found["silence"] = msgspec.structs.replace(silence, raises=raises)
        return found

    def _of_unread(self, found: Mapping[Cause, Finding], end_ms: int) -> dict[Cause, Finding]:
        """What comes of events and features that are in no sketch: nothing follows from these."""
        settings, also = self._policy.alerts, dict[Cause, Finding]()
        rejects = rejects_finding(self._unread, self._usual, settings, end_ms)
        if rejects is not None:
            raises = rejects.raises and not self._is_silenced("rejects", "", "@rejects", end_ms)
            also["rejects"] = msgspec.structs.replace(rejects, raises=raises)
        schema = beside(
            found.get("schema"),
            new_features(
                self._unread,
                settings,
                end_ms,
                self._policy.tiling,
                lambda column: self._is_silenced("schema", "", column, end_ms),
            ),
        )
        return also if schema is None else {**also, "schema": schema}

    def _is_silenced(self, cause: Cause, segment: str, column: str, at_ms: int) -> bool:
        return is_silenced(self._silences, cause, segment, column, at_ms)

    @property
    def _silences(self) -> list[AnySilence]:
        return [*self._policy.alerts.silences, *self._controls.silences()]

    def _close_cells(self, causes: set[Cause], tracks: Sequence[Track], end_ms: int) -> None:
        if not causes:
            return
        for track in tracks:
            whole = {
                cell.last.column: (cell.drifted or cell.last).cause for cell in track.cells if not cell.last.segment
            }
            places = frozenset(
                cell.place
                for cell in track.cells
                if {cause_now(cell, {}), cause_now(cell, whole)} & causes
                and (cell.last_end_ms is None or cell.last_end_ms < track.now_ms(end_ms))
            )
            self._tracks[track.version, track.reference, track.family] = close(track, places, track.now_ms(end_ms))

    def _forget(self, end_ms: int) -> None:
        """Versions that nothing comes of any more leave; the last ones stay."""
        keep_ms = max(self._policy.retention_ms, (QUIET_PANES + 1) * self._policy.tiling.pane_ms)
        live = {
            key: one
            for key, one in self._tracks.items()
            if one.last_ms > end_ms - keep_ms - self._policy.lag_ms(one.family)
        }
        newest = sorted(live, key=lambda key: (live[key].last_ms, key))[-MOST_TRACKS:]
        self._tracks = {key: live[key] for key in sorted(newest)}
