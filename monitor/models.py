"""From a configuration and its references to what the pure core must know of the models. No client is imported."""

from typing import TYPE_CHECKING

from detectors.settings import Setting
from monitor.config.schema import Config, Kafka
from monitor.evaluation.compare import Compare
from monitor.evaluation.watched import Watched
from monitor.events.models import Limits, ModelSpec
from monitor.reference.opened import References

if TYPE_CHECKING:
    from monitor.events.decoder import MessageDecoder


def model_specs(config: Config, references: References) -> list[ModelSpec]:
    """What decoding must know of each model."""
    return [
        ModelSpec(
            name=model.name,
            layout=references[model.name].current.layout.observed,
            dimensions=references[model.name].current.dimensions,
            task=model.task,
            mapping=model.mapping,
            max_ahead_ms=model.max_ahead_ms,
        )
        for model in config.models
    ]


def watched(config: Config, references: References) -> list[Watched]:
    """What scoring must know of each model."""
    return [
        Watched(
            name=model.name,
            shapes=tuple(window.shape for window in model.windows),
            lateness_ms=model.lateness_ms,
            retention_ms=model.retention_ms,
            max_versions=model.max_versions,
            min_samples=model.min_samples,
            settings=tuple(
                Setting(method=d.method, threshold=d.threshold, verdict=d.verdict, bins=d.bins, columns=d.columns)
                for d in model.drift
            ),
            alpha=model.alpha,
            compare=tuple(
                Compare(
                    trailing_ms=one.trailing_ms or 0,
                    season=one.season,
                    timezone=one.timezone,
                    version=one.version or "",
                )
                for one in model.compare
            ),
            references=references[model.name],
        )
        for model in config.models
    ]


def message_decoder(config: Config, references: References) -> "MessageDecoder":
    """The decoder of this configuration's models."""
    from monitor.events.decoder import MessageDecoder  # brings Numba and pyarrow, which scoring can do without

    return MessageDecoder(model_specs(config, references), limits(config.kafka), config.kafka.format)


def limits(kafka: Kafka) -> Limits:
    """The bounds of a message."""
    return Limits(max_message_bytes=kafka.max_message_bytes, max_events_a_message=kafka.max_events_a_message)
