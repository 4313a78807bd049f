"""What several messages of one partition lead to, computed one after the other and kept together. Pure.

The messages are absorbed on an overlay over the state, so that a later one sees what an earlier one changed, and a key
that several of them change is written once, with its last value. What comes out is one transaction's worth: results,
changes of state, and the offset to go on from.
"""

from collections.abc import Sequence
from typing import Final

from monitor.decisions.alert import Alert
from monitor.decisions.controls import Control
from monitor.decisions.stage import DecisionStage
from monitor.decisions.wire import encode_alert, encode_retraining
from monitor.evaluation.evaluator import Evaluator, Step
from monitor.evaluation.overlay import Overlay
from monitor.evaluation.results import Source
from monitor.evaluation.state import KeyValue, read_seal
from monitor.sketching.messages import UnreadCounts, decode
from sinks.records import encode

MAX_MESSAGES: Final = 32
"""Messages of one transaction. A backlog of 9,000 took 34 s one by one, 17 s by eights and 8 s by 32s."""
MAX_BYTES: Final = 16 * 1024 * 1024
"""What a transaction sends, in bytes, after which it takes no further message."""


class EvaluationBatch:
    """One transaction in the making.

    Parameters
    ----------
    decisions
        What makes alerts and requests of the results; None: nothing does.

    Attributes
    ----------
    results : list[bytes]
        Messages for `drift.results`, in the order of what they came from.
    alerts, requests : list[tuple[bytes, bytes]]
        Messages for `drift.alerts` and `drift.retraining`: dedupe key, and CloudEvent.
    told : list[Alert]
        The alerts themselves.
    n_open : dict[str, int]
        By model that was decided on, its alerts that are open after the last message.
    steps : list[Step]
        What each message led to; empty for those that were skipped.
    next_offset : int
        Where the source is to be read on from once this is committed; -1 while nothing was taken.
    """

    def __init__(self, evaluator: Evaluator, state: KeyValue, decisions: DecisionStage | None = None) -> None:
        self.results: list[bytes] = []
        self.alerts: list[tuple[bytes, bytes]] = []
        self.requests: list[tuple[bytes, bytes]] = []
        self.told: list[Alert] = []
        self.n_open: dict[str, int] = {}
        self._decisions = decisions
        self.steps: list[Step] = []
        self.next_offset = -1
        self._evaluator = evaluator
        self._overlay = Overlay(state)
        self._n_messages = 0
        self._n_bytes = 0

    @property
    def writes(self) -> dict[bytes, bytes | None]:
        """The changes of state: each key's last value, None where it is removed."""
        return self._overlay.writes

    @property
    def full(self) -> bool:
        """Whether it should be committed before another message is taken."""
        return self._n_messages >= MAX_MESSAGES or self._n_bytes >= MAX_BYTES

    def add(self, value: bytes, source: Source) -> None:
        """Absorb the message at `source`.

        Raises `BadSketchMessage` (then `skip` it), `NewerSketchMessage` or `NewerState` (leave it unread); nothing has
        changed then.
        """
        message = decode(value)
        step = self._evaluator.advance(self._overlay, message, source)
        self._take(step, source, controls=message.controls, unread=message.unread)
        self.skip(source)

    def _take(
        self,
        step: Step,
        source: Source,
        *,
        controls: Sequence[Control] = (),
        unread: Sequence[UnreadCounts] = (),
        further: bool = False,
    ) -> None:
        rows, decided = list(step.results), []
        if self._decisions is not None:
            told = self._decisions.advance(
                self._overlay,
                step.results,
                offset=source.offset,
                now_ms=step.watermarks_ms,
                controls=controls,
                unread=unread,
                further=further,
            )
            rows += told.batches()
            decided = told.writes
            self.told += told.alerts
            self.n_open |= told.n_open
            self.alerts += [(alert.dedupe_key.encode(), encode_alert(alert)) for alert in told.alerts]
            self.requests += [(one.dedupe_key.encode(), encode_retraining(one)) for one in told.requests]
        results = [encode(batch, source) for batch in rows]
        writes = [*step.writes, *decided, step.seal]
        self._overlay.update(writes)
        self.results += results
        self.steps.append(step)
        self._n_bytes += sum(map(len, results)) + sum(len(key) + len(value or b"") for key, value in writes)

    def take_up(self, topic: str, partition: int) -> bool:
        """Go on with models that wait, without a message; whether anything came of it. Nothing else may be in the
        batch."""
        step = self._evaluator.take_up(self._overlay, topic, partition)
        if step is None:
            return False
        absorbed = read_seal(self._overlay).absorbed
        self._take(step, Source(topic=topic, partition=partition, offset=absorbed), further=True)
        self.next_offset = absorbed + 1
        return True

    def skip(self, source: Source) -> None:
        """Pass over the message at `source`: nothing follows from it."""
        self._n_messages += 1
        self.next_offset = source.offset + 1
