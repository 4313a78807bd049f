"""The configuration's types: what each key means, its unit and its default.

Names in the file are plain (``size``, ``lateness``); the attributes say their unit (``size_ms``, ``lateness_ms``).
`monitor.config.load` reads a file into a `Config`; `monitor.config.checks` holds the rules between keys.
"""

import math
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, field

from monitor.config.addresses import Address
from monitor.config.decisions import AlertSettings, RetrainingSettings
from monitor.config.methods import DEFAULT_DETECTORS, DEFAULT_METHODS, default_threshold
from monitor.config.spans import Span
from monitor.config.variants import Variants
from monitor.events.label_mapping import LabelMapping
from monitor.events.mapping import Mapping
from monitor.eventtime.calendar_shape import CalendarShape
from monitor.eventtime.seasons import Season
from monitor.eventtime.windows import FixedShape, WindowShape, pane_length_ms
from sinks.registry import destination_types, own_destination_types, settings_of
from sinks.secret import Secret
from sinks.settings import DestinationSettings

Duration = Annotated[int, Meta(extra={"form": "duration"})]
"""Milliseconds from 0; in the file ``90s``, ``15m``, ``1h``, ``7d``. Each form is in `monitor.config.forms`."""
Time = Annotated[int, Meta(ge=1, extra={"form": "duration"})]
"""A `Duration` above 0."""
Length = Annotated[Span, Meta(extra={"form": "span"})]
"""A `Time`, or so many weeks or months of the calendar: ``1w``, ``1mo``."""
Name = Annotated[str, Meta(extra={"form": "name"})]
ColumnName = Annotated[str, Meta(extra={"form": "column"})]
Segment = Annotated[str, Meta(extra={"form": "segment"})]
Topic = Annotated[str, Meta(extra={"form": "topic"})]
DestinationName = Annotated[str, Meta(extra={"form": "destination"})]
AnyDestination = Annotated[
    DestinationSettings,
    Meta(extra={"variants": Variants(names=destination_types, own=own_destination_types, struct_of=settings_of)}),
]
"""Settings of one of the types of destination that are installed."""

Count = Annotated[int, Meta(ge=1, le=1_000_000_000)]

Task = Literal["binary", "multiclass", "regression", "none"]
ColumnKind = Literal["numeric", "categorical", "boolean"]
Format = Literal["auto", "json", "arrow"]

MATURE_AT: Final = 0.9

_SECOND_MS, _HOUR_MS, _DAY_MS = 1_000, 3_600_000, 86_400_000
_DEFAULT_DESTINATION = "clickhouse"
_SAME_AS_SIZE = Span(n=0)  # cannot be written in a file, where spans are above 0
_OF_THE_METHOD = math.nan  # cannot be written in a file, where numbers are finite


class WindowSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Half-open windows of `size`, one starting each `every`.

    Aligned to the epoch plus `offset_ms`. Where a time zone is given, or a length is in weeks or months, aligned to the
    calendar: to local midnights, Mondays, the first of months, quarters and years, plus `offset_ms`.
    """

    size: Length
    every: Length = _SAME_AS_SIZE
    """Step between starts; default: the size, so that windows follow each other."""
    offset_ms: Duration = field(name="offset", default=0)
    """From 0 to less than the step; beside months, to less than 28 days."""
    timezone: Annotated[str | None, Meta(extra={"form": "timezone"})] = None
    """Whose days, weeks and months; None: UTC's."""

    def __post_init__(self) -> None:
        if self.every == _SAME_AS_SIZE:
            msgspec.structs.force_setattr(self, "every", self.size)

    @property
    def is_calendar(self) -> bool:
        """Whether windows are of the calendar, and so may differ in length."""
        return self.timezone is not None or not self.size.unit == self.every.unit == "ms"

    @property
    def shape(self) -> WindowShape:
        """The windows themselves.

        Raises
        ------
        ValueError
            Size, step and offset do not go together: `monitor.config.window_checks` has told what is wrong.
        """
        if not self.is_calendar:
            return FixedShape(size_ms=self.size.n, every_ms=self.every.n, offset_ms=self.offset_ms)
        months = self.size.months is not None
        size, every = (span.months if months else span.days for span in (self.size, self.every))
        if size is None or every is None:
            raise ValueError(f"windows of the calendar are whole days, weeks or months: {self}")
        return CalendarShape(
            size=size, every=every, months=months, offset_ms=self.offset_ms, timezone=self.timezone or "UTC"
        )


class Drift(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One drift method, and the effect from which on it matters."""

    method: Annotated[str, Meta(extra={"form": "method"})]
    """A name in `detectors.registry`."""
    threshold: Annotated[float, Meta(gt=0)] = _OF_THE_METHOD
    """Smallest effect that counts as drift, above 0, in the method's own unit; default: the method's."""
    verdict: bool = True
    """Whether it has a say in the column's verdict; false: it is scored and written as evidence alone."""
    bins: Annotated[int, Meta(extra={"form": "bins"})] = 10
    """Coarse cells of numeric columns: 10 (deciles), or a power of two from 2 to 256."""
    columns: tuple[ColumnName, ...] | None = None
    """The columns it looks at; None: all it applies to."""

    def __post_init__(self) -> None:
        if math.isnan(self.threshold):
            msgspec.structs.force_setattr(self, "threshold", default_threshold(self.method))


class CompareSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What windows are compared with: one of the keys, or ``pinned`` in the place of all."""

    trailing_ms: Annotated[int | None, Meta(ge=1, extra={"form": "duration"})] = field(name="trailing", default=None)
    """The model's own panes of so long before the window, of all versions."""
    season: Season | None = None
    """The reference's rows of the seasons that the window has a part of."""
    timezone: Annotated[str, Meta(extra={"form": "timezone"})] = "UTC"
    """Whose clocks tell the season."""
    version: Annotated[str | None, Meta(extra={"form": "name"})] = None
    """The same window of this other version of the model."""

    def __post_init__(self) -> None:
        n = sum(value is not None for value in (self.trailing_ms, self.season, self.version))
        if n > 1 or (n == 0 and self.timezone != "UTC"):
            raise ValueError("needs just one of the keys trailing, season and version")
        if self.timezone != "UTC" and self.season is None:
            raise ValueError("timezone belongs to season")


PINNED = CompareSettings()


class ConceptDrift(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One sequential detector that reads the model's losses in label time; its name alone stands for its defaults."""

    detector: Annotated[str, Meta(extra={"form": "detector"})]
    """A name in `detectors.sequential_registry`."""
    parameters: dict[Name, int | float | str] = {}
    """Its own, as its docstring says."""


class FeatureSkew(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How features that are computed again are compared with what the model was served, by `prediction_id`."""

    tolerance: Annotated[float, Meta(ge=0, lt=1)] = 1e-6
    """Numbers are equal that differ by at most this share of the larger; the default forgives float32, not less."""
    absolute: Annotated[float, Meta(ge=0)] = 0.0
    """Or by at most this, in the column's own unit: for columns whose values lie round 0."""
    horizon_ms: Time = field(name="horizon", default=2 * _DAY_MS)
    """How far apart the two events of a prediction may lie, by their timestamps."""
    columns: tuple[ColumnName, ...] | None = None
    """The features that are compared; None: all."""


class Model(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One monitored model."""

    name: Name
    """As events give it in `model`."""
    task: Task = "none"
    """What a prediction is: decides how a bare number or text is read."""
    reference: Path
    """The reference file; in the file relative to the configuration's folder."""
    columns: dict[ColumnName, ColumnKind] = {}
    """Kinds that overrule those inferred when the reference is built."""
    multivariate: bool = False
    """Whether columns that are derived from all numeric features together are watched too; see `detectors.derived`.
    The reference is built with them."""
    mapping: Mapping = field(default_factory=Mapping)
    segments: tuple[Segment, ...] = ()
    """Dimensions whose values are scored apart, beside the whole."""
    windows: tuple[WindowSettings, ...] = (WindowSettings(size=Span(n=_DAY_MS)),)
    """What is scored: all of them are sums of panes, the longest time they share."""
    lateness_ms: Duration = field(name="lateness", default=_HOUR_MS)
    """How far events may come out of order before a window closes without them."""
    retention_ms: Duration = field(name="retention", default=14 * _DAY_MS)
    """How long after it closed a window is scored again for late events."""
    max_ahead_ms: Duration = field(name="max_ahead", default=_HOUR_MS)
    """Events dated further ahead of the wall clock are rejected. An hour forgives a clock in the wrong daylight-saving
    hour and bounds how early one bad clock can close windows."""
    label_horizon_ms: Annotated[int | None, Meta(ge=1, extra={"form": "duration"})] = field(
        name="label_horizon", default=None
    )
    """How long after a prediction its label may come; None: the model has no labels, and its predictions are not kept
    for them."""
    label_is: Literal["latest", "first"] = "latest"
    """Which label of a prediction counts where several differ, by the labels' timestamps."""
    label_mapping: LabelMapping = field(default_factory=LabelMapping)
    """Where things lie in a label event."""
    positive: Annotated[str | None, Meta(extra={"form": "class"})] = None
    """Binary: the class that a score is the probability of; None: as the labelled reference tells."""
    threshold: float | None = None
    """Binary: the score from which on a prediction says the positive class; None: it says the class it names, and where
    it names none, 0.5 decides."""
    mature_at: Annotated[float, Meta(gt=0, le=1)] = MATURE_AT
    """The share of a window's predictions that must have a label before its performance is no longer provisional."""
    concept_drift: tuple[Annotated[ConceptDrift, Meta(extra={"form": "concept_drift"})], ...] = field(
        default_factory=lambda: tuple(ConceptDrift(detector=name) for name in DEFAULT_DETECTORS)
    )
    """What reads the model's errors as labels come; each of them has verdicts of its own. None: ``[]``."""
    feature_skew: FeatureSkew | None = None
    """Whether events with features, a `prediction_id` and no prediction are compared with the prediction's own
    features, and not counted as live data; None: they are counted as any other."""
    max_versions: Annotated[int, Meta(ge=1, le=1_000)] = 50
    """Versions that are told apart at a time, while events of them may still come; the rest share ``(rest)``."""
    min_samples: Count = 50
    """Segments and columns of which the reference has fewer rows than this are never scored; windows are not while a
    segment has too few."""
    alpha: Annotated[float, Meta(gt=0, lt=1)] = 0.05
    """Largest q-value that counts as significant, between 0 and 1: the share of false verdicts among a window's."""
    compare: tuple[Annotated[CompareSettings, Meta(extra={"form": "compare"})], ...] = (PINNED,)
    """What windows are compared with; of several each has verdicts of its own."""
    drift: tuple[Drift, ...] = field(
        default_factory=lambda: (
            *(Drift(method=name) for name in DEFAULT_METHODS),
            Drift(method="psi", threshold=0.2, verdict=False),
        )
    )
    """The methods that look for drift, and the effects from which on it matters."""
    alerts: AlertSettings = AlertSettings()
    """When people are told."""
    retraining: RetrainingSettings = RetrainingSettings()
    """When a pipeline is asked for a new model."""

    @property
    def pane_ms(self) -> int:
        """The length of a pane (milliseconds)."""
        return pane_length_ms(window.shape for window in self.windows)


class Topics(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The topics that are read, by what they carry."""

    predictions: tuple[Topic, ...] = ("predictions",)
    features: tuple[Topic, ...] = ("features",)
    labels: tuple[Topic, ...] = ("labels",)


class Kafka(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The broker, and how its topics are read and written."""

    bootstrap_servers: Annotated[str, Meta(extra={"form": "servers"})] = "localhost:9092"
    """``host:port``, several with commas between."""
    topics: Topics = Topics()
    format: Format = "auto"
    """Format of events whose message has no content-type header; auto: from the first bytes."""
    client: dict[Annotated[str, Meta(extra={"form": "client_key"})], Secret[str | int | bool]] = {}
    """librdkafka settings passed on as they are (SASL, TLS); see `client_settings`."""
    consumer_group: Name = "driftline"
    """What the names of all consumer groups begin with."""
    topic_prefix: Topic = "drift"
    """What the names of Driftline's own topics begin with."""
    sketch_partitions: Annotated[int, Meta(ge=1, le=10_000)] = 8
    """Partitions of Driftline's own topics: the most workers `evaluate` can have. Fixed once the topics exist."""
    replication_factor: Annotated[int, Meta(ge=1, le=100)] = 1
    """Copies of Driftline's own topics; 3 on a cluster in production."""
    idle_timeout_ms: Time = field(name="idle_timeout", default=60 * _SECOND_MS)
    """A partition silent for this long, with nothing left to read, no longer holds windows open."""
    commit_interval_ms: Time = field(name="commit_interval", default=_SECOND_MS)
    """Longest time between two commits of ingest."""
    session_timeout_ms: Annotated[int, Meta(ge=6_000, le=1_800_000, extra={"form": "duration"})] = field(
        name="session_timeout", default=10 * _SECOND_MS
    )
    """A worker silent for this long loses its partitions to the others; brokers accept 6s to 30m."""
    batch_events: Count = 50_000
    """Most messages taken from Kafka at a time; 64 MiB of them whatever this says. A commit waits some 40 ms for the
    broker, however many it counts."""
    max_message_bytes: Annotated[int, Meta(ge=1_024, le=1_000_000_000)] = 8 * 1024 * 1024
    """Longer messages are rejected as oversize."""
    max_events_a_message: Count = 1_000_000
    """So are messages that hold more events than this."""

    def client_settings(self) -> dict[str, str | int | bool]:
        """The `client` settings in the clear: for librdkafka, never for a message."""
        return {key: secret.reveal() for key, secret in self.client.items()}

    def own_topic(self, name: str) -> str:
        """The full name of one of Driftline's own topics: ``own_topic("sketches")`` is ``drift.sketches``."""
        return f"{self.topic_prefix}.{name}"


class Metrics(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where ``/metrics``, ``/healthz`` and ``/readyz`` are served."""

    listen: Annotated[Address | None, Meta(extra={"form": "listen"})] = Address(host="127.0.0.1", port=9108)


class Page(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the page and the JSON API are served, and to whom."""

    listen: Annotated[Address | None, Meta(extra={"form": "listen"})] = Address(host="127.0.0.1", port=8642)
    """None: `up` and `demo` do not serve them."""
    token: Secret[Annotated[str, Meta(extra={"form": "token"})]] = field(default_factory=lambda: Secret(""))
    """What a visitor must know; empty: nothing, which only an address of the loopback allows."""


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole configuration: one YAML file."""

    models: tuple[Model, ...]
    kafka: Kafka = Kafka()
    destinations: dict[DestinationName, AnyDestination] = field(
        default_factory=lambda: {_DEFAULT_DESTINATION: settings_of(_DEFAULT_DESTINATION)()}
    )
    """Where results go, by names of the user's own; each has a consumer group of its own."""
    metrics: Metrics = Metrics()
    ui: Page = field(default_factory=Page)
    state_dir: Path = Path(".driftline")
    """Where `evaluate` keeps its state (RocksDB); in the file relative to the configuration's folder."""

    @property
    def joins_labels(self) -> bool:
        """Whether any model has labels."""
        return any(model.label_horizon_ms is not None for model in self.models)

    @property
    def joins(self) -> bool:
        """Whether there is anything to join: labels, or features that are computed again."""
        return self.joins_labels or any(model.feature_skew is not None for model in self.models)
