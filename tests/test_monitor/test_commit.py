"""What a commit of ingest sends."""

import pytest
from confluent_kafka import Message

from monitor.commit import reject_messages
from monitor.config.schema import Config, Model
from monitor.events.batch import Rejected
from monitor.events.reasons import Reason
from sinks.records import LAST_MS, decode_reject

CONFIG = Config(models=(Model(name="m", reference="m.ref"),))  # type: ignore[arg-type]  # the path is not opened


@pytest.mark.parametrize(
    ("sent", "kept"), [(1_700_000_000_000, 1_700_000_000_000), (1_700_000_000_000_000, LAST_MS), (-1, 0)]
)
def test_a_reject_is_readable_whatever_time_its_message_was_sent_at(sent: int, kept: int) -> None:
    # A producer may set the time of a message to anything: microseconds, say.
    message = Message(topic="predictions", partition=2, offset=7, value=b"{", timestamp=(1, sent))
    rejected = Rejected(message=0, index=0, reason=Reason.UNDECODABLE, detail="cut off", model="", raw=b"{")
    (outgoing,) = reject_messages(CONFIG.kafka, [rejected], [message])
    headers = [(name, value if isinstance(value, bytes) else None) for name, value in outgoing.headers or ()]
    reject = decode_reject(headers, outgoing.value)
    assert (reject.time_ms, reject.source_offset, reject.raw) == (kept, 7, b"{")
