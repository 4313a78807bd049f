"""Lines on standard error that are no log: for a person as they are, with `DRIFTLINE_LOG=json` a JSON object each."""

import json
import logging
import os
import sys
import threading
import traceback
from collections.abc import Iterable
from datetime import UTC, datetime
from types import TracebackType

from rich.console import Console


def is_json() -> bool:
    """Whether standard error is for machines."""
    return os.environ.get("DRIFTLINE_LOG") == "json"


def write_json(event: str, level: str = "info", **fields: object) -> None:
    """One object, with the keys of a line of the log: `event`, `level`, `timestamp`, and `fields`."""
    at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    said = {"event": event, "level": level, "timestamp": at, **fields}
    sys.stderr.write(json.dumps(said, default=str) + "\n")
    sys.stderr.flush()


def say(lines: Iterable[str]) -> None:
    """Tell whoever watches."""
    console = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)
    for line in lines:
        if is_json():
            write_json(line)
        else:
            console.print(line)


def keep_json() -> None:
    """Where standard error is for machines, make what Python itself writes there JSON too: tracebacks and warnings."""
    if not is_json():
        return

    def told(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
        exception = "".join(traceback.format_exception(kind, error, trace))
        write_json(f"{kind.__name__}: {error}", "critical", exception=exception)

    sys.excepthook = told
    threading.excepthook = lambda args: told(args.exc_type, args.exc_value, args.exc_traceback)
    logging.captureWarnings(capture=True)
    if not logging.getLogger().handlers:  # commands that set up no logging of their own
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_Json())
        logging.getLogger().addHandler(handler)


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z")
        event = " ".join(record.getMessage().split())
        return json.dumps({"event": event, "level": record.levelname.lower(), "timestamp": at, "logger": record.name})
