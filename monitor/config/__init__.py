"""The configuration: one YAML file, strict, with defaults; `load` reads it, the structs say what is in it."""

from monitor.config.addresses import Address
from monitor.config.durations import format_duration, parse_duration
from monitor.config.load import load, parse
from monitor.config.schema import (
    ColumnKind,
    Config,
    Drift,
    Format,
    Kafka,
    Metrics,
    Model,
    Task,
    Topics,
    WindowSettings,
)
from monitor.events.mapping import Mapping
from sinks.secret import Secret

__all__ = [
    "Address",
    "ColumnKind",
    "Config",
    "Drift",
    "Format",
    "Kafka",
    "Mapping",
    "Metrics",
    "Model",
    "Secret",
    "Task",
    "Topics",
    "WindowSettings",
    "format_duration",
    "load",
    "parse",
    "parse_duration",
]
