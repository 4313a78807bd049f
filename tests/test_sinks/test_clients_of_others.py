"""Destinations that speak through a client of somebody else's: SageMaker, Apprise, Kafka."""

import json
from typing import Any

import pytest
from confluent_kafka import Consumer
from moto import mock_aws
from support.alerts import alert_row, alerts, request_row, requests
from support.brokers import Broker
from support.http_server import Reply, serving

from sinks import apprise, kafka_topic, sagemaker
from sinks.errors import SinkRejected, SinkUnavailable
from sinks.messages.retraining import read_retraining
from sinks.secret import Secret

PIPELINE = {"Version": "2020-12-01", "Parameters": [{"Name": "From", "Type": "String"}], "Steps": []}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Any:
    import boto3

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = boto3.client("sagemaker", region_name="eu-central-1")
        client.create_pipeline(
            PipelineName="train", PipelineDefinition=json.dumps(PIPELINE), ClientRequestToken="t" * 32,
            RoleArn="arn:aws:iam::123456789012:role/service-role/made-up-role",
        )  # fmt: skip
        yield client


def test_sagemaker_is_sent_the_token_of_the_request(aws: Any) -> None:
    """moto ignores the token: that it is sent is what is shown here, and not that a repeat starts nothing."""
    sender = sagemaker.SageMaker(
        sagemaker.Settings(pipeline="train", region="eu-central-1", parameters={"From": "train_start_ms"})
    )
    sent: list[dict[str, Any]] = []
    sender._client.meta.events.register(
        "provide-client-params.sagemaker.StartPipelineExecution", lambda params, **_: sent.append(params)
    )
    for key in ("one", "one", "other"):
        assert sender.send(read_retraining(request_row(dedupe_key=key))).text.startswith("arn:aws:sagemaker")
    tokens = [one["ClientRequestToken"] for one in sent]
    assert tokens[0] == tokens[1] != tokens[2]
    assert all(32 <= len(token) <= 128 for token in tokens)
    assert sent[0]["PipelineParameters"] == [{"Name": "From", "Value": str(10 * 86_400_000)}]
    sender.close()


def test_a_sagemaker_pipeline_that_is_not_there_keeps_the_request(aws: Any) -> None:
    destination = sagemaker.Settings(pipeline="other", region="eu-central-1").open()
    written = destination.write([requests()])
    destination.close()
    assert (len(written.left) + len(written.dropped)) == 1


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [(400, "ThrottlingException", "SinkUnavailable"), (400, "AccessDeniedException", "SinkUnavailable"),
     (500, "InternalFailure", "MessageFailed"), (400, "ValidationException", "MessageRefused")],
)  # fmt: skip
def test_what_sagemaker_answers_is_classified(status: int, code: str, error: str) -> None:
    response = {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    assert type(sagemaker._problem(response)).__name__ == error


def test_apprise_delivers_and_says_when_it_could_not() -> None:
    with serving() as server:
        settings = apprise.Settings(url=Secret(server.url.replace("http://", "json://") + "/hunter2"))
        destination = settings.open()
        assert destination.write([alerts(alert_row(severity="critical"))]).left == ()
        assert "[critical] flights" in server.asked[0].json()["title"]
        server.respond = lambda asked: Reply(500)
        because = destination.write([alerts()]).because
    assert isinstance(because, SinkUnavailable)
    assert "hunter2" not in repr(settings) + str(because)


def test_apprise_refuses_an_address_that_it_does_not_know_without_showing_it() -> None:
    with pytest.raises(SinkRejected) as caught:
        apprise.Settings(url=Secret("nothing://hunter2")).open()
    assert "hunter2" not in str(caught.value)


def test_a_topic_of_ours_has_requests_as_cloud_events_under_their_key(kafka: Broker, topics: Any) -> None:
    topic = topics("retraining", 3)
    settings = kafka_topic.Settings(bootstrap_servers=kafka.bootstrap_servers, topic=topic)
    destination = settings.open()
    written = destination.write([requests(request_row(), request_row(status="held_back"), request_row())])
    destination.close()
    assert written.left == ()
    consumer = Consumer(
        {"bootstrap.servers": kafka.bootstrap_servers, "group.id": topic, "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    found: list[Any] = []
    for _ in range(300):
        found += consumer.consume(2, timeout=0.1)
        if len(found) == 2:
            break
    consumer.close()
    assert [message.key() for message in found] == [request_row()["dedupe_key"].encode()] * 2
    assert found[0].value() == found[1].value()
    event = json.loads(found[0].value())
    assert event["type"] == "io.driftline.retraining.v1"
    assert event["data"]["training_window"] == {"start_ms": 10 * 86_400_000, "end_ms": 12 * 86_400_000}
    assert dict(found[0].headers())["content-type"].startswith(b"application/cloudevents+json")


def test_a_topic_whose_brokers_are_away_keeps_the_message() -> None:
    settings = kafka_topic.Settings(bootstrap_servers="127.0.0.1:1", timeout_ms=300)
    destination = settings.open()
    written = destination.write([requests()])
    destination.close()
    assert len(written.left) == 1
    assert written.because is not None


def test_settings_that_librdkafka_refuses_are_not_shown() -> None:
    with pytest.raises(SinkRejected) as caught:
        kafka_topic.Settings(bootstrap_servers="a:1", client={"sasl.hunter2": Secret("hunter2")}).open()
    assert "hunter2" not in str(caught.value)
