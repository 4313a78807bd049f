"""The step after the evaluator: its results in, alerts and requests out, over the same key-value state. Pure.

`DecisionStage.advance(state, batches, offset=...)` is called once a message of `drift.sketches`, with all batches that
the evaluator made of it; the caller writes what it returns in the same transaction. One value a model, fenced by the
source
offset like the rest of the state: a message that is repeated tells the same again, and changes nothing.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec
import pyarrow as pa

from monitor.config.schema import Config, Model
from monitor.decisions.alert import Alert
from monitor.decisions.controls import Control
from monitor.decisions.decide import Inputs, decide
from monitor.decisions.gather import closed_windows, models_in, performance_windows
from monitor.decisions.policy import Policy
from monitor.decisions.request import RetrainingRequest
from monitor.decisions.rows import alerts_batch, requests_batch
from monitor.decisions.store import StoredDecisions, decisions_key, load, store
from monitor.decisions.tiling import tiling
from monitor.evaluation.compare import Compare
from monitor.evaluation.state import KeyValue
from monitor.sketching.messages import UnreadCounts


class StageStep(msgspec.Struct, frozen=True, kw_only=True):
    """What one message leads to.

    Attributes
    ----------
    writes: changes of state, to be committed with the evaluator's.
    alerts, requests: in order; `monitor.decisions.wire` encodes them.
    n_open: by model that was decided on, its alerts that are open now.
    """

    writes: list[tuple[bytes, bytes | None]]
    alerts: list[Alert]
    requests: list[RetrainingRequest]
    n_open: dict[str, int] = {}

    def batches(self) -> list[pa.RecordBatch]:
        """As rows of the records `alert` and `retraining`: for `drift.results`."""
        made = []
        if self.alerts:
            made.append(alerts_batch(self.alerts))
        if self.requests:
            made.append(requests_batch(self.requests))
        return made


class DecisionStage:
    """Decisions on a set of models.

    Parameters
    ----------
    policies: one a model; `policy_of` makes them of a configuration.
    """

    def __init__(self, policies: Iterable[Policy]) -> None:
        self._policies = {one.model: one for one in policies}
        self._read: dict[str, tuple[bytes | None, StoredDecisions]] = {}  # what was read last, by what it was read from

    def advance(
        self,
        state: KeyValue,
        batches: Sequence[pa.RecordBatch],
        *,
        offset: int,
        now_ms: Mapping[str, int] | None = None,
        controls: Sequence[Control] = (),
        ahead: Sequence[Control] = (),
        unread: Sequence[UnreadCounts] = (),
        further: bool = False,
    ) -> StageStep:
        """Decide on what the message at `offset` led to.

        Parameters
        ----------
        batches: the evaluator's results, all of the message.
        now_ms: by model, its watermark: windows that end by then and have no rows had no events. Left out, time goes
            as far as the windows in the batches.
        controls: what was read of `drift.controls` since the last message.
        ahead: controls that count once event time has come to when they were said: of a replay, with the first message.
        unread: what of the message's events is in no sketch.
        further: more of what the message led to, as when models go on whose references have come; no repeat of it.
        """
        step = StageStep(writes=[], alerts=[], requests=[])
        for name in sorted(self._policies.keys() & self._concerned(batches, now_ms, (*controls, *ahead), unread)):
            before = self._stored(name, state)
            after = before
            if before.absorbed < offset or further:
                after = self._advance(
                    before, self._policies[name], batches, offset, (now_ms or {}).get(name), controls, ahead,
                    [one for one in unread if one.model == name],
                )  # fmt: skip
                step.n_open[name] = len(after.decisions.machine.opened)
                if after.decisions == before.decisions:
                    continue  # time went on, and nothing came of it
            writes = store(name, before, after)
            self._read[name] = (writes[-1][1], after)
            step.writes.extend(writes)
            if after.absorbed == offset:
                step.alerts.extend(after.alerts)
                step.requests.extend(after.requests)
        return step

    def _stored(self, name: str, state: KeyValue) -> StoredDecisions:
        known = self._read.get(name)
        if known is not None and known[0] == state.get(decisions_key(name)):
            return known[1]
        return load(name, state)

    def _concerned(
        self,
        batches: Sequence[pa.RecordBatch],
        now_ms: Mapping[str, int] | None,
        controls: Sequence[Control],
        unread: Sequence[UnreadCounts],
    ) -> set[str]:
        everyone = any(one.model == "" for one in controls)
        named = {one.model for one in (*controls, *unread)} | models_in(batches) | set(now_ms or ())
        return set(self._policies) if everyone else named

    def _advance(
        self,
        stored: StoredDecisions,
        policy: Policy,
        batches: Sequence[pa.RecordBatch],
        offset: int,
        now_ms: int | None,
        controls: Sequence[Control],
        ahead: Sequence[Control],
        unread: Sequence[UnreadCounts],
    ) -> StoredDecisions:
        windows = closed_windows(
            batches,
            model=policy.model,
            tiling=policy.tiling,
            compare=policy.compare,
            alpha=policy.alpha,
            hysteresis=policy.alerts.hysteresis,
        )
        performance = performance_windows(batches, model=policy.model, tiling=policy.tiling)
        inputs = Inputs(windows=windows, performance=performance, unread=unread, controls=controls, ahead=ahead)
        ends = [one.end_ms for one in windows]
        decided = decide(policy, stored.decisions, inputs, max([now_ms or 0, *ends]))
        return StoredDecisions(
            absorbed=offset, decisions=decided.state, alerts=decided.alerts, requests=decided.requests
        )


def policy_of(
    model: Model,
    reference_versions: Mapping[str, str] | None = None,
    importances: Mapping[str, Mapping[str, float]] | None = None,
) -> Policy:
    """What decisions on a model go by, as configured.

    Parameters
    ----------
    reference_versions, importances: by digest, labels of references, and what they say of their features.
    """
    first = model.compare[0]
    compare = Compare(
        trailing_ms=first.trailing_ms or 0,
        season=first.season,
        timezone=first.timezone,
        version=first.version or "",
    )
    return Policy(
        model=model.name,
        alerts=model.alerts,
        retraining=model.retraining,
        tiling=tiling([window.shape for window in model.windows]),
        compare=compare.name,
        alpha=model.alpha,
        retention_ms=model.retention_ms,
        lateness_ms=model.lateness_ms,
        label_horizon_ms=model.label_horizon_ms or 0,
        skew_horizon_ms=0 if model.feature_skew is None else model.feature_skew.horizon_ms,
        reference_versions=reference_versions or {},
        importances=importances or {},
    )


def policies_of(config: Config) -> list[Policy]:
    """What decisions on all models go by."""
    return [policy_of(model) for model in config.models]
