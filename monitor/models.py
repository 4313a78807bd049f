"""From a configuration and its references to what the pure core must know of the models. No client is imported."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

from detectors.reference import Reference
from detectors.settings import Setting
from monitor.config.schema import Config, Kafka, Model
from monitor.decisions.policy import Policy
from monitor.decisions.stage import policy_of
from monitor.evaluation.compare import Compare
from monitor.evaluation.watched import Watched
from monitor.events.models import Limits, ModelSpec
from monitor.reference.opened import References

if TYPE_CHECKING:
    from detectors.sequential_registry import SequentialDetector
    from monitor.events.decoder import MessageDecoder
    from monitor.events.labels import LabelDecoder, LabelSpec
    from monitor.join.feature_blocks import FeatureBlocks
    from monitor.join.outgoing import PredictionBlocks
    from monitor.join.performance_messages import PerformanceMessages
    from monitor.join.step import JoinModel

_T = TypeVar("_T")


def model_specs(config: Config, references: References) -> list[ModelSpec]:
    """What decoding must know of each model."""
    return [
        ModelSpec(
            name=model.name,
            layout=references[model.name].current.layout.observed,
            dimensions=references[model.name].current.dimensions,
            task=model.task,
            mapping=model.mapping.of_events,
            envelope=model.mapping if model.mapping.is_serving else None,
            positive=model.positive,
            max_ahead_ms=model.max_ahead_ms,
            with_ids=model.label_horizon_ms is not None or model.feature_skew is not None,
            feature_ids=model.feature_skew is not None,
        )
        for model in config.models
    ]


def label_decoder(config: Config) -> "LabelDecoder":
    """The decoder of the labels of this configuration's models."""
    from monitor.events.labels import LabelDecoder

    return LabelDecoder(label_specs(config), len(config.models), limits(config.kafka), config.kafka.format)


def label_specs(config: Config) -> "list[LabelSpec]":
    """What decoding must know of the labels of each model that has some."""
    from monitor.events.labels import LabelSpec

    return [
        LabelSpec(
            name=model.name,
            task=model.task,
            mapping=model.label_mapping,
            times=model.label_mapping.times(model.mapping),
            max_ahead_ms=model.max_ahead_ms,
        )
        for model in config.models
        if model.label_horizon_ms is not None
    ]


def prediction_blocks(config: Config, references: References) -> "dict[str, PredictionBlocks]":
    """What makes blocks of the predictions of each model that has labels."""
    from monitor.join.outgoing import PredictionBlocks

    return {
        model.name: PredictionBlocks(model.name, references[model.name].current, model.pane_ms, model.max_versions)
        for model in config.models
        if model.label_horizon_ms is not None
    }


def feature_blocks(config: Config, references: References) -> "dict[str, FeatureBlocks]":
    """What makes blocks of the features of each model that has them compared. Raises `InputError` for too many."""
    from monitor.join.feature_blocks import FeatureBlocks

    return {
        model.name: FeatureBlocks(
            model.name,
            references[model.name].current,
            model.pane_ms,
            model.max_versions,
            model.feature_skew.columns,
        )
        for model in config.models
        if model.feature_skew is not None
    }


def join_models(config: Config) -> "list[JoinModel]":
    """What the join must know of each model that has labels, and of each that has features compared."""
    from monitor.join.feature_share import features_name
    from monitor.join.step import JoinModel

    of_features = [
        JoinModel(
            name=features_name(model.name),
            features_of=model.name,
            horizon_ms=model.feature_skew.horizon_ms,
            lateness_ms=model.lateness_ms,
        )
        for model in config.models
        if model.feature_skew is not None
    ]
    return of_features + [
        JoinModel(
            name=model.name,
            horizon_ms=model.label_horizon_ms,
            lateness_ms=model.lateness_ms,
            label_is=model.label_is,
        )
        for model in config.models
        if model.label_horizon_ms is not None
    ]


def performance_messages(config: Config, references: References) -> "PerformanceMessages":
    """What makes messages of what is joined: labels, and features that are computed again."""
    from monitor.join.performance_messages import PerformanceMessages

    models = [model for model in watched(config, references) if model.joined]
    # `drift.joins` has as many partitions as `drift.sketches`.
    return PerformanceMessages(models, config.kafka.sketch_partitions, config.kafka.sketch_partitions)


def watched(config: Config, references: References) -> list[Watched]:
    """What scoring must know of each model."""
    return [
        Watched(
            name=model.name,
            shapes=tuple(window.shape for window in model.windows),
            lateness_ms=model.lateness_ms,
            retention_ms=model.retention_ms,
            max_versions=model.max_versions,
            label_horizon_ms=model.label_horizon_ms,
            task=model.task,
            positive=model.positive,
            threshold=model.threshold,
            mature_at=model.mature_at,
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
            concept_drift=_concept_drift(model),
            feature_skew=model.feature_skew,
        )
        for model in config.models
    ]


def policies(config: Config, references: References) -> list[Policy]:
    """What decisions on each model go by, with what the references that are there by now say."""
    return [policy_with(model, references[model.name]) for model in config.models]


def policy_with(model: Model, references: Mapping[str, Reference]) -> Policy:
    """What decisions on a model go by, with the labels and the importances of its references."""
    return policy_of(model, _Versions(references), _Importances(references))


class _OfReferences(Mapping[str, _T]):
    """Something of a model's references by digest; of those that come later, too."""

    def __init__(self, references: Mapping[str, Reference]) -> None:
        self._references = references

    def __iter__(self) -> Iterator[str]:
        return iter(self._references)

    def __len__(self) -> int:
        return len(self._references)


class _Versions(_OfReferences[str]):
    def __getitem__(self, digest: str) -> str:
        return self._references[digest].version


class _Importances(_OfReferences[Mapping[str, float]]):
    def __getitem__(self, digest: str) -> Mapping[str, float]:
        return self._references[digest].importance


def _concept_drift(model: Model) -> "tuple[SequentialDetector, ...]":
    """What reads its losses; nothing where no labels are joined."""
    if model.label_horizon_ms is None:
        return ()
    from detectors.sequential_registry import sequential_detector

    return tuple(sequential_detector(one.detector, one.parameters) for one in model.concept_drift)


def message_decoder(config: Config, references: References) -> "MessageDecoder":
    """The decoder of this configuration's models."""
    from monitor.events.decoder import MessageDecoder  # brings Numba and pyarrow, which scoring can do without

    return MessageDecoder(model_specs(config, references), limits(config.kafka), config.kafka.format)


def limits(kafka: Kafka) -> Limits:
    """The bounds of a message."""
    return Limits(max_message_bytes=kafka.max_message_bytes, max_events_a_message=kafka.max_events_a_message)
