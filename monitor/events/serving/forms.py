"""The envelopes of serving systems: which a record is, where time, id and model lie in it, and what it holds.

| preset | record |
|---|---|
| `kserve` | a CloudEvent `org.kubeflow.serving.inference.request` or `.response`, or a body of v1 or v2 |
| `seldon` | a CloudEvent `io.seldon.serving.inference.request` or `.response`, or both bodies in one |
| `sagemaker` | a line of data capture: `captureData`, `eventMetadata` |
| `tfserving` | a request, a response, both in one, or a `PredictionLog` in JSON |
| `mlflow` | a row of an inference table: `request`, `response` |

KServe and Seldon send request and response as two messages with one id: the request is an event of features, the
response one of the prediction. Nothing waits for the other.

Sources: kserve.github.io, "Inference Logger"; docs.seldon.ai, "Payload Logging", and the executor's logger;
docs.aws.amazon.com/sagemaker, "Capture data from real-time endpoint"; tensorflow.org/tfx/serving, "RESTful API";
docs.databricks.com, "Inference tables for monitoring and debugging models"; mlflow.org, "MLflow Model Server".
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from monitor.events.serving.payload import csv_rows, json_rows
from monitor.events.serving.tensors import refused

NOTHING: Final = msgspec.UNSET
"""A record without a request, or without a response."""

_REQUEST_KEYS: Final = ("instances", "dataframe_split", "dataframe_records", "inputs", "examples")
_RESPONSE_KEYS: Final = ("predictions", "outputs", "results", "result", "error")
_TIMES: Final = ("timestamp", "time", "@timestamp", "ce-time")
_IDS: Final = ("prediction_id", "request_id", "requestid", "requestId", "RequestId", "id")


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """The bodies of a record; `NOTHING` where it has none."""

    request: Any = NOTHING
    response: Any = NOTHING


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """An envelope.

    Attributes
    ----------
    opened
        The bodies in a record; raises `Refused`.
    recognises
        Whether a record looks like one.
    times, ids, models, versions
        Dotted paths where each may lie, first choice first.
    example
        What a record has, for those that are none.
    """

    opened: Callable[[dict[str, Any]], Opened]
    recognises: Callable[[dict[str, Any]], bool]
    times: tuple[str, ...]
    ids: tuple[str, ...]
    models: tuple[str, ...] = ("model",)
    versions: tuple[str, ...] = ("version",)
    example: str


def _logged(prefix: str) -> Callable[[dict[str, Any]], Opened]:
    """Of CloudEvents whose type says what they hold, and of plain bodies."""

    def opened(record: dict[str, Any]) -> Opened:
        kind = record.get("type")
        if not isinstance(kind, str) or not ("data" in record or "data_base64" in record):
            return _plain(record)
        data = _encoded(record["data_base64"]) if "data_base64" in record else record["data"]
        if kind == f"{prefix}.inference.request":
            return Opened(request=data)
        if kind == f"{prefix}.inference.response":
            return Opened(response=data)
        raise refused(f"a CloudEvent of type {kind[:80]}, neither a request nor a response of {prefix}")

    return opened


def _plain(record: dict[str, Any]) -> Opened:
    """Request and response beside each other, or the body of one."""
    beside = {name: record[name] for name in ("request", "response") if record.get(name) is not None}
    if beside:
        return Opened(**{name: _payload(body) for name, body in beside.items()})
    asks, answers = any(key in record for key in _REQUEST_KEYS), any(key in record for key in _RESPONSE_KEYS)
    if asks or answers:
        return Opened(request=record if asks else NOTHING, response=record if answers else NOTHING)
    if isinstance(record.get("data"), dict) and any(key in record["data"] for key in ("ndarray", "tensor")):
        raise refused("a body that does not say whether it is a request or a response")
    return Opened()


def _payload(body: Any) -> Any:
    """The body that an index of a request logger keeps as `payload`; text of JSON is its value."""
    if isinstance(body, dict) and "payload" in body:
        body = body["payload"]
    return json_rows(body) if isinstance(body, str) else body


def _predict_log(record: dict[str, Any]) -> Opened:
    """A TensorFlow Serving `PredictionLog`, or a plain record."""
    for name in ("predictLog", "predict_log", "classifyLog", "regressLog"):
        if isinstance(record.get(name), dict):
            return _plain(record[name])
    return _plain(record)


def _captured(record: dict[str, Any]) -> Opened:
    capture = record.get("captureData")
    if not isinstance(capture, dict):
        return Opened()
    bodies = {}
    for name, key in (("request", "endpointInput"), ("response", "endpointOutput")):
        if isinstance(capture.get(key), dict):
            bodies[name] = _decoded(capture[key], key)
    return Opened(**bodies)


def _decoded(part: dict[str, Any], key: str) -> Any:
    """The body of one side of a capture, by its encoding and content type."""
    data, encoding = part.get("data"), str(part.get("encoding", "")).upper()
    kind = str(part.get("observedContentType", "")).lower()
    if encoding == "BASE64":
        data = _text(data, key)
        encoding = "CSV" if "csv" in kind else "JSON" if "json" in kind else _looks(data)
    if not isinstance(data, str):
        raise refused(f"{key} has no data")
    if encoding == "CSV" and (key == "endpointInput" or not data.lstrip().startswith("{")):  # an error is JSON
        return csv_rows(data)
    if encoding in ("CSV", "JSON"):
        return json_rows(data)
    raise refused(f"{key} is {kind or 'of no content type'} in encoding {encoding or 'none'}: CSV and JSON are read")


def _looks(text: str) -> str:
    return "JSON" if text.lstrip()[:1] in ("{", "[") else "CSV"


def _encoded(data: Any) -> Any:
    return json_rows(_text(data, "data_base64"))


def _text(data: Any, what: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, ValueError, TypeError):
        raise refused(f"{what} is no base64 of text") from None


def _is_logged(prefix: str) -> Callable[[dict[str, Any]], bool]:
    return lambda record: str(record.get("type", "")).startswith(f"{prefix}.inference.")


def _is_seldon(record: dict[str, Any]) -> bool:
    if _is_logged("io.seldon.serving")(record):
        return True
    sides = [record.get(name) for name in ("request", "response")]
    bodies = [side.get("payload", side) for side in sides if isinstance(side, dict)]
    return any(
        isinstance(body, dict) and isinstance(body.get("data"), dict) and {"ndarray", "tensor"} & body["data"].keys()
        for body in bodies
    )


def _sides(record: dict[str, Any]) -> list[dict[str, Any]]:
    return [record, *(side for name in ("request", "response") if isinstance(side := record.get(name), dict))]


def _has_rows(record: dict[str, Any]) -> bool:
    """Rows or columns as TensorFlow Serving has them: an object of columns is one of lists."""
    for side in _sides(record):
        if any(isinstance(side.get(name), list) for name in ("instances", "predictions")):
            return True
        for columns in (side.get("inputs"), side.get("outputs")):
            if isinstance(columns, list) and columns:
                return True
            if isinstance(columns, dict) and columns and all(isinstance(one, list) for one in columns.values()):
                return True
    return False


def _is_v2(record: dict[str, Any]) -> bool:
    tensors = [side.get(name) for side in _sides(record) for name in ("inputs", "outputs")]
    return any(isinstance(one, list) and one and isinstance(one[0], dict) and "datatype" in one[0] for one in tensors)


FORMS: Final[Mapping[str, Form]] = {
    "kserve": Form(
        opened=_logged("org.kubeflow.serving"),
        recognises=lambda record: _is_logged("org.kubeflow.serving")(record) or _is_v2(record),
        times=_TIMES,
        ids=_IDS,
        models=("inferenceservicename", "model"),
        versions=("data.model_version", "response.model_version", "model_version", "version"),
        example="a CloudEvent of the inference logger, or a body with instances, predictions, inputs or outputs",
    ),
    "seldon": Form(
        opened=_logged("io.seldon.serving"),
        recognises=_is_seldon,
        times=_TIMES,
        ids=("requestid", "RequestId", *_IDS),
        models=("inferenceservicename", "model"),
        example="a CloudEvent of the payload logger, or request and response",
    ),
    "sagemaker": Form(
        opened=_captured,
        recognises=lambda record: isinstance(record.get("captureData"), dict),
        times=("eventMetadata.inferenceTime", "timestamp"),
        ids=("eventMetadata.inferenceId", "eventMetadata.eventId", "prediction_id"),
        example="a line of data capture, with captureData",
    ),
    "mlflow": Form(
        opened=_plain,
        recognises=lambda record: (
            "databricks_request_id" in record
            or any(name in side for side in _sides(record) for name in ("dataframe_split", "dataframe_records"))
        ),
        times=("timestamp_ms", "request_time", *_TIMES),
        ids=("client_request_id", "databricks_request_id", *_IDS),
        example="a row of an inference table, with request and response",
    ),
    "tfserving": Form(
        opened=_predict_log,
        recognises=lambda record: "predictLog" in record or _has_rows(record),
        times=_TIMES,
        ids=_IDS,
        models=("predictLog.request.modelSpec.name", "model"),
        versions=("predictLog.response.modelSpec.version", "predictLog.request.modelSpec.version", "version"),
        example="a request with instances or inputs, a response with predictions or outputs, or both",
    ),
}
"""By the name of the preset; in the order in which a record is tried."""
