"""Whatever the file holds: a Config or a ConfigError, and never a secret in either's text."""

from pathlib import Path

import pytest
import yaml
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from monitor.config import Config, load, parse
from monitor.config.sections import sections_of_keys
from monitor.errors import ConfigError

EXAMPLE = (Path(__file__).parents[2] / "driftline.example.yaml").read_text()


def outcome(text: str, environ: dict[str, str] | None = None) -> Config | ConfigError:
    """What comes of a text; any other error fails the test."""
    try:
        return parse(text, "file", environ=environ or {})
    except ConfigError as error:
        caught = error
    assert caught.problems
    assert len(str(caught).splitlines()) == len(caught.problems)
    str(caught).encode()  # can be printed anywhere
    return caught


KEYS = st.sampled_from(sorted(sections_of_keys())) | st.text(max_size=5)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | st.dates()
    | st.binary(max_size=5)
    | st.sampled_from(
        ["1h", "7d", "psi", "binary", "none", "off", "a:1", "${A}", "${A:-1}", "${", "chdb:///x", "0", "-1s"]
    )
)
VALUES = st.recursive(SCALARS, lambda v: st.lists(v, max_size=3) | st.dictionaries(KEYS, v, max_size=5), max_leaves=15)
DESTINATIONS = st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES, max_size=5) | VALUES, max_size=2)
SECTIONS = st.fixed_dictionaries(
    {"models": st.lists(st.dictionaries(KEYS, VALUES, max_size=5) | VALUES, max_size=2) | VALUES},
    optional={"kafka": VALUES, "destinations": DESTINATIONS | VALUES, "metrics": VALUES, "state_dir": VALUES},
)


@settings(deadline=None)
@given(VALUES | SECTIONS)
def test_any_value_is_a_config_or_a_config_error(value: object) -> None:
    outcome(yaml.safe_dump(value, allow_unicode=True))


@settings(deadline=None)
@given(st.text() | st.text(st.sampled_from("-:?[]{},#&*!|>'\"%@`\\ \n\tab01~<\ufeff\x85\u2028")))
@example('"\\ud800"')
@example('models: [{name: "\\ud800", reference: r}]')
@example('"\\UFFFFFFFF"')
@example("%YAML 1.99999999999999999999\n---\na")
@example("%TAG ! !\n---\n!a b")
@example("!%ff a")
@example("? a\n: b\n? [c]\n: d")
@example("&a [*a]")
@example("&a {a: *a}")
@example("\0")
def test_any_text_is_a_config_or_a_config_error(text: str) -> None:
    outcome(text)


@settings(deadline=None)
@given(st.integers(0, len(EXAMPLE)), st.integers(0, 30), st.text(max_size=3))
def test_any_damage_to_the_example_is_a_config_or_a_config_error(at: int, n: int, put: str) -> None:
    outcome(EXAMPLE[:at] + put + EXAMPLE[at + n :])


@settings(deadline=None)
@given(st.binary())
def test_any_bytes_are_a_config_or_a_config_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "bytes.yaml"
    file.write_bytes(content)
    try:
        assert isinstance(load(file, environ={}), Config)
    except ConfigError as error:
        str(error).encode()


PASSWORDS = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=20).map(
    lambda text: f"Zq7{text}Zq7"  # a mark that no message of ours holds
)


LITERAL = "zqhunterzq"  # could pass for a key
WITH_SECRETS = f"""
models:
  - {{name: m, reference: r}}
kafka:
  client: {{security.protocol: SASL_SSL, sasl.password: {LITERAL}, ssl.key.password: '{LITERAL}'}}
destinations: {{clickhouse: {{dsn: clickhouse://u:{LITERAL}@h/d}}}}
"""
IN_BLOCKS = f"""
models:
  - name: m
    reference: r
kafka:
  client:
    sasl.username: ${{PASSWORD}}
    sasl.password: {LITERAL}
destinations:
  clickhouse:
    batch_rows: 5
    dsn: clickhouse://u:{LITERAL}@h/d
"""


@settings(deadline=None, max_examples=150)
@given(
    PASSWORDS,
    st.sampled_from([WITH_SECRETS, IN_BLOCKS]),
    st.integers(0, 400),
    st.integers(0, 4),
    st.sampled_from(
        ["", "x", ":", ": ", " ", ", ", "\n", "'", '"', "[", "{", "}", "!", "&", "*", "|", "#", "%", "@", "- ", "\\"]
    ),
)
def test_a_secret_is_never_shown_however_the_file_is_damaged_around_it(
    secret: str, text: str, at: int, n: int, put: str
) -> None:
    start = min(at, len(text))
    damaged = text[:start] + put + text[start + n :]
    assume(damaged.count(LITERAL) == text.count(LITERAL))
    found = outcome(damaged, {"PASSWORD": secret})
    for mark in ("Zq7", LITERAL):
        assert mark not in str(found)
        assert mark not in repr(found)


@pytest.mark.parametrize("text", [WITH_SECRETS, IN_BLOCKS])
def test_a_secret_is_not_shown_by_any_single_slip(text: str) -> None:
    """Every character dropped, or replaced by what parts keys from values, and the line broken anywhere."""
    whole = outcome(text, {"PASSWORD": "Zq7"})
    assert isinstance(whole, ConfigError)
    assert all("must not be written in this file" in problem.message for problem in whole.problems)
    for at in range(len(text)):
        for put, n in (("", 1), (",", 1), (" ", 1), ("\n", 0)):
            damaged = text[:at] + put + text[at + n :]
            if damaged.count(LITERAL) == text.count(LITERAL):
                assert LITERAL not in f"{outcome(damaged, {'PASSWORD': 'Zq7'})!r}", damaged


@settings(deadline=None)
@given(PASSWORDS, st.sampled_from(sorted(sections_of_keys())))
def test_a_variable_is_never_shown_in_an_error_wherever_it_stands(secret: str, key: str) -> None:
    places = {
        "": "{key}: ${{S}}\nmodels: [{{name: m, reference: r}}]\n",
        "models[]": "models: [{{name: m, reference: r, {key}: '${{S}}'}}]\n",
        "models[].mapping": "models: [{{name: m, reference: r, mapping: {{{key}: '${{S}}'}}}}]\n",
        "models[].windows[]": "models: [{{name: m, reference: r, windows: [{{size: 1d, {key}: '${{S}}'}}]}}]\n",
        "models[].drift[]": "models: [{{name: m, reference: r, drift: [{{method: ks, {key}: '${{S}}'}}]}}]\n",
    }
    for section in sections_of_keys()[key]:
        template = places.get(
            section, f"models: [{{{{name: m, reference: r}}}}]\n{section}: {{{{{{key}}: '${{{{S}}}}'}}}}\n"
        )
        if section == "destinations.clickhouse":
            template = "models: [{{name: m, reference: r}}]\ndestinations: {{clickhouse: {{{key}: '${{S}}'}}}}\n"
        if section == "kafka.topics":
            template = "models: [{{name: m, reference: r}}]\nkafka: {{topics: {{{key}: ['${{S}}']}}}}\n"
        found = outcome(template.format(key=key), {"S": secret})
        if isinstance(found, ConfigError):
            assert "Zq7" not in str(found)
            assert "Zq7" not in found.message + found.hint + repr(found.problems)


@settings(deadline=None)
@given(PASSWORDS, PASSWORDS)
def test_dsn_and_client_settings_are_masked_in_every_text_of_a_config(password: str, other: str) -> None:
    assume("${" not in other)
    text = "models: [{name: m, reference: r}]\nkafka: {client: {sasl.password: '${S}', a: %s}}\n"
    text += "destinations: {clickhouse: {dsn: 'clickhouse://u:${S}@h/d'}}\n"
    config = parse(text % yaml.safe_dump(other, default_style='"', allow_unicode=True).strip(), environ={"S": password})
    texts = [repr(config), str(config), f"{config}", repr(config.kafka), str(config.destinations), str(vars_of(config))]
    assert all("Zq7" not in text for text in texts)
    assert config.kafka.client_settings() == {"sasl.password": password, "a": other}
    assert "Zq7" in config.destinations["clickhouse"].dsn.reveal()


def vars_of(config: Config) -> dict[str, object]:
    return {key: getattr(config, key) for key in config.__struct_fields__}
