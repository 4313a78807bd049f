"""The brokers that other tests lean on do what those tests take for granted."""

import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Message, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from support.apache_kafka import ApacheKafka
from support.brokers import Broker
from support.jars import NoJars, kafka_jars
from support.readiness import answers, wait_until_answers


def test_a_broker_gives_back_what_it_was_sent(kafka: Broker, topics: Callable[..., str]) -> None:
    topic = topics("echo")
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    producer.produce(topic, b"one")
    assert producer.flush(30) == 0
    assert _read(kafka.bootstrap_servers, topic, n=1) == [b"one"]


def test_topics_of_one_name_are_different_topics(topics: Callable[..., str]) -> None:
    assert topics("same", partitions=2) != topics("same", partitions=2)


def test_an_aborted_transaction_stays_hidden(transactional_kafka: Broker, topics: Callable[..., str]) -> None:
    topic = topics("transactions")
    producer = Producer({"bootstrap.servers": transactional_kafka.bootstrap_servers, "transactional.id": topic})
    producer.init_transactions(30)
    for value, end in ((b"aborted", producer.abort_transaction), (b"committed", producer.commit_transaction)):
        producer.begin_transaction()
        producer.produce(topic, value)
        producer.flush(30)
        end(30)
    assert _read(transactional_kafka.bootstrap_servers, topic, n=1) == [b"committed"]


def test_a_broker_that_was_killed_starts_again_with_its_messages(apache_kafka: ApacheKafka) -> None:
    producer = Producer({"bootstrap.servers": apache_kafka.bootstrap_servers, "log_level": 0})
    admin = AdminClient({"bootstrap.servers": apache_kafka.bootstrap_servers, "log_level": 0})
    admin.create_topics([NewTopic("kept", 1, 1)], operation_timeout=30)["kept"].result(timeout=40)
    producer.produce("kept", b"before")
    assert producer.flush(30) == 0
    address = apache_kafka.bootstrap_servers
    apache_kafka.kill()
    assert answers(address, timeout_s=0.5)
    apache_kafka.start()
    assert apache_kafka.bootstrap_servers == address
    assert _read(address, "kept", n=1) == [b"before"]


@pytest.mark.kafka
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv is not installed")
def test_a_broker_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    try:
        kafka_jars()
    except NoJars as reason:
        pytest.skip(str(reason))
    program = (
        "import os, signal, sys; from pathlib import Path; from support.apache_kafka import ApacheKafka\n"
        f"broker = ApacheKafka(Path({str(tmp_path / 'orphan')!r})); broker.start()\n"
        "print(broker.pid, flush=True); signal.pause()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    ) as starter:
        assert starter.stdout is not None
        broker = os.pidfd_open(int(starter.stdout.readline()))
        try:
            starter.send_signal(signal.SIGKILL)
            ended, _, _ = select.select([broker], [], [], 30)
        finally:
            os.close(broker)
    assert ended, "the broker outlived its starter"


def test_a_broker_that_is_not_there_gives_a_reason_within_its_deadline(free_port: Callable[[], int]) -> None:
    assert wait_until_answers(f"127.0.0.1:{free_port()}", timeout_s=0.1)


def test_free_ports_are_never_the_same_twice(free_port: Callable[[], int]) -> None:
    assert len({free_port() for _ in range(50)}) == 50


def _read(bootstrap_servers: str, topic: str, n: int) -> list[bytes | None]:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": f"read-{topic}",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "session.timeout.ms": 6000,
            "heartbeat.interval.ms": 1000,
        }
    )
    consumer.subscribe([topic])
    try:
        messages: list[Message] = consumer.consume(n, timeout=60)
        return [message.value() for message in messages]
    finally:
        consumer.close()
