"""The row of an id in bytes: its stretch, the code of its prediction's shape plus one (0: none), the prediction, its
labels."""

import struct
from typing import Any, Final

import numpy as np

from monitor.errors import Unavailable
from monitor.join.feature_records import FeatureShape
from monitor.join.joined import Known, Label, Prediction, no_value
from monitor.join.records import CLASS, MAX_CODE
from monitor.join.state import Seal

HEAD: Final = struct.Struct("<IH")
HEADS: Final = np.dtype([("stretch", "<u4"), ("shape", "<u2")])
TIME_BYTES: Final = 6
_LABEL: Final = struct.Struct("<IHBQd")
_BITS: Final = struct.Struct("<Q")
_FLOAT: Final = struct.Struct("<d")
_VERSION_AT: Final = slice(TIME_BYTES, TIME_BYTES + 2)
REST: Final = "(rest)"
MAX_CLASSES: Final = 100_000


def time_of(data: bytes) -> int:
    """Milliseconds, of the bytes that begin a prediction or a label."""
    return int.from_bytes(data[:TIME_BYTES], "little")


def stretch_in(row: bytes) -> int:
    """The stretch that a row ends with."""
    stretch: int = HEAD.unpack_from(row)[0]
    return stretch


class Catalog:
    """What the codes in rows stand for: the seal's lists, and each text's place in them."""

    def __init__(self, seal: Seal) -> None:
        self._seal = seal
        self._versions = {text: code for code, text in enumerate(seal.versions)}
        self._classes = {text: code for code, text in enumerate(seal.classes)}
        self._models = {text: code for code, text in enumerate(seal.models)}
        self.widths = [shape.dtype.itemsize for shape in seal.shapes]

    def model(self, name: str) -> int:
        """The code of a model."""
        return _code(self._models, self._seal.models, name, MAX_CODE)

    def version(self, text: str) -> int:
        """The code of a version; beyond what codes can tell apart they share one."""
        return _code(self._versions, self._seal.versions, text, MAX_CODE)

    def label_class(self, text: str) -> int:
        """The code of a class, likewise."""
        return _code(self._classes, self._seal.classes, text, MAX_CLASSES)

    def shape(self, shape: Any) -> int:
        """The code of a shape."""
        if shape not in self._seal.shapes:
            if len(self._seal.shapes) >= MAX_CODE - 1:
                raise Unavailable("more references and pane lengths than codes can tell apart")
            self._seal.shapes.append(shape)
            self.widths.append(shape.dtype.itemsize)
        return self._seal.shapes.index(shape)

    def feature_shape(self, shape: FeatureShape) -> int:
        """The code of a shape of features."""
        if shape not in self._seal.feature_shapes:
            if len(self._seal.feature_shapes) >= MAX_CODE - 1:
                raise Unavailable("more references and choices of columns than codes can tell apart")
            self._seal.feature_shapes.append(shape)
        return self._seal.feature_shapes.index(shape)

    def feature_shape_of(self, code: int) -> FeatureShape:
        """The shape of a code."""
        return self._seal.feature_shapes[code]

    def version_text(self, code: int) -> str:
        """The version of a code."""
        return self._seal.versions[code]

    # Rows one by one: the specification of what the join does with many at once ---------------------------------------

    def known(self, row: bytes) -> Known:
        """What a row says; empty bytes say nothing."""
        if not row:
            return Known()
        _, head = HEAD.unpack_from(row)
        at, found = HEAD.size, None
        if head:
            at += self.widths[head - 1]
            found = self.prediction(head - 1, row[HEAD.size : at])
        labels = tuple(self.label(row[start : start + _LABEL.size]) for start in range(at, len(row), _LABEL.size))
        return Known(prediction=found, labels=labels)

    def prediction(self, shape: int, record: bytes) -> Prediction:
        """A prediction from its record."""
        version = self._seal.versions[int.from_bytes(record[_VERSION_AT], "little")]
        reference = self._seal.shapes[shape].reference
        return Prediction(time_of(record), version, reference, record[_VERSION_AT.stop :], shape, record)

    def label(self, record: bytes) -> Label:
        """A label from its record."""
        low, high, kind, bits, value = _LABEL.unpack(record)
        time_ms = low | high << 32
        if kind == CLASS:
            return Label(time_ms, kind, 0.0, self._seal.classes[bits], no_value(value))
        (number,) = _FLOAT.unpack(_BITS.pack(bits))
        return Label(time_ms, kind, number, "", no_value(value))

    def row(self, known: Known, stretch: int) -> bytes:
        """A row from what is known."""
        labels = b"".join(map(self.label_record, known.labels))
        if known.prediction is None:
            return HEAD.pack(stretch, 0) + labels
        return HEAD.pack(stretch, known.prediction.shape + 1) + known.prediction.record + labels

    def label_record(self, label: Label) -> bytes:
        """A label's record."""
        if label.kind == CLASS:
            bits = self.label_class(label.text)
        else:
            (bits,) = _BITS.unpack(_FLOAT.pack(label.number))
        value = label.value if label.value != -np.inf else np.nan
        return _LABEL.pack(label.time_ms & 0xFFFF_FFFF, label.time_ms >> 32, label.kind, bits, value)


def _code(known: dict[str, int], texts: list[str], text: str, most: int) -> int:
    code = known.get(text)
    if code is None:
        if len(texts) >= most and text != REST:
            return _code(known, texts, REST, most + 1)
        code = known[text] = len(texts)
        texts.append(text)
    return code
