"""The composition root: from a configuration to each role, ready to run. Nothing else knows all the parts.

What only one role needs is imported when that role is made, so that no role needs another's clients.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

import stamina

from monitor.config.schema import Config
from monitor.errors import InputError, StoppedError, Unavailable
from monitor.reference.opened import References, open_references
from sinks.errors import SinkRejected, SinkUnavailable

if TYPE_CHECKING:
    import faust
    import pyarrow as pa

    from monitor.process.health import Health
    from monitor.roles.deliver import Deliver
    from monitor.roles.ingest import Ingest
    from monitor.sketching.ingest_step import Grids, IngestStep
    from sinks.destination import Destination

_T = TypeVar("_T")


def prepare_topics(config: Config, sources: dict[str, int] | None = None) -> None:
    """Make what topics of our own are missing; with `sources`, those source topics as well."""
    from monitor.kafka.topics import CONTROLS, changelog_topic, ensure_topics, join_changelog_topic

    compacted = [changelog_topic(config.kafka), config.kafka.own_topic(CONTROLS)]
    if config.joins:
        compacted.append(join_changelog_topic(config.kafka))
    ensure_topics(config.kafka, sources=sources, compacted=tuple(compacted), joins=config.joins)


def ingest_role(config: Config, worker: str, health: "Health") -> "Ingest":
    """The ingest role."""
    from monitor.reference.watch import ReferenceWatch
    from monitor.roles.ingest import Ingest

    references = open_references(config)
    watch = ReferenceWatch(config, references)

    def renewed(now_s: float) -> "Grids | None":
        changed = watch.changed(now_s)
        return None if changed is None else ingest_grids(config, changed)

    return Ingest(config.kafka, ingest_step(config, references), worker=worker, health=health, renewed=renewed)


def ingest_step(config: Config, references: References | None = None) -> "IngestStep":
    """What ingest makes of messages and time."""
    from monitor.sketching.ingest_step import IngestStep

    decode, current, blocks, features = ingest_grids(config, references or open_references(config))
    return IngestStep(config.kafka, decode, current, {model.name: model for model in config.models}, blocks, features)


def ingest_grids(config: Config, references: References) -> "Grids":
    """What of ingest depends on the references."""
    from monitor.kafka.decoding import KafkaDecoder
    from monitor.models import feature_blocks, label_decoder, message_decoder, prediction_blocks
    from monitor.sketching.ingest_step import Grids

    blocks = prediction_blocks(config, references)
    labels = label_decoder(config) if blocks else None
    return Grids(
        decode=KafkaDecoder(message_decoder(config, references), config.kafka.topics, labels),
        references={name: of_model.current for name, of_model in references.items()},
        blocks=blocks,
        features=feature_blocks(config, references),
    )


def evaluate_role(config: Config, worker: str, health: "Health") -> "faust.App":
    """The score role's Faust app."""
    from monitor.evaluation.evaluator import Evaluator
    from monitor.models import policies, watched
    from monitor.roles.evaluate import build_app

    references = open_references(config)
    return build_app(
        config.kafka,
        Evaluator(watched(config, references)),
        policies(config, references),
        worker=worker,
        state_dir=config.state_dir,
        health=health,
    )


def join_role(config: Config, worker: str, health: "Health") -> "faust.App":
    """The join role's Faust app. Raises `InputError` where there is nothing to join."""
    from monitor.join.joiner import Joiner
    from monitor.models import join_models, performance_messages
    from monitor.roles.join import build_join_app

    if not config.joins:
        raise InputError(
            "no model has a label_horizon or feature_skew", hint="say how long labels may take: label_horizon: 30d"
        )
    joiner = Joiner(join_models(config))
    messages = performance_messages(config, open_references(config))
    return build_join_app(config.kafka, joiner, messages, worker=worker, state_dir=config.state_dir, health=health)


def open_destination(config: Config, name: str) -> "Destination":
    """The destination of this name, not yet connected.

    Raises `InputError` when the configuration has none of it, `StoppedError` when its settings contradict each other.
    """
    if name not in config.destinations:
        raise InputError(f"no destination {name!r}", hint=f"destinations: {', '.join(config.destinations) or 'none'}")
    try:
        return config.destinations[name].open()
    except SinkRejected as error:
        raise StoppedError(f"{name}: {error}", hint=f"mend destinations.{name}") from error


def deliver_role(
    config: Config,
    name: str,
    destination: "Destination",
    worker: str,
    health: "Health",
    *,
    first_rows: "Sequence[pa.RecordBatch]" = (),
    renewed: "Callable[[float], Sequence[pa.RecordBatch]] | None" = None,
) -> "Deliver":
    """The deliver role of one destination."""
    from monitor.roles.deliver import Deliver

    settings = config.destinations[name]
    return Deliver(
        config.kafka, destination, settings, name=name, health=health, worker=worker, first=first_rows, renewed=renewed
    )


def first_rows(references: References) -> "list[pa.RecordBatch]":
    """What every destination is given at the start: the references."""
    from monitor.reference.batch import reference_batch

    return [reference_batch(of_model.current for of_model in references.values())]


def renewed_rows(config: Config, references: References) -> "Callable[[float], Sequence[pa.RecordBatch]]":
    """By the monotonic clock in seconds, what destinations are given when references have been replaced."""
    from monitor.reference.watch import ReferenceWatch

    watch = ReferenceWatch(config, references)

    def renewed(now_s: float) -> "Sequence[pa.RecordBatch]":
        changed = watch.changed(now_s)
        return () if changed is None else first_rows(changed)

    return renewed


def migrate(config: Config) -> dict[str, list[str]]:
    """Bring the schema of every destination that has one up to date; returns what was applied, by destination.

    Raises `Unavailable` when one is out of reach for a minute, `StoppedError` when it refuses.
    """
    from sinks.destination import Migrates

    applied = {}
    for name, destination in _destinations(config):
        if isinstance(destination, Migrates):
            applied[name] = _patiently(functools.partial(_calling, name, destination.migrate))
    return applied


def reach_destinations(config: Config) -> None:
    """Connect to every destination once.

    Raises `Unavailable` when one is out of reach, `StoppedError` when it refuses, or its schema is of another release.
    """
    for name, destination in _destinations(config):
        _calling(name, destination.setup)


def expect_no_results(config: Config) -> None:
    """Raise `InputError` when a destination holds results of another run.

    For a run that counts from nothing: its offsets and revisions begin again, and rows of the two would pass for each
    other's.
    """
    from sinks.destination import Remembers

    for name, destination in _destinations(config):
        if isinstance(destination, Remembers) and _patiently(
            functools.partial(_calling, name, destination.holds_results)
        ):
            raise InputError(
                f"destinations.{name} holds the results of an earlier session, and this one would mix with them",
                hint=f"move them away, name another place, or leave destinations.{name} out",
            )


def _destinations(config: Config) -> "Iterator[tuple[str, Destination]]":
    for name in config.destinations:
        with contextlib.closing(open_destination(config, name)) as destination:
            yield name, destination


def _patiently(call: Callable[[], _T]) -> _T:
    for attempt in stamina.retry_context(on=Unavailable, attempts=None, timeout=60.0, wait_max=5.0):
        with attempt:
            return call()
    raise AssertionError("retry_context returns or raises")


def _calling(name: str, call: Callable[[], _T]) -> _T:
    try:
        return call()
    except SinkUnavailable as error:
        raise Unavailable(f"{name}: {error}") from error
    except SinkRejected as error:
        raise StoppedError(f"{name}: {error}", hint=f"mend destinations.{name}, or what it may do there") from error
