"""What evaluate told: the messages of `drift.alerts` and `drift.retraining`, as a consumer of them gets them."""

from support.installation import Installation

from monitor.kafka.read_all import read_all


def told(installation: Installation, name: str) -> list[bytes]:
    """All committed messages of one of our own topics, each partition in its order."""
    kafka = installation.config.kafka
    return [message.value() or b"" for message in read_all(kafka, kafka.own_topic(name))]
