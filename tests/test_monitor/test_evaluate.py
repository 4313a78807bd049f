"""The score role around the evaluator: what it waits for, when it leaves, and what it tells Prometheus."""

import asyncio
from types import SimpleNamespace
from typing import cast

import faust
import pytest
from faust.types import EventT, Message
from prometheus_client import REGISTRY
from support.flow import MINUTE_MS, Event, make_reference, make_watched, message_of

from monitor.config.schema import Kafka
from monitor.evaluation.evaluator import Evaluator, Step
from monitor.evaluation.watched import Watched
from monitor.eventtime.watermark import Clock
from monitor.kafka.topics import partition_of_model
from monitor.process.health import Health
from monitor.roles import evaluate
from monitor.roles.evaluate import _Role
from monitor.roles.evaluate_metrics import EvaluateMetrics
from monitor.sketching.messages import encode
from sinks.records import DriftScore, ResultBatch

REFERENCE = make_reference()


class FakeConsumer:
    def __init__(self) -> None:
        self.flow_active = True
        self.released: list[Message] = []

    def release(self, message: Message) -> None:
        self.released.append(message)


class Bench:
    """A role on a table and topics that keep what they get."""

    def __init__(self, model: Watched) -> None:
        self.consumer = FakeConsumer()
        self.app = SimpleNamespace(should_stop=False, consumer=self.consumer)
        self.data: dict[bytes, bytes] = {}
        self.health = Health("evaluate")
        self.n_sent = 0
        table = SimpleNamespace(data=self.data, send_changelog=lambda *_args: self._acknowledged())
        results = SimpleNamespace(send=self._send)
        self.role = _Role(
            cast("faust.App", self.app), Kafka(), Evaluator([model]), cast("faust.Table[bytes, bytes]", table),
            cast("faust.TopicT", results), self.health,
        )  # fmt: skip

    async def _acknowledged(self) -> None:
        self.n_sent += 1

    async def _send(self, **_kwargs: object) -> object:
        return self._acknowledged()


def event() -> EventT[bytes]:
    events = [Event(MINUTE_MS, 0.1, 0, 0)]
    value = encode(message_of(events, REFERENCE, make_watched(REFERENCE), [Clock(topic="t", partition=0)], 1))
    return cast("EventT[bytes]", SimpleNamespace(message=Message("s", 0, 7, 0.0, 0, None, b"", value, None)))


@pytest.mark.parametrize("why", ["the process ends", "a rebalance"])
def test_a_role_that_waits_for_a_reference_leaves_when_it_must_and_has_done_nothing(
    why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "REFERENCE_RETRY_S", 0.02)
    monkeypatch.setattr(evaluate, "LEAVE_S", 0.01)
    bench = Bench(make_watched(REFERENCE, references={}))

    async def leave() -> bool:
        task = asyncio.create_task(bench.role.take(event()))
        while not bench.health.not_ready_because.startswith("model 'm'"):
            await asyncio.sleep(0)
        assert not task.done()
        if why == "a rebalance":
            bench.consumer.flow_active = False
        else:
            bench.app.should_stop = True
        return await asyncio.wait_for(task, 5.0)

    assert asyncio.run(leave()) is False, "so it is not acknowledged"
    assert [message.offset for message in bench.consumer.released] == [7]
    assert (bench.data, bench.n_sent) == ({}, 0)


def test_a_role_goes_on_when_the_reference_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "REFERENCE_RETRY_S", 0.02)
    monkeypatch.setattr(evaluate, "LEAVE_S", 0.01)
    references: dict[str, object] = {}
    bench = Bench(make_watched(REFERENCE, references=references))

    async def appear() -> bool:
        task = asyncio.create_task(bench.role.take(event()))
        while not bench.health.not_ready_because.startswith("model 'm'"):
            await asyncio.sleep(0)
        references[REFERENCE.digest] = REFERENCE
        return await asyncio.wait_for(task, 5.0)

    assert asyncio.run(appear()) is True
    assert bench.data
    assert bench.n_sent == len(bench.data)
    assert bench.health.not_ready_because == ""


N = 4


def step(model: str, watermark_ms: int) -> Step:
    row = DriftScore(
        model=model, version="1", reference="r", segment="", column="c", method="psi", window_start_ms=0,
        window_end_ms=1, statistic=0.5, p_value=0.0, q_value=0.0, threshold=0.2, drifted=True, insufficient=False,
        n_reference=1, n_current=1, error_bound=0.0, revision=1,
    )  # fmt: skip
    batch = ResultBatch(source_topic="s", source_partition=0, source_offset=0, scores=[row])
    return Step(seal=(b"", b""), watermarks_ms={model: watermark_ms}, results=[batch])


def gauge(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


def test_the_watermark_delay_grows_while_no_message_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [1_000.0]
    monkeypatch.setattr("monitor.roles.evaluate_metrics.time.time", lambda: now_s[0])
    metrics = EvaluateMetrics(N)
    metrics.done(step("grows", 995_000), partition_of_model("grows", N), 0.1)
    assert gauge("driftline_watermark_delay_seconds", model="grows") == 5.0
    now_s[0] += 2.0
    metrics.turned()
    assert gauge("driftline_watermark_delay_seconds", model="grows") == 7.0


def test_gauges_of_partitions_that_are_elsewhere_are_taken_away() -> None:
    metrics, here = EvaluateMetrics(N), partition_of_model("moves", N)
    lag = {"role": "evaluate", "topic": "moves", "partition": str(here)}
    drift = {"model": "moves", "column": "c", "method": "psi"}
    metrics.done(step("moves", 0), here, 0.1)
    metrics.lags("moves", {here: 3})
    metrics.holds({here})
    assert gauge("driftline_consumer_lag", **lag) == 3
    assert gauge("driftline_drifted", **drift) == 1, "a rebalance that leaves it here changes nothing"
    metrics.lags("moves", {})
    metrics.holds({(here + 1) % N})
    metrics.turned()
    assert gauge("driftline_consumer_lag", **lag) is None
    assert gauge("driftline_drifted", **drift) is None
    assert gauge("driftline_drift_statistic", **drift) is None
    assert gauge("driftline_watermark_delay_seconds", model="moves") is None


def test_a_watermark_is_told_of_where_the_model_lives() -> None:
    metrics, here = EvaluateMetrics(N), partition_of_model("lives", N)
    metrics.done(step("lives", 0), (here + 1) % N, 0.1)
    assert gauge("driftline_watermark_delay_seconds", model="lives") is None
