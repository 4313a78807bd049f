"""Control events on `drift.controls`: one is sent, and those that stand are read."""

from typing import Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from monitor.config.schema import Kafka
from monitor.decisions.controls import BadControl, Control, Controls, decode_control, encode_control
from monitor.errors import Unavailable
from monitor.kafka import topics
from monitor.kafka.clients import built, classify, producer_settings
from monitor.kafka.read_all import read_all

_FLUSH_S: Final = 30.0


def send_control(kafka: Kafka, control: Control, wait_s: float = _FLUSH_S) -> None:
    """Write one event, and wait until the broker has it.

    Raises `Unavailable` when it has not within `wait_s`, `StoppedError` when it refuses.
    """
    key, value = encode_control(control)
    failed: list[KafkaError] = []

    def settled(error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            failed.append(error)

    producer = built(Producer, producer_settings(kafka), kafka)
    try:
        producer.produce(kafka.own_topic(topics.CONTROLS), value, key=key, on_delivery=settled)
        left = producer.flush(wait_s)
    except KafkaException as error:
        raise classify(error, kafka) from error
    if failed:
        raise classify(failed[0], kafka)
    if left:
        raise Unavailable(f"Kafka at {kafka.bootstrap_servers} has not taken the event in {wait_s:.0f} s")


def read_controls(kafka: Kafka, wait_s: float = _FLUSH_S) -> Controls:
    """What stands of all models: of several with one id the last, without those that were taken back.

    Raises as `read_all`. Messages that are no control are passed over: ingest counts them.
    """
    found: list[Control] = []
    for message in read_all(kafka, kafka.own_topic(topics.CONTROLS), wait_s):
        if message.value() is None:  # a tombstone
            continue
        try:
            found.append(decode_control(message.value() or b""))
        except BadControl:
            continue
    return Controls().take(found)
