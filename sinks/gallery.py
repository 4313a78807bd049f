"""`python -m sinks.gallery alerts.jsonl > docs/alerts.md`: alerts as each destination shows them.

The file holds a CloudEvent a line, as `driftline replay` writes it, so that anyone can see their own.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from sinks import alertmanager, email, pagerduty, slack, teams
from sinks.messages.alert import Alert
from sinks.messages.text import message_of

_LINK: Final = "https://grafana.example/d/driftline?var-model={model}&from={onset_ms}"
_HEAD: Final = """# Alerts, as people see them

Made by `python -m sinks.gallery docs/alerts.jsonl`; do not edit it here. Your own: `driftline replay` writes
`alerts.jsonl`, and the same command shows them. The first 120 characters are what a lock screen shows.
"""


def gallery(alerts: Sequence[Alert]) -> str:
    """The page, in Markdown: all alerts as plain text, and the first one in each form."""
    parts = [_HEAD]
    for alert in alerts:
        parts.append(f"## {alert.cause.replace('_', ' ').capitalize()}, {alert.state}\n")
        parts.append(_block("text", message_of(alert, _LINK).plain()))
    if alerts:
        parts.append("# One alert in each form\n")
        parts += [f"## {name}\n\n{_block('json', _json(form))}" for name, form in _forms(alerts[0])]
    return "\n".join(parts)


def read(path: Path) -> list[Alert]:
    """The alerts of a file of CloudEvents. Raises `msgspec.MsgspecError` for a line that is none."""
    lines = path.read_bytes().splitlines()
    return [msgspec.convert(msgspec.json.decode(line)["data"], Alert) for line in lines if line.strip()]


def _forms(alert: Alert) -> list[tuple[str, object]]:
    message = message_of(alert, _LINK)
    manager = alertmanager.Settings(url="http://alertmanager:9093", link=_LINK)
    mail = email.Settings(host="smtp.example.org", sender="drift@example.org", to=("ml@example.org",), link=_LINK)
    headers = email.mail_of(alert, mail).items()
    return [
        ("Slack", slack.body_of(message)),
        ("Microsoft Teams", teams.body_of(message, critical=alert.severity == "critical")),
        ("PagerDuty", pagerduty.event_of(alert, _LINK)),
        ("Alertmanager", alertmanager.alerts_of(alert, manager, alert.at_ms)),
        ("E-mail (headers)", {name: str(value) for name, value in headers if not name.startswith(("MIME", "Content"))}),
    ]


def _json(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value)).decode() + "\n"


def _block(language: str, text: str) -> str:
    return f"```{language}\n{text}```\n"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m sinks.gallery alerts.jsonl > docs/alerts.md")
    sys.stdout.write(gallery(read(Path(sys.argv[1]))))
