"""What real topics hold that is no plain JSON event, told by its name: whoever reads a reject knows what to change."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Final

_FRAME: Final = 5  # a zero byte, and the schema's id in four
_PYTHON: Final = re.compile(rb"\s*[{\[]\s*'")
_BASE64: Final = re.compile(rb"\s*[A-Za-z0-9+/]{16,}={0,2}\s*")

_SERVING: Final[Mapping[str, Callable[[dict[str, object]], bool]]] = {
    "kserve": lambda event: str(event.get("type", "")).startswith("org.kubeflow.serving."),
    "seldon": lambda event: str(event.get("type", "")).startswith("io.seldon.serving."),
    "sagemaker": lambda event: "captureData" in event,
    "mlflow": lambda event: "databricks_request_id" in event or "dataframe_split" in event,
    "tfserving": lambda event: isinstance(event.get("instances", event.get("predictions")), list),
}


def undecodable(raw: bytes) -> str:
    """What bytes that are no JSON seem to be; "" for nothing that is known."""
    if raw[:1] == b"\0" and len(raw) > _FRAME:
        schema = int.from_bytes(raw[1:_FRAME], "big")
        return f"framed by a schema registry (schema {schema}): Avro, Protobuf or framed JSON is not read"
    if _PYTHON.match(raw):
        return "a printed Python object, not JSON: write it with json.dumps"
    if _BASE64.fullmatch(raw):
        return "base64, not JSON: send the bytes themselves"
    return ""


def no_object(event: object) -> str:
    """What a JSON value that is no object seems to be; "" for nothing that is known."""
    if isinstance(event, str):
        try:
            inner = json.loads(event)
        except (ValueError, RecursionError):
            return (
                "base64 in a JSON string: send the object itself"
                if _BASE64.fullmatch(event.encode("utf-8", "replace"))
                else ""
            )
        if isinstance(inner, dict):
            return "JSON in a JSON string: it was encoded twice"
    return ""


def envelope(event: dict[str, object]) -> str:
    """What an object around an event seems to be; "" for nothing that is known."""
    for preset, looks_like in _SERVING.items():
        if looks_like(event):
            return f"this is what serving systems log: `mapping: {{preset: {preset}}}`"
    if "specversion" in event and "data" in event:
        return "a CloudEvent: `mapping: {preset: cloudevents}`, or map its fields, such as `features: data`"
    if "schema" in event and "payload" in event:
        return "a Kafka Connect envelope: map its fields below `payload`"
    return ""
