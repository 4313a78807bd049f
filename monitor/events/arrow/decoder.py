"""Arrow IPC messages: streams, and files, of record batches. One message carries thousands of events."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from monitor.events.arrow.lines import holds_objects_as_text, lines
from monitor.events.arrow.piece import Piece, Room
from monitor.events.arrow.streams import REFUSALS, streams
from monitor.events.arrow.table import TableDecoder
from monitor.events.batch import Decoded, Rejected
from monitor.events.frame import Frame
from monitor.events.json.decoder import JsonDecoder
from monitor.events.json.forgiving import Refused
from monitor.events.json.texts import object_places
from monitor.events.models import Limits, ModelSpec, Role
from monitor.events.outcome import Outcome
from monitor.events.reasons import Reason

_AT_ONCE_BYTES: Final = 64 * 1024 * 1024
"""Record batches held at a time, so that messages stay in bounded memory; one alone may hold more."""


class ArrowDecoder:
    """Decodes Arrow IPC messages of the configured models.

    A message that cannot be read to its end, whose schema has no timestamp, or in which something else follows a
    stream, is one reject with the whole message and counts as one event. Buffers are validated before a value is read.
    A bad row is rejected alone, as JSON. A message in which an object, such as that of the features, is text of JSON is
    read row by row as if it were JSON itself.
    """

    def __init__(self, models: Sequence[ModelSpec], limits: Limits | None = None) -> None:
        self._models = tuple(models)
        self._limits = limits or Limits()
        self._json = JsonDecoder(models)
        self._object_places = frozenset(place for model in models for place in object_places(model.mapping))
        self._frames: dict[Role, dict[str, Frame]] = {}
        self._decoders: dict[Role, TableDecoder] = {}

    def decode(self, messages: Sequence[bytes | None], role: Role, now_ms: int) -> Decoded:
        """Decode messages; see `Decoder`."""
        decoder = self._decoders.get(role)
        if decoder is None:
            frames = self._frames[role] = {model.name: Frame(model, role) for model in self._models}
            decoder = self._decoders[role] = TableDecoder(frames)
        outcome = Outcome()
        pieces, n_bytes = list[Piece](), 0
        for index, message in enumerate(messages):
            raw = message or b""
            try:
                found = self.batches(raw)
                if any(holds_objects_as_text(batch, self._object_places) for batch in found):
                    for batch in found:
                        decoder.see(batch.schema)  # which may be refused
                    rows = (line for batch in found for line in lines(batch, self._limits.max_decoded_bytes))
                    self._json.add(b"[%s]" % b",".join(rows), index, role, now_ms, outcome)
                    continue
                read = map(decoder.unpacked, found)
                batches = [(batch, decoder.see(batch.schema)) for batch in read]
            except Refused as refused:
                outcome.events(np.array([index]))
                outcome.rejects.append(
                    Rejected(message=index, index=0, reason=refused.reason, detail=refused.detail, model="", raw=raw)
                )
                continue
            first, room = 0, Room(len(raw))
            for batch, seen in batches:
                base = outcome.events(np.full(batch.num_rows, index, dtype=np.int32))
                pieces.append(Piece(batch, index, first, base, seen, room))
                first += batch.num_rows
                n_bytes += batch.get_total_buffer_size()
            if n_bytes > _AT_ONCE_BYTES:
                decoder.add(pieces, now_ms, outcome)
                pieces, n_bytes = [], 0
        decoder.add(pieces, now_ms, outcome)
        return outcome.decoded(self._frames[role])

    def batches(self, raw: bytes) -> list[Any]:
        """All record batches of a message, valid.

        Raises
        ------
        Refused
            the message as a whole.
        """
        if len(raw) > self._limits.max_message_bytes:
            raise Refused(Reason.OVERSIZE, f"{len(raw)} bytes; at most {self._limits.max_message_bytes}")
        if not raw:
            raise Refused(Reason.UNDECODABLE, "empty message")
        batches: list[Any] = []
        try:
            source = pa.py_buffer(raw)
            n_rows = n_bytes = 0
            for start, found in streams(raw):
                n_rows, n_bytes = n_rows + found.n_rows, n_bytes + found.n_bytes
                self._check(n_rows, n_bytes)
                with pa.ipc.open_stream(source.slice(start, found.stop - start)) as stream:
                    batches += stream
            for batch in batches:
                batch.validate(full=True)
        except REFUSALS as error:
            raise Refused(Reason.UNDECODABLE, f"not Arrow IPC: {' '.join(str(error).split())}") from None
        return batches

    def _check(self, n_rows: int, n_bytes: int) -> None:
        if n_rows > self._limits.max_events_a_message:
            raise Refused(Reason.OVERSIZE, f"{n_rows} rows; at most {self._limits.max_events_a_message}")
        if n_bytes > self._limits.max_decoded_bytes:
            raise Refused(Reason.OVERSIZE, f"{n_bytes} bytes decoded; at most {self._limits.max_decoded_bytes}")


def rows_of(raw: bytes) -> int:
    """How many rows a message says it has, before it is decoded; 0 for one that says nothing."""
    try:
        return sum(found.n_rows for _, found in streams(raw))
    except REFUSALS:
        return 0
