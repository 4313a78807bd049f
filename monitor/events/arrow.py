"""Arrow IPC messages: streams, and files, of record batches. One message carries thousands of events."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from monitor.events.batch import Decoded, Rejected
from monitor.events.forgiving import Refused
from monitor.events.frame import Frame
from monitor.events.models import Limits, ModelSpec, Role
from monitor.events.outcome import Outcome
from monitor.events.piece import Piece, Room
from monitor.events.reasons import Reason
from monitor.events.table import TableDecoder

FILE_MAGIC: Final = b"ARROW1"

_AT_ONCE_BYTES: Final = 64 * 1024 * 1024
"""Record batches held at a time, so that a compressed message and those after it stay in bounded memory."""

_REFUSALS: Final = (pa.ArrowException, ValueError, KeyError, TypeError, OverflowError, OSError, EOFError, MemoryError)
"""What pyarrow raises on bytes that are no Arrow; it has no common base."""


class ArrowDecoder:
    """Decodes Arrow IPC messages of the configured models.

    A message that cannot be read to its end, or whose schema has no timestamp, is one reject with the whole message and
    counts as one event. Buffers are validated before a value is read. A bad row is rejected alone, as JSON.
    """

    def __init__(self, models: Sequence[ModelSpec], limits: Limits | None = None) -> None:
        self._models = tuple(models)
        self._limits = limits or Limits()
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
                batches = [(batch, decoder.see(batch.schema)) for batch in self._batches(raw)]
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

    def _batches(self, raw: bytes) -> list[Any]:
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
        batches, n_rows = [], 0
        try:
            source = pa.py_buffer(raw)
            if raw.startswith(FILE_MAGIC):
                with pa.ipc.open_file(source) as file:
                    found = (file.get_batch(i) for i in range(file.num_record_batches))
                    batches = list(found)
            else:
                with pa.ipc.open_stream(source) as stream:
                    batches = list(stream)
            for batch in batches:
                batch.validate(full=True)
                n_rows += batch.num_rows
        except _REFUSALS as error:
            raise Refused(Reason.UNDECODABLE, f"not Arrow IPC: {' '.join(str(error).split())}") from None
        if n_rows > self._limits.max_events_a_message:
            raise Refused(Reason.OVERSIZE, f"{n_rows} rows; at most {self._limits.max_events_a_message}")
        return batches
