"""A sequential detector between two panes: what it keeps, and how a pane moves it on."""

import math
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


class _Read(msgspec.Struct, frozen=True, array_like=True):
    """Labelled predictions and errors of all panes so far, and the errors among the losses given to the detector."""

    n: int = 0
    errors: int = 0
    given: int = 0


_NOTHING: Final = _Read()


class _Stored(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: int
    detector: str
    parameters: dict[str, bool | int | float | str]
    design_effect: float
    read: _Read
    values: bytes


class SequentialState:
    """A detector and what it has read.

    Parameters
    ----------
    detector: with its parameters.
    design_effect: how many times larger the variance of a pane's mean loss is than if losses were independent (Kish),
        at least 1. Detectors believe that they are; a pane of n losses is n / design_effect of them to the detector,
        with the same mean. Take that of the reference's own panes, and panes so long that one tells little of the
        next: without it, whatever comes and goes with the hour or the weather is a change, every day.
    values: the detector's own vector, which is never changed; None at the beginning.

    Raises
    ------
    InvalidSetting: a design effect below 1, or infinite.
    """

    def __init__(
        self,
        detector: SequentialDetector,
        *,
        design_effect: float = 1.0,
        values: Floats | None = None,
        read: _Read = _NOTHING,
    ) -> None:
        if not 1.0 <= design_effect < math.inf:
            raise InvalidSetting(f"a design effect of {design_effect}")
        self.detector = detector
        self.design_effect = design_effect
        self.values = detector.initial() if values is None else values
        self._read = read

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
        effective, read = self._effective(pane)
        values, evidence = self.values.copy(), np.empty(4)
        found = []
        for first in range(0, effective.n, _PIECE):
            losses = effective.series(first, min(first + _PIECE, effective.n))
            begin = 0
            while (at := self.detector.advance(values, losses[begin:], evidence)) >= 0:
                begin += at + 1
                found.append(self._detection(pane, round((first + begin) / effective.n * pane.n), evidence))
        after = SequentialState(self.detector, design_effect=self.design_effect, values=values, read=read)
        return after, found

    def _effective(self, pane: ErrorPane) -> tuple[ErrorPane, _Read]:
        """The pane that the detector is given. What rounding takes from one pane, it gives to the next."""
        before = self._read
        n_all = before.n + pane.n
        n = int(n_all / self.design_effect) - int(before.n / self.design_effect)
        if pane.squares is not None:
            share = n / max(pane.n, 1)
            effective = msgspec.structs.replace(pane, n=n, total=pane.total * share, squares=pane.squares * share)
            return effective, _Read(n_all, before.errors, before.given)
        errors_all = before.errors + int(pane.total)
        errors = min(max(int(errors_all / self.design_effect + 0.5) - before.given, 0), n)
        return msgspec.structs.replace(pane, n=n, total=errors), _Read(n_all, errors_all, before.given + errors)

    def _detection(self, pane: ErrorPane, position: int, evidence: Floats) -> Detection:
        n_before, loss_before, n_after, loss_after = evidence.tolist()
        return Detection(
            detector=self.detector.name,
            start_ms=pane.start_ms,
            end_ms=pane.end_ms,
            position=position,
            n_before=round(n_before * self.design_effect),
            loss_before=loss_before,
            n_after=round(n_after * self.design_effect),
            loss_after=loss_after,
        )

    def to_bytes(self) -> bytes:
        """MessagePack of name, parameters, counts and values (little-endian float64, without the zeros at the end)."""
        values = np.trim_zeros(self.values, "b").astype("<f8").tobytes()
        stored = _Stored(
            format=_FORMAT,
            detector=self.detector.name,
            parameters=msgspec.to_builtins(self.detector),
            design_effect=self.design_effect,
            read=self._read,
            values=values,
        )
        return msgspec.msgpack.encode(stored)

    @classmethod
    def from_bytes(cls, data: bytes) -> "SequentialState":
        """What `to_bytes` gave. Where `detector` or `design_effect` are not those wanted now, begin anew.

        Raises
        ------
        MalformedState: no such bytes, of another format, or of a detector or parameters that this release has not.
        """
        try:
            stored = msgspec.msgpack.decode(data, type=_Stored)
            detector = sequential_detector(stored.detector, stored.parameters)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, DetectorError) as error:
            raise MalformedState(f"no state of a sequential detector: {error}") from error
        values = detector.initial()
        kept, rest = divmod(len(stored.values), 8)
        if stored.format != _FORMAT or rest or kept > values.size:
            raise MalformedState(f"format {stored.format} with {len(stored.values)} bytes of values")
        values[:kept] = np.frombuffer(stored.values, dtype="<f8")
        values[kept:] = 0.0
        if np.isnan(values).any():
            raise MalformedState("a value is no number")
        try:
            return cls(detector, design_effect=stored.design_effect, values=values, read=stored.read)
        except InvalidSetting as error:
            raise MalformedState(str(error)) from error
