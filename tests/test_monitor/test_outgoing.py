"""What a commit of ingest sends."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from support.events import model_section

from monitor.config.schema import Config, Model
from monitor.events.batch import Batch, Rejected
from monitor.events.reasons import Reason
from monitor.reference.folder import ReferencesOfModel
from monitor.sketching import deltas as messages
from monitor.sketching.outgoing import reject_messages
from monitor.sketching.received import Received
from sinks.records import LAST_MS, decode_reject

CONFIG = Config(models=(Model(name="m", reference="m.ref"),))  # type: ignore[arg-type]  # the path is not opened


@pytest.mark.parametrize(
    ("sent", "kept"), [(1_700_000_000_000, 1_700_000_000_000), (1_700_000_000_000_000, LAST_MS), (-1, 0)]
)
def test_a_reject_is_readable_whatever_time_its_message_was_sent_at(sent: int, kept: int) -> None:
    # A producer may set the time of a message to anything: microseconds, say.
    received = Received(
        values=[b"{"],
        partitions=[("predictions", 2)],
        partition_of=np.array([0]),
        offsets=np.array([7]),
        sent_ms=lambda _message: sent,
    )
    rejected = Rejected(message=0, index=0, reason=Reason.UNDECODABLE, detail="cut off", model="", raw=b"{")
    (outgoing,) = reject_messages(CONFIG.kafka, [rejected], received)
    headers = [(name, value if isinstance(value, bytes) else None) for name, value in outgoing.headers or ()]
    reject = decode_reject(headers, outgoing.value)
    assert (reject.time_ms, reject.source_offset, reject.raw) == (kept, 7, b"{")


def test_a_delta_fits_its_bound_with_the_texts_of_its_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reference = ReferencesOfModel("m", Path(model_section(tmp_path)["reference"])).current
    versions = tuple("日" * 190 + f"{number:03}" for number in range(40))
    rows = np.zeros(40, dtype=np.int32)
    batch = Batch(
        model="m",
        n=40,
        versions=versions,
        version_codes=np.arange(40, dtype=np.int32),
        timestamps_ms=np.zeros(40, dtype=np.int64),
        numeric=np.zeros((len(reference.layout.numeric), 40)),
        codes=np.zeros((len(reference.layout.categorical), 40), dtype=np.int32),
        segments=np.stack([rows] * len(reference.dimensions)),
        unseen={},
        sources=rows,
    )
    monkeypatch.setattr(messages, "MAX_MESSAGE_BYTES", 10_000)
    deltas = messages.deltas_of(batch, reference, 60_000)
    sizes = [len(msgspec.msgpack.encode(delta.entries)) for delta in deltas]
    assert max(sizes) <= 10_000
    assert min(sizes[:-1]) > 5_000
    entries = [entry for delta in deltas for entry in delta.entries]
    assert sorted({entry.version for entry in entries}) == list(versions)
