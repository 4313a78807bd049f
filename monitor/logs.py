"""Logging of every role: one line an event on standard error.

`DRIFTLINE_LOG=json` writes it for machines; `DRIFTLINE_LOG_LEVEL` is `info` if not set.
"""

import logging
import os
import sys

import structlog


def configure_logging(role: str, *, verbose: bool = False) -> None:
    """Set up structlog, and route the libraries' own logging through it at WARNING."""
    named = logging.getLevelNamesMapping().get(os.environ.get("DRIFTLINE_LOG_LEVEL", "").upper(), logging.INFO)
    level = logging.DEBUG if verbose else named
    as_json = os.environ.get("DRIFTLINE_LOG") == "json"
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)
    )
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.bind_contextvars(role=role)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer], foreign_pre_chain=shared
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if verbose else logging.WARNING)
    # Reconnection attempts of the client libraries: the role says once that the broker is lost, and once that it is back.
    for noisy in ("aiokafka", "faust", "mode", "driftline.kafka", "kafka", "clickhouse_connect"):
        logging.getLogger(noisy).setLevel(logging.DEBUG if verbose else logging.ERROR)
