"""A configuration with some keys set anew says the same in all others, whatever they hold."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from test_monitor.test_config_properties import VALUES

from monitor.config.document import Node, read
from monitor.config.load import load
from monitor.config.rewrite import rewrite
from monitor.embedded.profile import embedded_profile
from monitor.kafka import turns
from sinks.clickhouse.address import ClickHouseAddress


def meaning(node: Node) -> Any:
    """What decoding looks at, without the places."""
    if isinstance(node.value, dict):
        return {key: meaning(child) for key, child in node.value.items()}
    if isinstance(node.value, list):
        return [meaning(child) for child in node.value]
    return (type(node.value), node.value, node.text if isinstance(node.value, float) else "")


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=4).map(lambda value: yaml.safe_dump(value)))
@example("{a: off, b: 0123, c: 1_000, d: 12:30, e: yes, no: 1, f: 1.10, g: 1e3, h: ~, i: , j: null, k: 'null'}")
@example('{a: "\\ud83d\\ude00", b: "\\x85\\0", c: "${X}", d: "é\U0001f600", e: "two\\nlines # no comment"}')
def test_what_is_not_changed_is_read_as_before(text: str) -> None:
    root, problems = read(text)
    assume(root is not None and not problems and isinstance(root.value, dict))
    again, none = read(rewrite(text, lambda document: None))
    assert root is not None
    assert again is not None
    assert none == []
    assert meaning(again) == meaning(root)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_set_is_read_as_it_was_set(value: str) -> None:
    root, problems = read(rewrite("{a: 1, b: [2]}", lambda document: document.update(a=value, c={"d": 1, "e": None})))
    assert root is not None
    assert problems == []
    assert meaning(root) == {
        "a": (str, value, ""),
        "b": [(int, 2, "")],
        "c": {"d": (int, 1, ""), "e": (type(None), None, "")},
    }


def test_the_embedded_profile_changes_what_it_must_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "a folder with ${braces} and 50 %"
    folder.mkdir()
    monkeypatch.setenv("REFS", str(tmp_path / "references"))
    monkeypatch.setenv("PASSWORD", "a secret")
    path = tmp_path / "driftline.yaml"
    path.write_text(
        """
models:
  - {name: no, reference: "${REFS}/one.ref", columns: {no: numeric, on: categorical}, segments: [on, yes]}
  - {name: two, reference: two.ref}
kafka: {client: {sasl.password: "${PASSWORD}"}, topics: {predictions: [on]}, batch_events: 7}
destinations:
  here: {type: clickhouse, dsn: "clickhouse://default:${PASSWORD}@example.org/x", retention_days: 9}
  kept: {type: clickhouse, dsn: "chdb:///of/its-own"}
metrics: {listen: off}
"""
    )
    before = load(path)
    profile = embedded_profile(path, "127.0.0.1:1234", folder, folder / "results")
    written = profile.path
    after = load(written)

    assert [model.reference for model in after.models] == [tmp_path / "references" / "one.ref", tmp_path / "two.ref"]
    references = {model.name: model.reference for model in after.models}
    expected = tuple(msgspec.structs.replace(model, reference=references[model.name]) for model in before.models)
    assert after.models == expected
    assert after.kafka == msgspec.structs.replace(
        before.kafka,
        bootstrap_servers="127.0.0.1:1234",
        session_timeout_ms=6_000,
        idle_timeout_ms=10_000,
        client=after.kafka.client,
    )
    assert set(after.kafka.client) == {"fetch.wait.max.ms"}, "security settings are for the user's own brokers"
    assert list(after.destinations) == ["here", "kept"]
    addresses = [ClickHouseAddress.parse(one.dsn.reveal()) for one in after.destinations.values()]
    assert [(one.scheme, one.host, one.user) for one in addresses] == [("clickhouse", "127.0.0.1", "default")] * 2
    folders = {name: server.command[1:] for name, server in profile.servers.items()}
    assert folders == {
        "here": (str(folder / "results" / "here"), str(addresses[0].port)),
        "kept": ("/of/its-own", str(addresses[1].port)),
    }
    assert after.destinations["here"].retention_days == 9
    assert after.metrics.listen is None
    assert after.state_dir == folder / "state"
    assert "a secret" not in written.read_text()
    assert written.stat().st_mode & 0o077 == 0
    assert profile.environment == {turns.VARIABLE: str(folder / "transactions.lock")}
    path.write_text(path.read_text().replace("batch_events: 7", "idle_timeout: 3m"))
    own = load(embedded_profile(path, "127.0.0.1:1234", folder, folder / "results").path)
    assert own.kafka.idle_timeout_ms == 180_000, "the user's own stays"
    kafka = embedded_profile(path, None, folder, folder / "results")
    assert (load(kafka.path).kafka, kafka.environment) == (load(path).kafka, {})
