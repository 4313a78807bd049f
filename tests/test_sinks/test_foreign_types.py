"""What goes to Slack and GitHub against their own types: TypeScript's compiler checks our bodies."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from support.alerts import alert_row, moved, request_row
from support.orchestrators import CACHE

from sinks import github, slack
from sinks.messages.alert import read_alert
from sinks.messages.retraining import read_retraining
from sinks.messages.text import message_of

pytestmark = pytest.mark.long

PACKAGES = ("@slack/types@3.2.0", "@octokit/openapi-types@29.0.1", "typescript@7.0.2")
SLACK = 'import type { KnownBlock } from "@slack/types";\nexport const blocks: KnownBlock[] = '
GITHUB = (
    'import type { operations } from "@octokit/openapi-types";\n'
    'type Request = operations["repos/create-dispatch-event"]["requestBody"];\n'
    'type Body = NonNullable<Request>["content"]["application/json"];\n'
    "export const body: Body = "
)


@pytest.fixture(scope="module")
def types() -> Path:
    """A folder with the packages, made once and kept in the user's cache."""
    if shutil.which("npm") is None:
        pytest.skip("no npm: the types of others come from there")
    folder = CACHE / "types"
    stamp = folder / ".complete"
    if not stamp.exists() or stamp.read_text() != " ".join(PACKAGES):
        folder.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), *PACKAGES]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            pytest.skip(f"the types of others cannot be installed here: {done.stderr[-300:]}")
        stamp.write_text(" ".join(PACKAGES))
    return folder


def problems(types: Path, name: str, source: str) -> str:
    """What the compiler says of a file; "" for nothing."""
    path = types / f"{name}.ts"
    path.write_text(source)
    command = [types / "node_modules" / ".bin" / "tsc", "--noEmit", "--strict", "--skipLibCheck", path]
    options = ["--moduleResolution", "bundler", "--module", "esnext"]
    done = subprocess.run([*command, *options], cwd=types, capture_output=True, text=True, timeout=120, check=False)
    return done.stdout + done.stderr


def test_blocks_are_those_of_slack(types: Path) -> None:
    alert = read_alert(alert_row(columns=[moved(name) for name in "abcd"]))
    blocks = slack.body_of(message_of(alert, "https://g/{model}"))["blocks"]
    assert {block["type"] for block in blocks} == {"header", "section", "actions"}
    assert problems(types, "slack", SLACK + json.dumps(blocks)) == ""


def test_a_dispatch_is_that_of_github(types: Path) -> None:
    body = {"event_type": "driftline-retraining", "client_payload": github.payload_of(read_retraining(request_row()))}
    assert problems(types, "github", GITHUB + json.dumps(body)) == ""


def test_the_compiler_would_find_what_is_wrong(types: Path) -> None:
    assert "error" in problems(types, "wrong_slack", SLACK + json.dumps([{"type": "header", "text": "plain"}]))
    assert "error" in problems(types, "wrong_github", GITHUB + json.dumps({"client_payload": {}}))
