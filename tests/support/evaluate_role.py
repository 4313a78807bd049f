"""What the role evaluate does with messages of sketches, one a transaction, its state in memory."""

from monitor import models
from monitor.config.schema import Config
from monitor.decisions.alert import Alert
from monitor.decisions.request import RetrainingRequest
from monitor.decisions.stage import DecisionStage
from monitor.decisions.wire import decode_alert, decode_retraining
from monitor.evaluation.batch import EvaluationBatch
from monitor.evaluation.evaluator import Evaluator
from monitor.evaluation.results import Source
from monitor.reference.opened import References
from monitor.sketching.messages import SketchMessage, encode


class EvaluateRole:
    """Takes messages, and keeps the values of what it told."""

    def __init__(self, config: Config, references: References) -> None:
        self._evaluator = Evaluator(models.watched(config, references))
        self._stage = DecisionStage(models.policies(config, references))
        self._state: dict[bytes, bytes] = {}
        self._offset = 0
        self.alerts: list[bytes] = []
        self.requests: list[bytes] = []

    def send(self, message: SketchMessage) -> None:
        """Evaluate the next message."""
        batch = EvaluationBatch(self._evaluator, self._state, self._stage)
        batch.add(encode(message), Source(topic="t", partition=0, offset=self._offset))
        self._offset += 1
        self.alerts += [value for _, value in batch.alerts]
        self.requests += [value for _, value in batch.requests]
        for key, value in batch.writes.items():
            if value is None:
                self._state.pop(key, None)
            else:
                self._state[key] = value

    @property
    def told(self) -> tuple[list[Alert], list[RetrainingRequest]]:
        """Read."""
        return [decode_alert(one).data for one in self.alerts], [decode_retraining(one).data for one in self.requests]
