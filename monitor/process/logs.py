"""Logging of every role: one line an event on standard error.

`DRIFTLINE_LOG=json` writes it for machines; `DRIFTLINE_LOG_LEVEL` is `info` if not set.
"""

import logging
import os
import sys

import structlog
from stamina.instrumentation import RetryDetails, set_on_retry_hooks


def configure_logging(role: str, *, verbose: bool = False) -> None:
    """Set up structlog, and route the libraries' own logging through it at WARNING. A retry is one line."""
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
    # Reconnection attempts of the client libraries: the role says once that the broker is lost, and once that it is
    # back.
    for noisy in ("faust", "mode", "kafka"):
        logging.getLogger(noisy).setLevel(logging.DEBUG if verbose else logging.ERROR)
    # These log an error or a traceback for every connection that is refused, seventy a second, and report the same to
    # their caller, where it becomes a line of ours.
    for repeating in ("aiokafka", "clickhouse_connect", "urllib3", "driftline.kafka"):
        logging.getLogger(repeating).setLevel(logging.DEBUG if verbose else logging.CRITICAL)
    # In the place of stamina's own: those log every argument, and count in a metric that our table does not have.
    set_on_retry_hooks([_log_retry])


def _log_retry(details: RetryDetails) -> None:
    structlog.get_logger().warning(f"{details.caused_by}; trying again", again_in_s=round(details.wait_for, 1))
