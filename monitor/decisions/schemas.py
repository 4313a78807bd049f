"""The JSON Schemas of what leaves: made from the structs, so that they cannot say anything else."""

import json
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from monitor.decisions.wire import AlertEvent, RetrainingEvent

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
FILES: Final[Mapping[str, Any]] = {"alert.v1.schema.json": AlertEvent, "retraining.v1.schema.json": RetrainingEvent}
"""By the names that they have in `docs/schemas`."""


def schema(event: Any) -> dict[str, Any]:
    """The JSON Schema of an event."""
    made: dict[str, Any] = msgspec.json.schema(event)
    for definition in made["$defs"].values():
        if "description" in definition:
            # The first paragraph: fields are told by their own names and types.
            definition["description"] = " ".join(definition["description"].split("\n\n")[0].split())
    return {"$schema": _DIALECT, "title": made["$ref"].rpartition("/")[2], **made}


def documents() -> dict[str, str]:
    """Each file's text."""
    return {name: json.dumps(schema(event), indent=2) + "\n" for name, event in FILES.items()}
