"""The example holds every key, is loaded, and says what the defaults are."""

import itertools
import re
import string
from pathlib import Path

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.config import Config, Drift, Mapping, WindowSettings, load, parse
from monitor.config.decisions import AlertSettings, RetrainingSettings
from monitor.config.nearest import slips
from monitor.config.schema import Kafka, Metrics, Model, Page
from monitor.config.sections import sections_of_keys, walk
from monitor.config.spans import Span
from monitor.errors import ConfigError
from sinks.clickhouse.settings import Settings as ClickHouse
from sinks.registry import own_destination_types

EXAMPLE = Path(__file__).parents[2] / "driftline.example.yaml"
TEXT = EXAMPLE.read_text()

# Keys of these mappings are names of the user's own, so that no slip in them can be seen.
OPEN = ("columns", "client", "importance")
# So are these, but not the keys below them.
NAMED = ("destinations",)

DAY_MS = 86_400_000


def keys(node: yaml.Node, path: str = "") -> list[tuple[yaml.ScalarNode, str, list[str]]]:
    """Every key of the file that the schema names: its node, the path of its mapping, and the keys beside it."""
    if isinstance(node, yaml.SequenceNode):
        return [found for i, item in enumerate(node.value) for found in keys(item, f"{path}[{i}]")]
    if not isinstance(node, yaml.MappingNode):
        return []
    beside = [key.value for key, _ in node.value]
    here = [(key, path, beside) for key, _ in node.value]
    below = [
        found
        for key, value in node.value
        if key.value not in OPEN
        for found in keys(value, f"{path}.{key.value}" if path else key.value)
    ]
    return here + below


KEYS = keys(yaml.compose(TEXT))


def test_the_example_loads_without_any_variable_set() -> None:
    config = load(EXAMPLE, environ={})
    (model,) = config.models
    assert (model.name, model.task, model.segments) == ("flight-delay", "binary", ("origin", "carrier"))
    assert model.windows == (
        WindowSettings(size=Span(n=DAY_MS)),
        WindowSettings(size=Span(n=7 * DAY_MS), every=Span(n=DAY_MS)),
        WindowSettings(size=Span(n=1, unit="mo"), timezone="UTC"),
    )
    assert model.pane_ms == DAY_MS
    assert model.reference == EXAMPLE.parent / "references" / "flights.ref"
    assert config.state_dir == EXAMPLE.parent / ".driftline"
    assert [(entry.method, entry.threshold, entry.verdict, entry.columns) for entry in model.drift] == [
        ("psi", 0.2, False, None),
        ("ks", 0.1, True, ("distance",)),
        ("js", 0.1, True, None),
        ("missing", 0.01, True, None),
    ]


def test_the_example_holds_every_key_of_the_schema() -> None:
    written = {(re.sub(r"\[[0-9]+\]", "[]", section), key.value) for key, section, _ in KEYS}
    assert {(section, key) for section, key in walk(Config) if not _of_messages(section, key)} <= written


def test_the_destinations_that_are_commented_out_load() -> None:
    text = re.sub(r"^#(  )", r"\1", TEXT, flags=re.MULTILINE)
    names = set(re.findall(r"\$\{([A-Z_]+)\}", text))
    environ = {name: f"https://example.org/{name}" for name in names} | {"WEBHOOK_SECRET": "whsec_" + "A" * 40}
    environ["APPRISE_URL"] = "json://localhost"
    config = parse(text, environ=environ)
    types = {"alertmanager", "airflow", "apprise", "clickhouse", "email", "kafka-topic", "pagerduty", "slack", "teams"}
    assert {type(one).__module__ for one in config.destinations.values()} >= {
        f"sinks.{name.replace('-', '_')}" for name in types - {"clickhouse"}
    }
    assert config.destinations["alertmanager"].labels == {"team": "ml"}
    for one in config.destinations.values():
        assert "example.org/" not in repr(one).replace("airflow.example.org", "").replace("smtp.example.org", "")


def test_the_documentation_of_destinations_has_every_key_of_those_that_send_messages() -> None:
    text = (EXAMPLE.parent / "docs" / "destinations.md").read_text()
    shared, _, tables = text.partition("## For people")
    lines = {line.split("`")[1]: line for line in tables.splitlines() if line.startswith("| `")}
    lacking = [
        (section, key)
        for section, key in walk(Config)
        if _of_messages(section, key) and section != "destinations" and key != "type"
        if f"`{key}`" not in shared + lines[section.removeprefix("destinations.")]
    ]
    assert lacking == []


def _of_messages(section: str, key: str) -> bool:
    """Whether it belongs to a destination of messages: the example shows some, the documentation all."""
    own = set(own_destination_types()) - {"clickhouse"}
    return section.removeprefix("destinations.") in own or (section == "destinations" and key in own)


def test_every_key_of_the_example_has_a_comment() -> None:
    lines = TEXT.splitlines()
    commented: set[str] = set()
    for key, _, _ in KEYS:
        at = key.start_mark.line
        if "#" in lines[at] or lines[at - 1].lstrip().startswith("#"):
            commented.add(key.value)
    assert {key.value for key, _, _ in KEYS} == commented


def test_the_example_tells_the_defaults() -> None:
    config = load(EXAMPLE, environ={})
    (model,) = config.models
    bare = parse("models: [{name: m, reference: r}]", environ={})
    said = msgspec.structs.replace(config.kafka, client={})
    assert said == bare.kafka == Kafka()
    assert config.metrics == bare.metrics == Metrics()
    assert config.ui == bare.ui == Page()
    assert list(config.destinations) == list(bare.destinations) == ["clickhouse"]
    said, default = config.destinations["clickhouse"], bare.destinations["clickhouse"]
    assert msgspec.structs.replace(said, dsn=default.dsn) == default == ClickHouse()
    assert msgspec.structs.replace(model.mapping, target=None) == bare.models[0].mapping
    for key in ("mature_at", "lateness_ms", "retention_ms", "max_ahead_ms", "max_versions", "min_samples", "alpha"):
        assert getattr(model, key) == getattr(bare.models[0], key), key
    assert bare.models[0] == Model(name="m", reference=Path("r"))
    assert bare.models[0].mapping == Mapping()
    assert msgspec.structs.replace(model.alerts, importance={}, silences=()) == bare.models[0].alerts == AlertSettings()
    assert msgspec.structs.replace(model.retraining, stale_after_ms=None) == RetrainingSettings()
    assert bare.models[0].drift == (
        Drift(method="location", threshold=0.1),
        Drift(method="spread", threshold=0.1),
        Drift(method="ks", threshold=0.08),
        Drift(method="js", threshold=0.07),
        Drift(method="missing", threshold=0.01),
        Drift(method="invalid", threshold=0.01),
        Drift(method="unseen", threshold=0.005),
        Drift(method="out_of_range", threshold=0.005),
        Drift(method="coverage", threshold=0.05),
        Drift(method="psi", threshold=0.2, verdict=False),
    )


def test_a_configuration_with_every_section_loads() -> None:
    config = parse(
        """
        models:
          - name: flight-delay
            task: binary                     # binary | multiclass | regression | none
            reference: flights.ref
            columns: {distance: numeric, carrier: categorical}   # optional; default: as the reference was inferred
            mapping:                         # where fields live; these are the defaults
              timestamp: timestamp
              prediction_id: prediction_id
              version: version
              features: features             # flat files and Arrow: every column that no other key names
              score: prediction.score        # flat files and Arrow: column "score"
              label: prediction.label        # flat files and Arrow: column "label"
            segments: [origin]
            windows: [{size: 1d}, {size: 7d, every: 1d}]
            lateness: 1h
            retention: 14d
            min_samples: 200
            drift:                           # for every column; `columns:` under an entry narrows it
              - {method: location}
              - {method: spread}
              - {method: ks}
              - {method: js}
              - {method: missing}
              - {method: invalid}
              - {method: unseen}
              - {method: out_of_range}
              - {method: coverage}
              - {method: psi, threshold: 0.2, verdict: false}
        kafka:
          bootstrap_servers: "localhost:9092"
          topics: {predictions: [predictions], features: [features], labels: [labels]}
        destinations:
          clickhouse: {dsn: "clickhouse://default:${CLICKHOUSE_PASSWORD}@localhost:8123/driftline"}   # or "chdb:///path"
          archive: {type: clickhouse, dsn: "chdb:///archive"}
        metrics: {listen: "127.0.0.1:9108"}
        """,
        environ={"CLICKHOUSE_PASSWORD": "hunter2"},
    )
    assert list(config.destinations) == ["clickhouse", "archive"]
    assert config.destinations["clickhouse"].dsn.reveal() == "clickhouse://default:hunter2@localhost:8123/driftline"
    assert config.models[0].drift == Model(name="m", reference=Path()).drift


def test_no_two_keys_of_one_section_are_a_slip_apart() -> None:
    """Else one would silently pass for the other."""
    sections: dict[str, list[str]] = {}
    for section, key in walk(Config):
        sections.setdefault(section, []).append(key)
    for section, names in sections.items():
        # What destinations of messages are called by the other side (host and port) is kept.
        fewest = 1 if _of_messages(section, "") else 2
        for a, b in itertools.combinations(names, 2):
            assert slips(a, b) > fewest, (a, b)


@st.composite
def slipped_keys(draw: st.DrawFn) -> tuple[yaml.ScalarNode, str, str]:
    """A key of the example, its section's path, and the key with one letter added, dropped, changed or swapped."""
    closed = [found for found in KEYS if not found[1].endswith((*OPEN, *NAMED))]
    key, section, beside = draw(st.sampled_from(closed))
    word = key.value
    at = draw(st.integers(0, len(word) - 1))
    letter = draw(st.sampled_from(string.ascii_lowercase + "_"))
    slipped = draw(
        st.sampled_from(
            [
                word[:at] + letter + word[at:],
                word[:at] + word[at + 1 :],
                word[:at] + letter + word[at + 1 :],
                word[:at] + word[at + 1 : at + 2] + word[at] + word[at + 2 :],
            ]
        )
    )
    return key, section, slipped if slipped not in beside else f"{word}x"


@settings(deadline=None)
@given(slipped_keys())
def test_any_slip_in_a_key_is_an_error_with_its_path_and_the_key_that_was_meant(
    slipped: tuple[yaml.ScalarNode, str, str],
) -> None:
    key, section, wrong = slipped
    text = TEXT[: key.start_mark.index] + wrong + TEXT[key.end_mark.index :]
    with pytest.raises(ConfigError) as caught:
        parse(text, "example", environ={})
    (problem,) = caught.value.problems
    assert problem.path == (f"{section}.{wrong}" if section else wrong)
    assert problem.nearest == key.value
    assert f"did you mean '{key.value}'?" in str(caught.value)
    assert (problem.line, problem.column) == (key.start_mark.line + 1, key.start_mark.column + 1)


@settings(deadline=None)
@given(
    st.sampled_from(sorted(sections_of_keys())), st.sampled_from(["", "kafka", "metrics", "destinations.clickhouse"])
)
def test_a_key_in_the_wrong_place_is_told_its_right_one(key: str, section: str) -> None:
    if section in sections_of_keys()[key]:
        return
    inner = f"{key}: 1"
    for name in reversed(section.split(".") if section else []):
        inner = f"{name}: {{{inner}}}"
    with pytest.raises(ConfigError) as caught:
        parse(f"models: [{{name: m, reference: r}}]\n{inner}", environ={})
    (problem,) = caught.value.problems
    assert problem.path == (f"{section}.{key}" if section else key)
    if not problem.nearest:
        for right in sections_of_keys()[key]:
            assert (f"under {right}" if right else "at the top") in problem.message
