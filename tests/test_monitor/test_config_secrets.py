"""Secrets come from the environment or from files, and never from the configuration itself, wherever they belong."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import msgspec
import pytest
from support.destinations import ENVIRON, SECRET, URL_KEYS, keys_of
from support.plugins import JSON_LINES, install_plugin

from monitor.cli.app import run
from monitor.config import Config, parse
from monitor.config.schema import Kafka, Page
from monitor.errors import ConfigError
from sinks.registry import own_destination_types, settings_of
from sinks.secret import Secret

LITERAL = "hunter2"
LEAST: dict[str, dict[str, Any]] = {
    **{name: keys_of(name, "https://example.org") for name in URL_KEYS},
    "apprise": {"url": "${DRIFTLINE_TEST_SECRET}"},
    "clickhouse": {},
    "email": {"host": "h", "from": "a@b.org", "to": ["c@d.org"]},
    "kafka-topic": {"bootstrap_servers": "h:1"},
    "sagemaker": {"pipeline": "p", "region": "eu-central-1"},
}
"""Keys with which each type of destination is sound."""

SPEAKING = ("token", "password", "secret", "api_key", "routing_key", "dsn")


def inner_types(type_: Any) -> Iterator[Any]:
    yield type_
    for argument in get_args(type_):
        if get_origin(type_) is not Annotated or argument is get_args(type_)[0]:
            yield from inner_types(argument)


def is_secret(type_: Any) -> bool:
    return any(get_origin(one) is Secret for one in inner_types(type_))


def secrets_of(struct: type[msgspec.Struct]) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(struct) if is_secret(field.type)]


def literal_for(name: str, key: str) -> Any:
    """The secret as a person would write it there."""
    match name, key:
        case _, "client":
            return {"sasl.password": LITERAL}
        case "clickhouse", "dsn":
            return f"clickhouse://u:{LITERAL}@h/d"
        case (("webhook" | "argo-events"), "url"):
            return f"https://example.org/path?key={LITERAL}"
        case "apprise", "url":
            return f"tgram://{LITERAL}/1"
        case _, "url":
            return f"https://hooks.slack.com/services/T0/B0/{LITERAL}"
    return LITERAL


def read(section: dict[str, Any]) -> Config:
    document = {"models": [{"name": "m", "reference": "r"}], "destinations": {"d": section}}
    return parse(msgspec.json.encode(document).decode(), environ=ENVIRON)


def refusal(section: dict[str, Any]) -> tuple[str, str]:
    """Path and message of the one problem, in which nothing of the secret may stand."""
    with pytest.raises(ConfigError) as caught:
        read(section)
    (problem,) = caught.value.problems
    assert LITERAL not in f"{caught.value}{caught.value.problems!r}{caught.value.__cause__}{caught.value.__context__}"
    return problem.path, problem.message


UNLIKE = ("url", "dsn", "client", "secret", "previous_secret")
"""Keys that not every text fits."""
CASES = [(name, key) for name in own_destination_types() for key in secrets_of(settings_of(name))]


@pytest.mark.parametrize(("name", "key"), CASES)
def test_a_secret_of_any_destination_is_refused_where_it_is_written(name: str, key: str) -> None:
    path, message = refusal({"type": name, **LEAST[name], key: literal_for(name, key)})
    assert path == f"destinations.d.{key}" + (".sasl.password" if key == "client" else "")
    assert "must not be written in this file; put ${NAME} in its place" in message


@pytest.mark.parametrize(("name", "key"), [case for case in CASES if case[1] not in UNLIKE])
def test_a_default_of_a_variable_is_written_in_the_file_too(name: str, key: str) -> None:
    path, _ = refusal({"type": name, **LEAST[name], key: f"${{UNSET:-{LITERAL}}}"})
    assert path == f"destinations.d.{key}"


@pytest.mark.parametrize("name", own_destination_types())
def test_what_speaks_of_a_secret_is_one(name: str) -> None:
    """A new destination gets the rule from its type alone; this finds the one that was forgotten."""
    known = secrets_of(settings_of(name))
    for field in msgspec.structs.fields(settings_of(name)):
        if any(word in field.encode_name for word in SPEAKING):
            assert field.encode_name in known


@pytest.mark.parametrize(("name", "key"), [case for case in CASES if case[1] not in UNLIKE])
def test_it_is_taken_from_a_variable_and_stays_hidden(name: str, key: str) -> None:
    section = {"type": name, **LEAST[name], key: "${DRIFTLINE_TEST_SECRET}"}
    if name == "slack":
        section["channel"] = "C0"
    if (name, key) == ("airflow", "token"):  # in the place of these
        del section["username"], section["password"]
    config = read(section)
    assert getattr(config.destinations["d"], key).reveal() == SECRET
    assert SECRET not in repr(config)


@pytest.mark.parametrize("name", own_destination_types())
def test_every_destination_is_sound_without_a_literal(name: str) -> None:
    read({"type": name, **LEAST[name]})


def test_a_destination_of_another_package_has_the_rule_by_its_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_plugin(tmp_path, "acme-kept", {"acme_kept": JSON_LINES}, {"kept-lines": "acme_kept:Settings"})
    monkeypatch.syspath_prepend(tmp_path)
    assert refusal({"type": "kept-lines", "folder": "f", "token": LITERAL})[0] == "destinations.d.token"
    config = read({"type": "kept-lines", "folder": "f", "token": "${DRIFTLINE_TEST_SECRET}"})
    assert config.destinations["d"].token.reveal() == SECRET


@pytest.mark.parametrize(
    ("rest", "path"),
    [
        ("ui: {token: hunter2hunter2hunter2}", "ui.token"),
        ("ui: {token: '${UNSET:-hunter2hunter2hunter2}'}", "ui.token"),
        ("kafka: {client: {sasl.password: hunter2}}", "kafka.client.sasl.password"),
        ("kafka: {client: {sasl.password: 4711}}", "kafka.client.sasl.password"),
        ("kafka: {client: {ssl.key.password: hunter2}}", "kafka.client.ssl.key.password"),
        ("kafka: {client: {ssl.keystore.password: hunter2}}", "kafka.client.ssl.keystore.password"),
        ("kafka: {client: {ssl.key.pem: hunter2}}", "kafka.client.ssl.key.pem"),
        ("kafka: {client: {sasl.oauthbearer.client.secret: hunter2}}", "kafka.client.sasl.oauthbearer.client.secret"),
        (
            "kafka: {client: {sasl.oauthbearer.token.endpoint.url: 'https://u:hunter2@h/token'}}",
            "kafka.client.sasl.oauthbearer.token.endpoint.url",
        ),
        ("destinations: {clickhouse: {dsn: 'clickhouse://${USER}:hunter2@h/d'}}", "destinations.clickhouse.dsn"),
        ("destinations: {clickhouse: {dsn: '${UNSET:-clickhouse://u:hunter2@h/d}'}}", "destinations.clickhouse.dsn"),
        ("destinations: {clickhouse: {dsn: 'clickhouse://u:$${hunter2}@h/d'}}", "destinations.clickhouse.dsn"),
        ('destinations: {clickhouse: {dsn: "clickhouse://u:hunter2\\uFDD0@h/d"}}', "destinations.clickhouse.dsn"),
    ],
)
def test_secrets_beside_destinations_are_refused_as_well(rest: str, path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(f"models: [{{name: m, reference: r}}]\n{rest}", environ={"USER": "u"})
    (problem,) = caught.value.problems
    assert problem.path == path
    assert problem.line == 2
    assert "must not be written in this file" in problem.message
    assert LITERAL not in str(caught.value)


@pytest.mark.parametrize(
    "rest",
    [
        "ui: {token: ''}",
        "ui: {token: '${UNSET:-}'}",
        "kafka: {client: {security.protocol: SASL_SSL, sasl.username: u, ssl.ca.location: /ca.pem, ssl.ca.pem: x}}",
        "kafka: {client: {sasl.password: 'a-${SECRET}'}}",
        "destinations: {clickhouse: {dsn: 'clickhouse://default@localhost:8123/driftline'}}",
        "destinations: {clickhouse: {dsn: 'clickhouse://default:${UNSET:-}@${UNSET:-localhost}:8123/driftline'}}",
        "destinations: {clickhouse: {dsn: 'clickhouses://h:8443/d?ca_cert=/ca.pem'}}",
        "destinations: {a: {type: webhook, url: 'https://example.org/drift', secret: '${KEY}'}}",
        "destinations: {a: {type: slack, url: 'https://hooks.slack.com/services/T0/B0/${SECRET}'}}",
        "destinations: {a: {type: slack, url: 'https://slack.com/api', token: '${SECRET}', channel: C1}}",
        "destinations: {a: {type: apprise, url: 'mailtos://u:${SECRET}@example.org'}}",
    ],
)
def test_what_is_no_secret_may_be_written(rest: str) -> None:
    parse(
        f"models: [{{name: m, reference: r}}]\n{rest}",
        environ={"SECRET": "x", "KEY": ENVIRON["DRIFTLINE_TEST_SIGNING"]},
    )


def test_the_sections_of_our_own_hold_their_secrets_in_the_type() -> None:
    assert secrets_of(Kafka) == ["client"]
    assert secrets_of(Page) == ["token"]


def test_a_signed_token_of_many_characters_is_taken() -> None:
    token = "x" * 5_000
    text = "models: [{name: m, reference: r}]\ndestinations: {a: {type: github, repository: a/b, token: '${TOKEN}'}}"
    assert parse(text, environ={"TOKEN": token}).destinations["a"].token.reveal() == token
    with pytest.raises(ConfigError, match=r"destinations\.a\.token: expected 1 to 10,000 printable characters"):
        parse(text, environ={"TOKEN": "x\ny"})


def test_a_secret_comes_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "pass word"
    file.write_bytes(b"p@s${X}s\n")
    dsn = f"clickhouse://u:${{file:{file}}}@h/d"
    text = f"models: [{{name: m, reference: r}}]\ndestinations: {{clickhouse: {{dsn: '{dsn}'}}}}"
    text += f"\nkafka: {{client: {{sasl.password: '${{file:{file}}}'}}}}"
    config = parse(text, environ={})
    assert config.kafka.client_settings() == {"sasl.password": "p@s${X}s"}
    assert config.destinations["clickhouse"].dsn.reveal() == "clickhouse://u:p%40s%24%7BX%7Ds@h/d"


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "cannot be read: No such file"), (b"\xff", "does not hold UTF-8"), (b"x" * 70_000, "is longer than")],
)
def test_a_file_that_cannot_be_taken_is_named(content: bytes | None, said: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "s").write_bytes(content)
    with pytest.raises(ConfigError, match=f"ui.token: the file {tmp_path}/s {said}"):
        parse(f"models: [{{name: m, reference: r}}]\nui: {{token: '${{file:{tmp_path}/s}}'}}", environ={})


@pytest.mark.parametrize("command", ["check", "run", "up", "ingest", "evaluate", "join", "deliver", "migrate"])
def test_every_command_refuses_it(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "driftline.yaml"
    config.write_text("models: [{name: m, reference: r}]\nui: {token: hunter2hunter2hunter2}\n")
    assert run([command, str(config)]) == 2
    said = capsys.readouterr().err
    assert "ui.token: a secret must not be written in this file" in said
    assert LITERAL not in said
