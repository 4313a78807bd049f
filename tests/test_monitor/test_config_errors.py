"""What is wrong in a configuration is said with its place, what was found and the way out, all of it at once."""
# ruff: noqa: E501 - messages are compared whole, each on the line of what brings it about

import pickle
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.config import Config, format_duration, load, parse
from monitor.config.forms import OWN_CLIENT_SETTINGS
from monitor.errors import ConfigError, DriftlineError, InputError, Problem, StoppedError, Unavailable

GOOD = "models: [{name: m, reference: r}]\n"


def problems(text: str, **environ: str) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        parse(text, "a.yaml", environ=environ)
    return list(caught.value.problems)


def problem(text: str, **environ: str) -> str:
    (only,) = problems(text, **environ)
    return str(only)


def model(rest: str) -> str:
    return f"models: [{{name: m, reference: r, {rest}}}]\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Wrong types: path, what is expected, what was found.
        ("[]", "expected a mapping (key: value), found a list"),
        ("models: 3", "models: expected a list ([a, b]), found a number"),
        ("models: {name: m}", "models: expected a list ([a, b]), found a mapping"),
        ("models: [m]", "models[0]: expected a mapping (key: value), found text"),
        ("models: []", "models: at least one model is needed"),
        ("kafka: {}", "the key 'models' is missing"),
        ("models: [{name: m}]", "models[0]: the key 'reference' is missing"),
        ("models: [{name: 3, reference: r}]", "models[0].name: expected a name (a number needs quotes to be text), found the number 3"),
        ("models: [{name: '', reference: r}]", "models[0].name: expected 1 to 200 printable characters, with no space at either end, found ''"),
        ("models: [{name: m, reference: }]", "models[0].reference: expected the path of a file or folder, found nothing"),
        ("models: [{name: m, reference: ~/r}]", "models[0].reference: expected ${HOME} in place of '~', which is not expanded, found '~/r'"),
        (model("task: binry"), "models[0].task: expected one of binary, multiclass, regression, none, found 'binry'; did you mean 'binary'?"),
        (model("task: 3"), "models[0].task: expected one of binary, multiclass, regression, none, found the number 3"),
        (model("columns: {a: numerical}"), "models[0].columns.a: expected one of numeric, categorical, boolean, found 'numerical'; did you mean 'numeric'?"),
        (model("columns: {'@score': numeric}"), "models[0].columns[?]: expected the name of a feature; names with @ in front are Driftline's own"),
        (model("segments: origin"), "models[0].segments: expected a list ([a, b]), found text"),
        (model("segments: [a=b]"), "models[0].segments[0]: expected the name of a dimension, without '=', found 'a=b'"),
        (model("min_samples: 0"), "models[0].min_samples: expected a whole number from 1 to 1,000,000,000, found the number 0"),
        (model("min_samples: 1.5"), "models[0].min_samples: expected a whole number from 1 to 1,000,000,000, found the number 1.5"),
        (model("min_samples: true"), "models[0].min_samples: expected a whole number from 1 to 1,000,000,000, found true"),
        (model("lateness: 90"), "models[0].lateness: expected a duration such as 500ms, 90s, 15m, 1h or 7d, found the number 90"),
        (model("lateness: 1 hour"), "models[0].lateness: expected a duration such as 500ms, 90s, 15m, 1h or 7d, found '1 hour'"),
        (model("windows: [{size: 0s}]"), "models[0].windows[0].size: expected a duration of at least 1ms, found '0s'"),
        (model("windows: [{size: 1d}, {size: 1d, evry: 1h}]"), "models[0].windows[1].evry: unknown key; did you mean 'every'?"),
        (model("compare: []"), "models[0].compare: names nothing to compare with; leave the key out for the pinned reference"),
        (model("compare: [{trailing: 1d}, {trailing: 24h}]"), "models[0].compare[1]: this comparison is already at models[0].compare[0]"),
        (model("compare: [{season: hour_of_day, version: '2'}]"), "models[0].compare[0]: needs just one of the keys trailing, season and version"),
        (model("task: binary, positive: 1"), "models[0].positive: expected a class, in quotes if it is a number, true or false (a number needs quotes to be text), found the number 1"),
        (model("task: binary, positive: true"), "models[0].positive: expected a class, in quotes if it is a number, true or false, found true"),
        (model("task: binary, positive: ''"), "models[0].positive: expected a class: 1 to 200 printable characters, found ''"),
        (model("task: binary, positve: late"), "models[0].positve: unknown key; did you mean 'positive'?"),
        (model("task: binary, positive: '1', threshold: 0.4, label_horizon: 1d, mature_at: 1"), None),
        (model("task: multiclass, positive: late"), "models[0].positive: belongs to a binary model's score; say task: binary, or leave it out"),
        (model("threshold: 0.4"), "models[0].threshold: belongs to a binary model's score; say task: binary, or leave it out"),
        (model("task: binary, threshold: high"), "models[0].threshold: expected a number, found 'high'"),
        (model("feature_skew: {}"), None),
        (model("feature_skew: {tolerance: 0, absolute: 1, horizon: 1h, columns: [x]}"), None),
        (model("feature_skew: {tolerance: -1}"), "models[0].feature_skew.tolerance: expected a number of at least 0 and below 1, found the number -1"),
        (model("feature_skew: {columns: []}"), "models[0].feature_skew.columns: names no column; leave the key out for all of them"),
        (model("feature_skew: {columns: [x, x]}"), "models[0].feature_skew.columns[1]: this column is already at models[0].feature_skew.columns[0]"),
        (model("mature_at: 0.5"), "models[0].mature_at: says how many labels must have come, but without a label_horizon none is joined"),
        (model("label_horizon: 1d, mature_at: 1.5"), "models[0].mature_at: expected a number above 0 and of at most 1, found the number 1.5"),
        (model("mapping: {target: score.}"), "models[0].mapping.target: expected names with single dots between, such as prediction.score"),
        (model("mapping: {target: timestamp}"), "models[0].mapping.target: names the same place as timestamp"),
        (model("mapping: {traget: outcome}"), "models[0].mapping.traget: unknown key; did you mean 'target'?"),
        (model("alpha: 1"), "models[0].alpha: expected a number above 0 and below 1, found the number 1"),
        (model("drift: [{method: ks, alpha: 0.1}]"), "models[0].drift[0].alpha: unknown key here; it belongs under models[]"),
        (model("drift: [{method: ks, threshold: 0}]"), "models[0].drift[0].threshold: expected a number above 0, found the number 0"),
        (model("drift: [{method: ks, threshold: .inf}]"), "models[0].drift[0].threshold: expected a number above 0, found '.inf'"),
        (model("drift: [{method: ks, threshold: 1e999}]"), "models[0].drift[0].threshold: expected a number above 0, found the number 1e999"),
        (model("drift: [{method: ks, bins: 12}]"), "models[0].drift[0].bins: expected 10, or a power of two from 2 to 256, found the number 12"),
        (model("drift: [{method: ks, bins: 512}]"), "models[0].drift[0].bins: expected 10, or a power of two from 2 to 256, found the number 512"),
        (GOOD + "kafka: {topics: {labels: [a b]}}", "kafka.topics.labels[0]: expected the name of a topic: 1 to 249 of a-z, A-Z, 0-9, '.', '_' and '-', found 'a b'"),
        (GOOD + "kafka: {bootstrap_servers: 'a:1,b'}", "kafka.bootstrap_servers: expected host:port, several with commas between, found 'a:1,b'"),
        (GOOD + "kafka: {format: jsn}", "kafka.format: expected one of auto, json, arrow, found 'jsn'; did you mean 'json'?"),
        (GOOD + "kafka: {session_timeout: 1s}", "kafka.session_timeout: expected a duration from 6s to 30m, found '1s'"),
        (GOOD + "kafka: {client: {a.b: [1]}}", "kafka.client.a.b: expected text or a whole number or true or false, found a list"),
        (GOOD + "kafka: {client: {a.b: }}", "kafka.client[?]: expected text or a whole number or true or false, found nothing"),
        (GOOD + "metrics: {listen: 9108}", "metrics.listen: expected host:port, or off (a number needs quotes to be text), found the number 9108"),
        (GOOD + "metrics: {listen: localhost}", "metrics.listen: expected host:port, such as 127.0.0.1:9108, with a port from 0 to 65535, or off, found 'localhost'"),
        (GOOD + "destinations: {clickhouse: {type: clickhose}}", "destinations.clickhouse.type: expected one of airflow, alertmanager, apprise, argo-events, clickhouse, dagster, email, github, kafka-topic, kubeflow, pagerduty, prefect, sagemaker, slack, teams, vertex, webhook, zenml, found 'clickhose'; did you mean 'clickhouse'?"),
        (GOOD + "destinations: {archive: {type: parquet-files}}", "destinations.archive.type: expected one of airflow, alertmanager, apprise, argo-events, clickhouse, dagster, email, github, kafka-topic, kubeflow, pagerduty, prefect, sagemaker, slack, teams, vertex, webhook, zenml, found 'parquet-files'"),
        (GOOD + "destinations: {archive: {type: 3}}", "destinations.archive.type: expected a name (a number needs quotes to be text), found the number 3"),
        (GOOD + "destinations: {archive: {dsn: 'chdb:///x'}}", "destinations.archive: the key 'type' is missing, and there is none named 'archive'; it is one of airflow, alertmanager, apprise, argo-events, clickhouse, dagster, email, github, kafka-topic, kubeflow, pagerduty, prefect, sagemaker, slack, teams, vertex, webhook, zenml"),
        (GOOD + "destinations: {clickhose: {dsn: 'chdb:///x'}}", "destinations.clickhose: the key 'type' is missing, and there is none named 'clickhose'; it is one of airflow, alertmanager, apprise, argo-events, clickhouse, dagster, email, github, kafka-topic, kubeflow, pagerduty, prefect, sagemaker, slack, teams, vertex, webhook, zenml; did you mean 'clickhouse'?"),
        (GOOD + "destinations: {archive: {tpye: clickhouse}}", "destinations.archive.tpye: unknown key; did you mean 'type'?"),
        (GOOD + "destinations: {archive: {type: clickhouse, bach_rows: 1}}", "destinations.archive.bach_rows: unknown key; did you mean 'batch_rows'?"),
        (GOOD + "destinations: {clickhouse: {bucket: x}}", "destinations.clickhouse.bucket: unknown key; the keys here are type, batch_rows, batch_interval, max_retry_wait, retry_window, dsn, retention_days"),
        (GOOD + "destinations: {clickhouse: {batch_rows: 0}}", "destinations.clickhouse.batch_rows: expected a whole number from 1 to 1,000,000,000, found the number 0"),
        (GOOD + "destinations: {clickhouse: }", "destinations[?]: expected a mapping (key: value), found nothing"),
        (GOOD + "destinations: [clickhouse]", "destinations: expected a mapping (key: value), found a list"),
        (GOOD + "destinations: {my+db: {type: clickhouse}}", 'destinations["my+db"]: expected a name of 1 to 64 of a-z, A-Z, 0-9, \'.\', \'_\' and \'-\''),
        (GOOD + "destinations: {a: {type: clickhouse, dsn: 'chdb:///a'}, b: {type: clickhouse, dsn: 'chdb:///b'}}", None),
        (GOOD + "destinations: {}", None),
        (GOOD + "clickhouse: {dsn: 'chdb:///x'}", "clickhouse: unknown key here; it belongs under destinations"),
        (GOOD + "dsn: 'chdb:///x'", "dsn: unknown key here; it belongs under destinations.clickhouse"),
        # Between keys.
        (model("windows: []"), "models[0].windows: at least one window is needed"),
        (model("windows: [{size: 1h, every: 2h}]"), "models[0].windows[0].every: must be at most the size (1h), or events fall between windows"),
        (model("windows: [{size: 1h, offset: 1h}]"), "models[0].windows[0].offset: must be less than the step (1h)"),
        (model("windows: [{size: 1h}, {size: 60m}]"), "models[0].windows[1]: this window is already at models[0].windows[0]"),
        (model("windows: [{size: 1001ms}], retention: 13h"), None),
        (model("windows: [{size: 1s, every: 999ms}]"), "models[0].windows: sizes, steps and offsets have only 1ms in common, and at least 1s is needed; choose times that divide each other"),
        (model("windows: [{size: 10000s, every: 1s}], retention: 40000s"), None),
        (model("windows: [{size: 10000s, every: 1s}], retention: 40001s"), "models[0].retention: 40001s beside the longest window are 50,001 panes of 1s (what all sizes, steps and offsets have in common), and at most 50,000 are kept; shorten it or take longer steps"),
        (model("windows: [{size: 1s}]"), "models[0].retention: 14d beside the longest window are 1,209,601 panes of 1s (what all sizes, steps and offsets have in common), and at most 50,000 are kept; shorten it or take longer steps"),
        (model("windows: [{size: 1m}, {size: 7d, every: 1h}]"), "models[0].windows[1].size: is 10,080 panes of 1m (what all sizes, steps and offsets have in common), and at most 10,000 are possible; take longer steps or a shorter window"),
        (model("windows: [{size: 1m}, {size: 1d, every: 1h}]"), None),
        (model("windows: [{size: 10001s, every: 1s}]"), "models[0].windows[0].size: is 10,001 panes of 1s (what all sizes, steps and offsets have in common), and at most 10,000 are possible; take longer steps or a shorter window"),
        (model("windows: [{size: 1d, timezone: Europe/Berlin}, {size: 1w, timezone: Europe/Berlin}, {size: 1mo, timezone: Europe/Berlin}]"), None),
        (model("windows: [{size: 7d, every: 1d, offset: 6h, timezone: Asia/Kathmandu}, {size: 3mo, every: 1mo, offset: 5d}, {size: 1w, offset: 6d}]"), None),
        (model("windows: [{size: 1d, timezone: UTC}, {size: 1h}]"), None),
        (model("windows: [{size: 1d, timezone: Europe/Berlim}]"), "models[0].windows[0].timezone: expected the name of a time zone, such as Europe/Berlin or UTC, found 'Europe/Berlim'; did you mean 'Europe/Berlin'?"),
        (model("windows: [{size: 1d, timezone: Berlin}]"), "models[0].windows[0].timezone: expected the name of a time zone, such as Europe/Berlin or UTC, found 'Berlin'; did you mean 'Europe/Berlin'?"),
        (model("windows: [{size: 1d, timezone: new-york}]"), "models[0].windows[0].timezone: expected the name of a time zone, such as Europe/Berlin or UTC, found 'new-york'; did you mean 'America/New_York'?"),
        (model("windows: [{size: 1d, timezone: 2}]"), "models[0].windows[0].timezone: expected the name of a time zone, such as Europe/Berlin or UTC (a number needs quotes to be text), found the number 2"),
        (model("windows: [{size: 1d, timezone: ../zones}]"), "models[0].windows[0].timezone: expected the name of a time zone, such as Europe/Berlin or UTC, found '../zones'"),
        (model("windows: [{size: 12h, timezone: Europe/Berlin}]"), "models[0].windows[0].size: must be whole days, weeks or months in a window of the calendar; shorter ones are the same in every time zone"),
        (model("windows: [{size: 1d, every: 1h, timezone: Europe/Berlin}]"), "models[0].windows[0].every: must be whole days, weeks or months in a window of the calendar; shorter ones are the same in every time zone"),
        (model("windows: [{size: 1w, every: 36h}]"), "models[0].windows[0].every: must be whole days, weeks or months in a window of the calendar; shorter ones are the same in every time zone"),
        (model("windows: [{size: 1mo, every: 1d}]"), "models[0].windows[0].every: must be in months, as the size is"),
        (model("windows: [{size: 90d, every: 1mo}]"), "models[0].windows[0].every: must be in days or weeks, as the size is"),
        (model("windows: [{size: 1w, every: 8d}]"), "models[0].windows[0].every: must be at most the size (1w), or events fall between windows"),
        (model("windows: [{size: 1mo, every: 3mo}]"), "models[0].windows[0].every: must be at most the size (1mo), or events fall between windows"),
        (model("windows: [{size: 1w, every: 1d, offset: 1d}]"), "models[0].windows[0].offset: must be less than the step (1d)"),
        (model("windows: [{size: 3mo, offset: 28d}]"), "models[0].windows[0].offset: must be less than the shortest month (28d)"),
        (model("windows: [{size: 7d, timezone: UTC}, {size: 1w}]"), "models[0].windows[1]: this window is already at models[0].windows[0]"),
        (model("windows: [{size: 7d}, {size: 1w}]"), None),
        (model("windows: [{size: 0w}]"), "models[0].windows[0].size: expected a duration such as 90s, 15m, 1h or 7d, or 1w or 1mo, found '0w'"),
        (model("windows: [{size: 121mo}]"), "models[0].windows[0].size: expected a duration of at most 120mo, found '121mo'"),
        (model("windows: [{size: 3661d}]"), "models[0].windows[0].size: expected a duration of at most 3660d, found '3661d'"),
        (model("windows: [{size: 6mo, timezone: Asia/Kathmandu}]"), "models[0].windows[0].size: is 17,856 panes of 15m (what all sizes, steps, offsets and time zones have in common), and at most 10,000 are possible; take longer steps or a shorter window"),
        (model("windows: [{size: 90d, timezone: Asia/Kathmandu}], retention: 500d"), "models[0].retention: 500d beside the longest window are 56,640 panes of 15m (what all sizes, steps, offsets and time zones have in common), and at most 50,000 are kept; shorten it or take longer steps"),
        (model("lateness: 1w"), "models[0].lateness: expected a duration such as 500ms, 90s, 15m, 1h or 7d, found '1w'"),
        (model("lateness: 15d"), "models[0].retention: must be at least the lateness: 14d is less than 15d"),
        (model("segments: [a, b, a]"), "models[0].segments[2]: this dimension is already at models[0].segments[0]"),
        (model("mapping: {score: a.b, label: a.b}"), "models[0].mapping.label: names the same place as score"),
        (model("mapping: {score: a..b}"), "models[0].mapping.score: expected names with single dots between, such as prediction.score"),
        (model("drift: [{method: ks}, {method: ks, columns: [a]}]"), "models[0].drift[1]: looks at columns that models[0].drift[0] looks at with the same method"),
        (model("drift: [{method: ks, columns: [b]}, {method: ks, columns: [a]}]"), None),
        (model("drift: [{method: ks, columns: []}]"), "models[0].drift[0].columns: names no column; leave the key out for all of them"),
        (model("drift: []"), None),
        (GOOD + "kafka: {topics: {predictions: [a], labels: [b, a]}}", "kafka.topics.labels[1]: this topic is also under predictions; a topic has one role"),
        (GOOD + "kafka: {topics: {predictions: [a, a]}}", "kafka.topics.predictions[1]: this topic is already at kafka.topics.predictions[0]"),
        (GOOD + "kafka: {topics: {predictions: [drift.results]}}", "kafka.topics.predictions[0]: topics that begin with kafka.topic_prefix are Driftline's own"),
        (GOOD + "kafka: {topics: {predictions: [], features: []}}", "kafka.topics: at least one topic of predictions or features is needed"),
        # The document.
        ("", "the file is empty; it needs at least `models`"),
        ("# nothing\n", "the file is empty; it needs at least `models`"),
        (GOOD + "models: [{name: m, reference: r}]", "models: given twice, first on line 1"),
        (GOOD + "kafka: {topics: {labels: [a], labels: [b]}}", "kafka.topics.labels: given twice, first on line 2"),
        (GOOD + "[a]: b", "a key must be text, not a list or a mapping"),
        (GOOD + "kafka: &a {client: {b: *a}}", "kafka.client.b: an alias inside what it stands for"),
        (GOOD + "metrics: {<<: {listen: off}}", "metrics: merge keys are not supported; write the keys out"),
        (GOOD + "state_dir: !!python/name:os.system ''", "state_dir: tags (!...) are not supported; write the plain value"),
        (GOOD + "---\n" + GOOD, "not valid YAML: expected a single document in the stream, but found another document"),
        ("[" * 5000, "the file is nested too deeply"),
        ("models: [a", "not valid YAML: while parsing a flow sequence, expected ',' or ']', but got '<stream end>'"),
    ],
)  # fmt: skip
def test_each_mistake_is_named(text: str, expected: str | None) -> None:
    if expected is None:
        assert isinstance(parse(text, environ={}), Config)
    else:
        assert [str(each) for each in problems(text)] == [expected]


def test_everything_wrong_is_said_at_once_in_the_order_of_the_file() -> None:
    text = """
models:
  - name: m
    reference: r
    tsk: binary
    windows: [{size: 1d}, {size: 7d, evry: 1d}]
    lateness: soon
kafka: {topics: {labels: [labels], labels: [x]}, idle_timeout: 1}
destinations: {clickhouse: {retention_days: many}}
metrcs: {}
"""
    with pytest.raises(ConfigError) as caught:
        parse(text, "a.yaml", environ={})
    assert str(caught.value).splitlines() == [
        "a.yaml:5:5: models[0].tsk: unknown key; did you mean 'task'?",
        "a.yaml:6:38: models[0].windows[1].evry: unknown key; did you mean 'every'?",
        "a.yaml:7:5: models[0].lateness: expected a duration such as 500ms, 90s, 15m, 1h or 7d, found 'soon'",
        "a.yaml:8:36: kafka.topics.labels: given twice, first on line 8",
        "a.yaml:8:50: kafka.idle_timeout: expected a duration such as 500ms, 90s, 15m, 1h or 7d, found the number 1",
        "a.yaml:9:29: destinations.clickhouse.retention_days: expected a whole number from 1 to 20,000, found 'many'",
        "a.yaml:10:1: metrcs: unknown key; did you mean 'metrics'?",
    ]
    assert (caught.value.path, caught.value.nearest, caught.value.line) == ("models[0].tsk", "task", 5)
    assert caught.value.exit_code == 2


def test_a_required_key_misspelt_is_one_problem_not_two() -> None:
    assert problem("models: [{nme: m, reference: r}]") == "models[0].nme: unknown key; did you mean 'name'?"


def test_a_method_that_does_not_exist_names_the_nearest() -> None:
    (only,) = problems(model("drift: [{method: psii}]"))
    assert (only.path, only.nearest) == ("models[0].drift[0].method", "psi")
    assert "found 'psii'; did you mean 'psi'?" in str(only)


def test_two_models_of_one_name_are_an_error() -> None:
    text = "models: [{name: a, reference: r}, {name: b, reference: r}, {name: a, reference: s}]"
    assert problem(text) == "models[2].name: this name is already at models[0].name"


@pytest.mark.parametrize("key", sorted(OWN_CLIENT_SETTINGS))
def test_client_settings_that_guarantees_rest_on_are_refused(key: str) -> None:
    text = problem(GOOD + f"kafka: {{client: {{{key}: x}}}}")
    path = f"kafka.client.{key}" if "." in key else "kafka.client[?]"  # what has no dot may be half a secret
    assert text == f"{path}: expected another setting; this one is Driftline's own: {OWN_CLIENT_SETTINGS[key]}"


@pytest.mark.parametrize(
    "dsn",
    ["", "localhost", "clickhouse:", "clickhouse://", "postgres://h/d", "clickhouse://h:x/d", "clickhouse://h:99999/d",
     "clickhouse://h:0/d", "clickhouse://h/a/b", "clickhouse://h/d#f", "clickhouse://[h/d", "clickhouse://h /d",
     "chdb://path", "chdb:///", "chdb:path", "clickhouse://u:pa/ss@h/d", "clickhouse://u:12/ss@h", "clickhouse://h/d?secure=1", "chdb:///a?b=c", "clickhouses://h?ca_cert"],
)  # fmt: skip
def test_a_dsn_that_cannot_be_meant_is_refused_and_never_shown(dsn: str) -> None:
    text = problem(GOOD + f"destinations: {{clickhouse: {{dsn: '{dsn}'}}}}")
    assert text.startswith("destinations.clickhouse.dsn: expected ")
    assert text.endswith("found text")


@pytest.mark.parametrize(
    "dsn",
    [
        "clickhouse://h",
        "clickhouse://user@h:8123/d",
        "clickhouses://u@[::1]:8443/d?ca_cert=/a.pem",
        "chdb:///a/b",
        "chdb://memory",
    ],
)
def test_a_dsn_that_can_be_meant_is_taken_and_the_sink_takes_it_too(dsn: str) -> None:
    from sinks.clickhouse.address import ClickHouseAddress

    config = parse(GOOD + f"destinations: {{clickhouse: {{dsn: '{dsn}'}}}}", environ={})
    assert config.destinations["clickhouse"].dsn.reveal() == dsn
    ClickHouseAddress.parse(dsn)


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_any_password_in_a_variable_reaches_the_sink_as_it_is(password: str) -> None:
    from sinks.clickhouse.address import ClickHouseAddress

    text = GOOD + "destinations: {clickhouse: {dsn: 'clickhouse://u:${S}@h:9/d'}}"
    address = ClickHouseAddress.parse(parse(text, environ={"S": password}).destinations["clickhouse"].dsn.reveal())
    assert (address.user, address.password, address.host, address.port) == ("u", password, "h", 9)


def test_an_unset_variable_is_named_with_its_path() -> None:
    text = problem(GOOD + "destinations: {clickhouse: {dsn: 'clickhouse://u:${CLICKHOUSE_PASSWORD}@h/d'}}")
    assert text == "destinations.clickhouse.dsn: the environment variable CLICKHOUSE_PASSWORD is not set"


def test_a_variable_is_a_number_or_a_switch_where_one_is_wanted_and_text_elsewhere() -> None:
    text = "models: [{name: '${N}', reference: r, min_samples: '${N}', lateness: '${L:-5m}', drift: [{method: ks, threshold: '${T}'}]}]"
    config = parse(text + "\nkafka: {client: {sasl.password: '${N}'}}", environ={"N": "7", "T": "0.5"})
    (only,) = config.models
    assert (only.name, only.min_samples, only.lateness_ms, only.drift[0].threshold) == ("7", 7, 300_000, 0.5)
    assert config.kafka.client_settings() == {"sasl.password": "7"}


def test_what_a_variable_holds_is_not_shown_when_it_is_wrong() -> None:
    text = problem(model("lateness: '${L}'"), L="hunter2")
    assert text == "models[0].lateness: expected a duration such as 500ms, 90s, 15m, 1h or 7d, found '${L}'"


def test_a_space_missing_after_a_colon_does_not_show_what_follows() -> None:
    (only,) = problems(GOOD + "destinations: {clickhouse: {dsn:clickhouse://u:hunter2@h/d}}")
    assert str(only) == "destinations.clickhouse[?]: not a key; is a colon missing, or the space after one?"
    assert (only.line, only.column) == (2, 29)


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("models:\n  - a: b: c\n", 2, 9),
        ("a: 1\n\tb: 2\n", 2, 1),
        ("a: \x07", 1, 4),
        ("models: 'a\n\n", 3, 1),
        ("a: *hunter2", 1, 4),
    ],
)
def test_errors_of_syntax_name_line_and_column_and_quote_nothing(text: str, line: int, column: int) -> None:
    (only,) = problems(text)
    assert (only.line, only.column) == (line, column)
    assert only.message.startswith("not valid YAML: ")
    assert "hunter2" not in str(only)


def test_yaml_1_1_surprises_are_not_ours() -> None:
    text = """
models:
  - {name: on, reference: no, segments: [y, 2013-01-01, 0123, 1_000], columns: {no: numeric, 1: categorical}}
metrics: {listen: off}
kafka: {client: {a: 012, b: 1.50, c: yes, d: true, e: 7}}
"""
    config = parse(text, environ={})
    (only,) = config.models
    assert (only.name, only.reference, only.segments) == ("on", Path("no"), ("y", "2013-01-01", "0123", "1_000"))
    assert only.columns == {"no": "numeric", "1": "categorical"}
    assert config.metrics.listen is None
    assert config.kafka.client_settings() == {"a": "012", "b": "1.50", "c": "yes", "d": True, "e": 7}


def test_aliases_stand_for_whole_values() -> None:
    text = "models: [{name: a, reference: r, drift: &d [{method: ks}]}, {name: b, reference: s, drift: *d}]"
    a, b = parse(text, environ={}).models
    assert a.drift == b.drift


def test_nested_aliases_cannot_fill_the_memory() -> None:
    lines = ["a0: &a0 [x]"] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    assert problem("\n".join(lines)) == "the file holds more than 100,000 values"


def test_a_key_named_like_another_section_s_is_sent_there() -> None:
    assert problem(model("idle_timeout: 1m")) == "models[0].idle_timeout: unknown key here; it belongs under kafka"


def test_a_threshold_left_out_is_the_method_s_own() -> None:
    from detectors import registry

    (only,) = parse(model("drift: [{method: ks}]"), environ={}).models
    assert only.drift[0].threshold == registry.get("ks").default_threshold


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    file = tmp_path / "sub" / "d.yaml"
    file.parent.mkdir()
    file.write_bytes(b"\xef\xbb\xbfmodels: [{name: m, reference: r/f.ref}, {name: n, reference: /abs}]\n")
    config = load(file, environ={})
    assert [each.reference for each in config.models] == [tmp_path / "sub" / "r" / "f.ref", Path("/abs")]
    assert config.state_dir == tmp_path / "sub" / ".driftline"


def test_variables_come_from_the_process_when_no_others_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTLINE_TEST_NAME", "m")
    assert parse("models: [{name: '${DRIFTLINE_TEST_NAME}', reference: r}]").models[0].name == "m"


def test_a_file_that_cannot_be_read_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read: No such file") as missing:
        load(tmp_path / "none.yaml")
    assert "driftline.example.yaml" in missing.value.hint
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"models:\n  - name: caf\xe9\n")
    with pytest.raises(ConfigError, match=r"latin\.yaml:2: the file is not UTF-8 text"):
        load(tmp_path / "latin.yaml")


@pytest.mark.parametrize(
    ("error", "exit_code"),
    [
        (DriftlineError("a\nb", hint="c\nd"), 1),
        (ConfigError([Problem(message="a", path="b", line=3)], source="f.yaml", hint="h"), 2),
        (InputError("no file"), 2),
        (Unavailable("broker"), 3),
        (StoppedError("stopped"), 4),
    ],
)
def test_errors_are_one_line_have_an_exit_code_and_survive_pickling(error: DriftlineError, exit_code: int) -> None:
    assert error.exit_code == exit_code
    assert "\n" not in str(error) + error.message + error.hint
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.hint, type(again)) == (str(error), error.hint, type(error))


def test_durations_in_messages_are_written_as_in_the_file() -> None:
    assert format_duration(15 * 86_400_000) in problem(model("lateness: 15d"))


@pytest.mark.parametrize(
    "text",
    [
        "kafka: {bootstrap_servers: 'SASL_SSL://user:hunter2@h:9092'}",
        "kafka: {bootstrap_servers: 'user:hunter2@h:9092'}",
        "metrics: {listen: 'http://hunter2'}",
        "destinations: {clickhouse: 'clickhouse://u:hunter2@h/d'}",
        "destinations: {clickhouse: {dsn, hunter2}}",
        "destinations: {clickhouse: [hunter2]}",
        "destinations: {clickhouse: {type: 'clickhouse://u:hunter2@h/d'}}",
        "destinations: {clickhouse: {}, hunter2: }",
        "destinations: {clickhouse: {}, hunter2: 3}",
        "destinations: {'clickhouse://u:hunter2@h/d': {}}",
        "destinations: 'clickhouse://u:hunter2@h/d'",
        "destinations: [hunter2]",
        "clickhouse: 'clickhouse://u:hunter2@h/d'",
        "clickhouse: {dsn, hunter2}",
        "hunter2",
        "kafka: {client: {hunter2: }}",
        "kafka: {client: {sasl.passwordhunter2}}",
        "kafka: {client: {hunter2: [1]}}",
        "kafka: {client: {ssl.key'hunter2': 1}}",
        "kafka: {client: hunter2}",
    ],
)
def test_what_may_be_a_password_in_the_wrong_place_is_not_shown(text: str) -> None:
    found = problems("models: [{name: m, reference: r}]\n" + text)
    assert found
    assert all("hunter2" not in repr(each) and each.line for each in found)
