"""A sequential detector between two panes: what it keeps, and how a pane moves it on."""

from typing import Final

import msgspec
import numpy as np

from detectors.arrays import Floats
from detectors.error_pane import ErrorPane
from detectors.errors import DetectorError, InvalidSetting, MalformedState
from detectors.sequential_registry import SequentialDetector, sequential_detector

_FORMAT: Final = 1
_PIECE: Final = 65_536
"""Losses of a pane that are in memory at a time."""


class Detection(msgspec.Struct, frozen=True, kw_only=True):
    """A change of the mean loss.

    Attributes
    ----------
    detector: its name.
    start_ms, end_ms: the pane in which it was seen, half-open, in label time.
    position: after how many of the pane's losses, from 1. They are spread over the pane: no event's own position.
    n_before, loss_before: labelled predictions since the detector last began anew and before the change, and their mean
        loss; `n_after`, `loss_after` those since. The detector's own estimate of where the change is: close to it of
        adwin and page_hinkley; of ddm and hddm_w it may be long before, and the difference then is small.
    """

    detector: str
    start_ms: int
    end_ms: int
    position: int
    n_before: int
    loss_before: float
    n_after: int
    loss_after: float


class _Stored(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: int
    detector: str
    parameters: dict[str, bool | int | float | str]
    values: bytes


class SequentialState:
    """A detector and what it has read.

    Parameters
    ----------
    detector: with its parameters.
    values: the detector's own vector, which is never changed; None at the beginning.
    """

    def __init__(self, detector: SequentialDetector, values: Floats | None = None) -> None:
        self.detector = detector
        self.values = detector.initial() if values is None else values

    def update(self, pane: ErrorPane) -> tuple["SequentialState", list[Detection]]:
        """The state after a pane, and the changes seen in it. Panes come closed, once each, and in order.

        Raises
        ------
        InvalidSetting: the detector reads errors, and these are other losses.
        """
        if self.detector.errors_only and pane.squares is not None:
            raise InvalidSetting(
                f"{self.detector.name} reads errors, 0 or 1: for other losses adwin, page_hinkley, kswin"
            )
        values, evidence = self.values.copy(), np.empty(4)
        found = []
        for first in range(0, pane.n, _PIECE):
            losses = pane.series(first, min(first + _PIECE, pane.n))
            begin = 0
            while (at := self.detector.advance(values, losses[begin:], evidence)) >= 0:
                begin += at + 1
                found.append(self._detection(pane, first + begin, evidence))
        return SequentialState(self.detector, values), found

    def _detection(self, pane: ErrorPane, position: int, evidence: Floats) -> Detection:
        n_before, loss_before, n_after, loss_after = evidence.tolist()
        return Detection(
            detector=self.detector.name,
            start_ms=pane.start_ms,
            end_ms=pane.end_ms,
            position=position,
            n_before=int(n_before),
            loss_before=loss_before,
            n_after=int(n_after),
            loss_after=loss_after,
        )

    def to_bytes(self) -> bytes:
        """MessagePack of name, parameters and values (little-endian float64, without the zeros at the end)."""
        values = np.trim_zeros(self.values, "b").astype("<f8").tobytes()
        stored = _Stored(
            format=_FORMAT,
            detector=self.detector.name,
            parameters=msgspec.to_builtins(self.detector),
            values=values,
        )
        return msgspec.msgpack.encode(stored)

    @classmethod
    def from_bytes(cls, data: bytes) -> "SequentialState":
        """What `to_bytes` gave. Where its `detector` is not the configured one, parameters have changed: begin anew.

        Raises
        ------
        MalformedState: no such bytes, of another format, or of a detector or parameters that this release has not.
        """
        try:
            stored = msgspec.msgpack.decode(data, type=_Stored)
            detector = sequential_detector(stored.detector, stored.parameters)
        except (msgspec.DecodeError, DetectorError) as error:
            raise MalformedState(f"no state of a sequential detector: {error}") from error
        values = detector.initial()
        kept, rest = divmod(len(stored.values), 8)
        if stored.format != _FORMAT or rest or kept > values.size:
            raise MalformedState(f"format {stored.format} with {len(stored.values)} bytes of values")
        values[:kept] = np.frombuffer(stored.values, dtype="<f8")
        values[kept:] = 0.0
        if np.isnan(values).any():
            raise MalformedState("a value is no number")
        return cls(detector, values)
