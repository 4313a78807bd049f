"""Amazon SageMaker Pipelines: an execution of a pipeline, once a request: `pip install driftline[sagemaker]`.

`ClientRequestToken` is made from the dedupe key, so that SageMaker answers a repeat with the execution that is there.
Credentials come from where AWS's own tools find them: the environment, a profile, or the machine's role.

Source: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StartPipelineExecution.html
"""

from typing import TYPE_CHECKING, Any, Final

import msgspec

from sinks.errors import MessageFailed, MessageRefused, SinkRejected, SinkUnavailable
from sinks.messages.identity import run_id
from sinks.messages.retraining import Retraining
from sinks.messages.said import Said
from sinks.messages.settings import MessageSettings
from sinks.settings import RetryWindow

if TYPE_CHECKING:
    from sinks.messages.destination import MessageDestination

_MOST_NAME: Final = 82
_MOST_PARAMETER: Final = 1024
_BUSY: Final = frozenset(
    {"ThrottlingException", "Throttling", "RequestLimitExceeded", "ResourceLimitExceeded", "ServiceUnavailable"}
)
_BLOCKED: Final = frozenset(
    {
        "AccessDeniedException", "ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId",
        "UnrecognizedClientException", "InvalidSignatureException", "SignatureDoesNotMatch", "ResourceNotFound",
    }
)  # fmt: skip


class Settings(MessageSettings, frozen=True, kw_only=True):
    """Which pipeline of which region."""

    retry_window_ms: RetryWindow = msgspec.field(name="retry_window", default=86_400_000)
    """As of every trigger."""
    pipeline: str
    """Its name or ARN."""
    region: str = ""
    """"": the one of AWS's own settings."""
    url: str = ""
    """Of an endpoint of your own (VPC); "": AWS's."""
    parameters: dict[str, str] = msgspec.field(default_factory=dict)
    """The pipeline's own parameters by what they take: ``{InputStart: train_start_ms}``; names on the right are model,
    version, reason, dedupe_key, train_start_ms, train_end_ms, reference_version, test."""

    def __post_init__(self) -> None:
        """Check that there are such things."""
        unknown = sorted(set(self.parameters.values()) - set(_NAMES))
        if unknown:
            raise ValueError(f"parameters: a request has none of {', '.join(unknown)[:100]}")

    def open(self) -> "MessageDestination":
        """The destination."""
        from sinks.messages.destination import retraining_destination

        return retraining_destination(self, SageMaker(self))

    def where(self) -> str:
        """The pipeline."""
        return f"pipeline {self.pipeline}"


_NAMES: Final = (
    "model", "version", "reason", "dedupe_key", "train_start_ms", "train_end_ms", "reference_version", "test",
)  # fmt: skip


class SageMaker:
    """Starts executions. Retries are deliver's, not boto3's."""

    def __init__(self, settings: Settings) -> None:
        try:
            import boto3  # type: ignore[import-untyped]  # AWS's own, without types
            import botocore.config  # type: ignore[import-untyped]
            import botocore.exceptions  # type: ignore[import-untyped]
        except ImportError as error:
            raise SinkRejected("the package boto3 is missing: pip install 'driftline[sagemaker]'") from error
        self._settings = settings
        self._exceptions: Any = botocore.exceptions
        timeout_s = settings.timeout_ms / 1000
        config = botocore.config.Config(
            connect_timeout=timeout_s, read_timeout=timeout_s, retries={"total_max_attempts": 1}
        )
        try:
            self._client: Any = boto3.client(
                "sagemaker",
                region_name=settings.region or None,
                endpoint_url=settings.url or None,
                config=config,
            )
        except (botocore.exceptions.BotoCoreError, ValueError) as error:
            raise SinkRejected(f"AWS: {error}") from error

    def send(self, request: Retraining) -> Said:
        """Start the execution."""
        values = values_of(request)
        try:
            answer = self._client.start_pipeline_execution(
                PipelineName=self._settings.pipeline,
                # 32 to 128 characters.
                ClientRequestToken=run_id(request.dedupe_key, most=128),
                PipelineExecutionDisplayName=run_id(request.dedupe_key, most=_MOST_NAME),
                PipelineExecutionDescription=(request.reason or request.dedupe_key)[:_MOST_PARAMETER],
                PipelineParameters=[
                    {"Name": name, "Value": values[source][:_MOST_PARAMETER]}
                    for name, source in self._settings.parameters.items()
                ],
            )
        except self._exceptions.ClientError as error:
            raise _problem(error.response) from error
        except self._exceptions.ParamValidationError as error:
            raise MessageRefused(f"SageMaker: {error}") from error
        except self._exceptions.BotoCoreError as error:
            raise SinkUnavailable(f"SageMaker: {error}") from error
        return Said(str(answer["PipelineExecutionArn"]), 200)

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()


def values_of(request: Retraining) -> dict[str, str]:
    """What a parameter can take, by name."""
    return {
        "model": request.model,
        "version": request.version,
        "reason": request.reason,
        "dedupe_key": request.dedupe_key,
        "train_start_ms": str(request.training_window.start_ms),
        "train_end_ms": str(request.training_window.end_ms),
        "reference_version": request.reference_version,
        "test": "true" if request.test else "false",
    }


def _problem(response: Any) -> SinkUnavailable | MessageRefused:
    code = str(response.get("Error", {}).get("Code", ""))
    said = f"SageMaker: {code}: {str(response.get('Error', {}).get('Message', ''))[:300]}"
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in _BUSY or status in (429, 503):
        return SinkUnavailable(said)
    if code in _BLOCKED or status in (401, 403):
        return SinkUnavailable(f"{said} (mend credentials, region or the pipeline's name)")
    return MessageFailed(said) if status >= 500 or not status else MessageRefused(said)
