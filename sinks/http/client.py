"""HTTP requests as destinations need them: verified TLS, a deadline, bounded answers, no redirects, no retries.

Retries belong to deliver, which waits in one place for all destinations (`sinks.retry`).
"""

import ssl
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
import urllib3

from sinks.errors import MessageFailed, MessageRefused, SinkRejected, SinkUnavailable, scrub
from sinks.http.classify import Outcome, outcome_of, retry_after_s

MAX_ANSWER_BYTES: Final = 1 << 20
_QUOTED: Final = 300
"""Characters of an answer that go into a message."""
_CHUNK: Final = 16_384


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the other side said: its status, its body of at most `MAX_ANSWER_BYTES`, and how long to wait."""

    status: int
    body: bytes
    retry_after_s: float | None = None

    def json(self) -> Any:
        """The body as JSON; None where it is none."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None

    def __str__(self) -> str:
        text = " ".join(self.body.decode("utf-8", "replace").split())
        said = "".join(c if c.isprintable() else "?" for c in text[:_QUOTED])
        return f"{self.status} {said}".strip()


class HttpClient:
    """Sends requests to one service.

    Parameters
    ----------
    timeout_s
        Longest time for one request with its whole answer, in seconds above 0.
    ca_file
        Certificates to trust, in PEM; None: those of the machine.
    secrets
        What no message may hold: the address's own path may be one of them.
    now_s
        Seconds since 1970.
    """

    def __init__(
        self,
        *,
        timeout_s: float,
        ca_file: Path | None = None,
        secrets: tuple[str, ...] = (),
        now_s: Callable[[], float] = time.time,
    ) -> None:
        try:
            context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
        except (OSError, ssl.SSLError) as error:
            raise SinkRejected(f"ca_file {ca_file} cannot be read: {error}") from error
        self._pool = urllib3.PoolManager(ssl_context=context, retries=False)
        self._timeout_s = timeout_s
        self._secrets = secrets
        self._now_s = now_s

    def request(
        self,
        method: str,
        url: str,
        *,
        body: object = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request, and its answer whatever its status.

        Parameters
        ----------
        body
            Sent as JSON, unless `content` has the bytes themselves.

        Raises
        ------
        SinkUnavailable
            No connection, no answer in time, or one that broke off or is too large.
        """
        data = content if content is not None else None if body is None else msgspec.json.encode(body)
        sent = {"User-Agent": "driftline", "Accept": "application/json", **(headers or {})}
        if data is not None and "Content-Type" not in sent:
            sent["Content-Type"] = "application/json"
        deadline_s = time.monotonic() + self._timeout_s
        where = f"{method} {place(url)}"
        try:
            response = self._pool.request(
                method,
                url,
                body=data,
                headers=sent,
                redirect=False,
                preload_content=False,
                timeout=urllib3.Timeout(total=self._timeout_s),
            )
            try:
                answer = self._read(response, deadline_s)
            except BaseException:
                response.close()
                raise
            response.release_conn()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise SinkUnavailable(f"{where}: {self.scrub(_because(error))}") from error
        except ValueError as error:  # a header or an address that cannot be sent
            raise SinkRejected(f"{where}: {self.scrub(str(error))}") from error
        return answer

    def call(
        self,
        method: str,
        url: str,
        *,
        body: object = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        accept: tuple[int, ...] = (),
    ) -> Answer:
        """As `request`; the answer was an acceptance, or its status is one of `accept`.

        Raises
        ------
        SinkUnavailable, MessageFailed, MessageRefused
            By `sinks.http.classify`.
        """
        answer = self.request(method, url, body=body, content=content, headers=headers)
        if answer.status not in accept:
            self.check(answer, f"{method} {place(url)}")
        return answer

    def check(self, answer: Answer, where: str) -> None:
        """Raise what the answer asks for; nothing where it is an acceptance."""
        outcome = outcome_of(answer.status)
        said = f"{where}: {self.scrub(str(answer))}"
        wait_s = {} if answer.retry_after_s is None else {"retry_after_s": answer.retry_after_s}
        if outcome is Outcome.BUSY:
            raise SinkUnavailable(said, status=answer.status, **wait_s)
        if outcome is Outcome.FAILED:
            raise MessageFailed(said, status=answer.status, **wait_s)
        if outcome is Outcome.BLOCKED:
            hint = "redirects are not followed" if answer.status < 400 else "our credentials are refused"
            raise SinkUnavailable(
                f"{said} ({hint}: mend the destination's configuration)", status=answer.status, **wait_s
            )
        if outcome is Outcome.REFUSED:
            raise MessageRefused(said, status=answer.status)

    def scrub(self, text: str) -> str:
        """The text without secrets."""
        return scrub(text, self._secrets)

    def close(self) -> None:
        """Let go of the connections."""
        self._pool.clear()

    def _read(self, response: urllib3.BaseHTTPResponse, deadline_s: float) -> Answer:
        parts, size = [], 0
        while chunk := response.read1(_CHUNK):
            parts.append(chunk)
            size += len(chunk)
            if size > MAX_ANSWER_BYTES:
                raise urllib3.exceptions.HTTPError(f"an answer of more than {MAX_ANSWER_BYTES} bytes")
            if time.monotonic() > deadline_s:
                raise urllib3.exceptions.HTTPError(f"no whole answer within {self._timeout_s:g} s")
        asked = response.headers.get("Retry-After", "")
        return Answer(
            status=response.status,
            body=b"".join(parts),
            retry_after_s=retry_after_s(asked, self._now_s()) if asked else None,
        )


def place(url: str) -> str:
    """The address for people: scheme and host alone, since paths and queries of webhooks are secrets."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}"


def _because(error: Exception) -> str:
    """The cause in a few words; urllib3's own repeat the whole address."""
    if isinstance(error, urllib3.exceptions.SSLError):
        return f"TLS: {error}"
    if isinstance(error, urllib3.exceptions.NameResolutionError):
        return "its name cannot be resolved"
    if isinstance(error, urllib3.exceptions.NewConnectionError):
        return "no connection"
    if isinstance(error, urllib3.exceptions.TimeoutError | TimeoutError):
        return "no answer in time"
    if isinstance(error, urllib3.exceptions.ProtocolError):
        return "the connection was closed"
    return str(error) or type(error).__name__
