"""Two months of the demo, kept, with a Prometheus beside it that scrapes its roles: for pictures of what it answers."""

import json
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec
from rich.console import Console

from monitor.demo.run import run_demo
from monitor.embedded.ports import free_port, is_free
from monitor.errors import InputError, StoppedError, Unavailable
from monitor.process.children import dying_with_parent

RULES: Final = Path("dashboards/prometheus-rules.yml")
MONTHS: Final = 2
N_ROLES: Final = 4
"""Of the demo: ingest, join, evaluate and deliver, on neighbouring ports."""
_SPAN: Final = "scraped.json"
_READY_WITHIN_S: Final = 60.0
_STOP_WITHIN_S: Final = 30.0


class Prometheus:
    """Debian's `prometheus` on a free port of the loopback, until it is left.

    Parameters
    ----------
    folder: its configuration, log and data; data that are there already can be asked too.
    ports: of the loopback, which it scrapes twice a second; none: it answers what it has.
    rules: those to evaluate, a file of rule groups.
    rules_every_s: how often, in seconds, in the place of what the groups say; None: as they say.
    """

    def __init__(
        self, folder: Path, ports: Sequence[int] = (), rules: Path | None = None, rules_every_s: int | None = None
    ) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        self._folder = folder
        self._document: dict[str, Any] = {
            "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"},
            "scrape_configs": [
                {"job_name": "driftline", "static_configs": [{"targets": [f"127.0.0.1:{port}" for port in ports]}]}
            ],
        }
        if rules is not None:
            text = rules.read_text(encoding="utf-8")
            if rules_every_s is not None:
                text = re.sub(r"^(\s+interval:).*$", rf"\1 {rules_every_s}s", text, flags=re.MULTILINE)
            self._rules = text
            self._document["rule_files"] = ["rules.yml"]
        else:
            self._rules = ""

    def __enter__(self) -> Self:
        """Start it and wait until it answers. Raises `InputError` where it is not installed."""
        program = prometheus_program()
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "rules.yml").write_text(self._rules, encoding="utf-8")
        (self._folder / "prometheus.yml").write_bytes(msgspec.yaml.encode(self._document))
        self._log = (self._folder / "prometheus.log").open("wb")
        self._process = subprocess.Popen(
            [
                program,
                f"--config.file={self._folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={self._folder / 'data'}",
                f"--web.listen-address={self.address}",
            ],
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, preexec_fn=dying_with_parent(),
        )  # fmt: skip
        deadline_s = time.monotonic() + _READY_WITHIN_S
        try:
            while not self._is_ready():
                if self._process.poll() is not None:
                    last = (self._folder / "prometheus.log").read_text(errors="replace").strip().splitlines()[-1:]
                    raise StoppedError(f"prometheus could not be started: {''.join(last)}")
                if time.monotonic() > deadline_s:
                    raise Unavailable(f"prometheus did not answer within {_READY_WITHIN_S:.0f} s")
                time.sleep(0.1)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{self.address}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:  # also an answer that says not yet
            return False

    def asked(self, expression: str) -> list[dict[str, Any]]:
        """The series that it answers now: `metric`, the labels, and `value`."""
        return self._answered("query", {"query": expression})

    def over(self, expression: str, from_ms: int, to_ms: int, step_s: float = 1.0) -> list[dict[str, Any]]:
        """The series that it answers over a span: `metric`, the labels, and `values`, pairs of seconds and text."""
        span = {"start": f"{from_ms / 1000:.3f}", "end": f"{to_ms / 1000:.3f}", "step": f"{step_s:g}"}
        return self._answered("query_range", {"query": expression, **span})

    def _answered(self, path: str, query: Mapping[str, str]) -> list[dict[str, Any]]:
        address = f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(address, timeout=30) as answer:
                found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
                return found
        except urllib.error.HTTPError as error:
            raise ValueError(f"{query['query']}: {error.read().decode()}") from error

    def close(self) -> None:
        """Stop it; what it scraped is on the disk then."""
        self._process.terminate()
        self._process.wait(_STOP_WITHIN_S)
        self._log.close()


def prometheus_program() -> str:
    """Where it is. Raises `InputError` where it is not installed."""
    found = shutil.which("prometheus")
    if found is None:
        raise InputError("no prometheus is installed", hint="Debian: apt install prometheus")
    return found


def scraped_demo(folder: Path, console: Console) -> None:
    """Run the demo into `folder`, scraped. Rules are evaluated each second, since it takes less than a minute."""
    first = _free_ports(N_ROLES)
    shutil.rmtree(folder / "prometheus", ignore_errors=True)
    with Prometheus(folder / "prometheus", range(first, first + N_ROLES), RULES, rules_every_s=1):
        from_ms = _now_ms()
        run_demo(months=MONTHS, console=console, keep=folder, metrics_listen=f"127.0.0.1:{first}")
        to_ms = _now_ms()
    (folder / _SPAN).write_text(json.dumps({"from_ms": from_ms, "to_ms": to_ms}))


def scraped_span(folder: Path) -> tuple[int, int]:
    """When the demo in `folder` was scraped, in ms since 1970. Raises `InputError` where it was not."""
    if not (folder / _SPAN).exists():
        raise InputError(f"{folder} holds nothing that Prometheus scraped", hint="make screenshots")
    span = json.loads((folder / _SPAN).read_text())
    return int(span["from_ms"]), int(span["to_ms"])


def _free_ports(n: int) -> int:
    while True:
        first = free_port()
        if first + n <= 65_535 and all(is_free(port) for port in range(first + 1, first + n)):
            return first


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
