"""`driftline init`: what is guessed of rows of any format, and that the other commands take what it writes."""

import csv
import json
import random
import re
import shlex
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.cli.app import run
from monitor.config.load import load, parse
from monitor.guess.roles import guessed
from monitor.guess.sample import sampled
from monitor.guess.windows import Rate, window_size
from monitor.guess.written import configuration, told
from monitor.reference.opened import open_references

README = (Path(__file__).parents[2] / "README.md").read_text()
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def rows(n: int, *, shift: float = 0.0, month: int = 1) -> list[dict[str, Any]]:
    """Orders of five days, as a shop may log them; a score that follows the amount."""
    chance = random.Random(month)
    step = timedelta(days=5) / n
    made = []
    for i in range(n):
        amount = chance.gauss(50 + shift, 10)
        score = min(1.0, max(0.0, chance.betavariate(2, 5) + (amount - 50) / 200))
        made.append(
            {
                "created_at": (datetime(2026, month, 1) + i * step).strftime("%Y-%m-%d %H:%M:%S"),
                "order_id": f"o{month}-{i}",
                "amount": round(amount, 2),
                "country": chance.choices(["DE", "FR", "US"], [5, 3, 2])[0],
                "merchant_code": chance.randint(1, 40),
                "premium": chance.random() < 0.5,
                "probability": round(score, 4),
                "outcome": "fraud" if chance.random() < score else "ok",
            }
        )
    return made


def write(path: Path, made: list[dict[str, Any]]) -> Path:
    if path.suffix == ".csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(made[0]))
            writer.writeheader()
            writer.writerows(made)
    elif path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(made), path)
    elif path.suffix == ".feather":
        feather.write_feather(pa.Table.from_pylist(made), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in made))
    return path


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_three_commands_lead_from_csv_files_of_ones_own_to_a_table_of_findings(here: Path) -> None:
    """And prints how long each took: the README's figures (`pytest -rP`)."""
    write(here / "january.csv", rows(6_000))
    write(here / "march.csv", rows(6_000, shift=10.0, month=3))
    (block,) = (one for one in re.findall(r"```bash\n(.*?)```", README, re.DOTALL) if "driftline init --data" in one)
    commands = [shlex.split(line.partition("#")[0])[1:] for line in block.splitlines()]
    assert len(commands) == 3
    screens = []
    for command in commands:
        started_s = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", "monitor", *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        screens.append(done.stdout)
        sys.stdout.write(f"{time.perf_counter() - started_s:.1f} s: driftline {shlex.join(command)}\n")
    assert f"Next: driftline {shlex.join(commands[1])}" in screens[0].splitlines()
    table = re.search(r"What drifted, largest effect first.*:\n(?:  .+\n)+", screens[2])
    assert table is not None
    assert table[0] in README
    assert run(["check", "driftline.yaml", "--data", "march.csv"]) == 0


def test_what_init_says_of_labels_joins_them(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(here / "january.csv", rows(2_000))
    assert run(["init", "--data", "january.csv"]) == 0
    assert "How good the model is: label_horizon in driftline.yaml, then --labels FILE to both." in (
        capsys.readouterr().out.splitlines()
    )
    written = (here / "driftline.yaml").read_text()
    (here / "driftline.yaml").write_text(re.sub(r"# (label_(horizon|mapping):)", r"\1", written))
    labels = ["--labels", "january.csv"]
    assert run(["reference", "build", "driftline.yaml", "--data", "january.csv", *labels]) == 0
    assert run(["replay", "driftline.yaml", "--predictions", "january.csv", *labels, "--out", "out"]) == 0
    assert "labels of january: 2,000 matched" in capsys.readouterr().out


@pytest.mark.parametrize("ending", ["csv", "parquet", "feather", "jsonl"])
def test_the_guesses_are_the_same_in_every_format(here: Path, ending: str) -> None:
    write(here / f"data.{ending}", rows(2_000))
    assert run(["init", "--data", f"data.{ending}", "--name", "fraud"]) == 0
    (model,) = load(here / "driftline.yaml").models
    assert (model.name, model.task, model.positive) == ("fraud", "binary", "fraud")
    mapping = model.mapping
    assert (mapping.timestamp, mapping.timestamp_unit, mapping.prediction_id) == ("created_at", "ms", "order_id")
    assert (mapping.score, mapping.target) == ("probability", "outcome")
    assert model.columns == {"merchant_code": "categorical"}
    assert model.segments == ("country", "premium")
    assert str(model.windows[0].size) == "1d"


def test_nested_events_are_mapped_by_dotted_paths(here: Path) -> None:
    start_s = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
    events = [
        {
            "meta": {"ts": start_s + 60 * i, "requestId": f"r{i}", "model": {"version": 3}},
            "inputs": {"amount": row["amount"], "country": row["country"]},
            "output": {"score": row["probability"], "label": "bad" if row["probability"] > 0.4 else "good"},
        }
        for i, row in enumerate(rows(1_500))
    ]
    write(here / "log.jsonl", events)
    assert run(["init", "--data", "log.jsonl"]) == 0
    (model,) = load(here / "driftline.yaml").models
    assert model.name == "log"
    assert model.mapping.places == {
        "timestamp": "meta.ts", "prediction_id": "meta.requestId", "version": "meta.model.version",
        "features": "inputs", "score": "output.score", "label": "output.label",
    }  # fmt: skip
    assert model.mapping.timestamp_unit == "s"
    assert (model.task, model.positive) == ("binary", "bad")
    assert run(["reference", "build", "driftline.yaml", "--data", "log.jsonl"]) == 0


@pytest.mark.parametrize("nested", [True, False], ids=["in features", "at the top"])
def test_features_in_objects_have_one_name_from_init_to_replay(here: Path, *, nested: bool) -> None:
    events, flat = [], []
    for i, row in enumerate(rows(1_500)):
        top = {"timestamp": 1_767_225_600_000 + 60_000 * i, "score": row["probability"]}
        customer = {"age": i % 60, "home": {"country": row["country"]}, "merchant_code": row["merchant_code"]}
        features = {"amount": row["amount"], "customer": customer}
        events.append({**top, **({"features": features} if nested else features)})
        own = {"customer.age": i % 60, "customer.merchant_code": row["merchant_code"]}
        flat.append({**top, "amount": row["amount"], **own, "customer.home.country": row["country"]})
    forms = {"log.jsonl": events, "log.parquet": events, "flat.csv": flat, "flat.jsonl": flat, "flat.parquet": flat}
    references = []
    for name, data in forms.items():
        write(here / name, data)
        (here / "driftline.yaml").unlink(missing_ok=True)
        assert run(["init", "--data", name, "--name", "m"]) == 0
        (model,) = load(here / "driftline.yaml").models
        assert model.mapping.features == "features"
        assert model.segments == ("customer.home.country",)
        assert model.columns == {"customer.merchant_code": "categorical"}
        assert run(["reference", "build", "driftline.yaml", "--data", name]) == 0
        references.append(open_references(load(here / "driftline.yaml"))["m"].current)
        assert run(["check", "driftline.yaml", "--data", name]) == 0
        out = f"out-{name}"
        assert run(["replay", "driftline.yaml", "--predictions", name, "--out", out, "--close"]) == 0
        scored = set(pq.read_table(here / out / "verdicts.parquet")["column"].to_pylist())
        assert {"amount", "customer.age", "customer.home.country", "customer.merchant_code"} <= scored
    assert {one.n for one in references} == {1_500}
    assert len({one.digest for one in references}) == 1


@pytest.mark.parametrize(
    ("event", "task", "features"),
    [
        ({"prediction": 104.25, "x": 1.5}, "regression", "features"),
        ({"prediction": {"probabilities": {"cat": 0.7, "dog": 0.2, "cow": 0.1}}, "features": [1.0, 2.0]}, "multiclass",
         "features"),
        ({"yhat": 0.3, "payload": {"x": 1.5, "y2": 2.5}}, "binary", "payload"),
        ({"features": {"x": 1.0}}, "none", "features"),
    ],
)  # fmt: skip
def test_forms_of_predictions_are_told_apart(here: Path, event: dict[str, Any], task: str, features: str) -> None:
    write(here / "log.jsonl", [{"timestamp": 1_767_225_600_000 + 60_000 * i, **event} for i in range(500)])
    assert run(["init", "--data", "log.jsonl"]) == 0
    (model,) = load(here / "driftline.yaml").models
    assert (model.task, model.mapping.features) == (task, features)
    assert run(["reference", "build", "driftline.yaml", "--data", "log.jsonl"]) == 0
    assert run(["replay", "driftline.yaml", "--predictions", "log.jsonl", "--out", "out", "--close"]) == 0


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.csv", "a,b\n1,2\n", "no column of a.csv holds times; it has a, b"),
        ("a.csv", "", "a.csv is empty"),
        ("a.csv", "timestamp,score\n", "a.csv has no rows"),
        (
            "a.jsonl",
            "[1, 2]\n",
            "a.jsonl has no row that can be used, of 2 rows (schema): an event is an object",
        ),
        ("a.jsonl", "{'a': 1}\n", "a.jsonl has no row that can be used, of 1 row (undecodable): a printed Python"),
        ("a.csv", "timestamp\n2026-01-01\n", "a.csv has times and nothing else to watch"),
        ("a.txt", "a\n", "a.txt: a file must be named "),
    ],
)
def test_data_that_cannot_be_used_are_one_line_and_leave_no_file(
    here: Path, capsys: pytest.CaptureFixture[str], name: str, text: str, told: str
) -> None:
    (here / name).write_text(text)
    assert run(["init", "--data", name]) == (7 if "no row that" in told else 2)
    error = capsys.readouterr().err.splitlines()[0]
    assert error.startswith(f"error: {told}")
    assert not (here / "driftline.yaml").exists()


def test_a_file_that_is_there_is_not_overwritten(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(here / "a.csv", rows(50))
    (here / "driftline.yaml").write_text("mine")
    assert run(["init", "--data", "a.csv"]) == 2
    assert "error: driftline.yaml exists" in capsys.readouterr().err
    assert (here / "driftline.yaml").read_text() == "mine"


def test_data_and_a_topic_exclude_each_other(here: Path) -> None:
    assert run(["init"]) == 2
    assert run(["init", "--data", "a.csv", "--topic", "predictions"]) == 2


@pytest.mark.parametrize(
    ("n", "days", "size"),
    [(31_000, 31, "1d"), (500, 60, "7d"), (20_000, 1, "6h"), (2_000, 0.1, "15m"), (100, 3, "6h"), (5, 0, "1m")],
)
def test_windows_follow_from_how_many_events_come_and_for_how_long(n: int, days: float, size: str) -> None:
    assert window_size(Rate(n=n, first_ms=0, last_ms=int(days * DAY_MS))) == size


def cloud_events(n: int) -> list[dict[str, Any]]:
    """In the structured content mode, as Knative and others send them."""
    return [
        {
            "specversion": "1.0", "type": "org.example.prediction", "source": "/shop", "id": f"e{i}",
            "time": f"2026-01-0{1 + i // 500}T{i % 500 // 25:02}:00:00Z", "datacontenttype": "application/json",
            "data": {
                "version": "7",
                "features": {"amount": row["amount"], "country": row["country"]},
                "prediction": {"score": row["probability"]},
            },
        }
        for i, row in enumerate(rows(n))
    ]  # fmt: skip


def test_cloud_events_are_read_by_their_preset(here: Path) -> None:
    write(here / "log.jsonl", cloud_events(2_000))
    config = here / "driftline.yaml"
    config.write_text("models: [{name: m, task: binary, reference: m.ref, mapping: {preset: cloudevents}}]")
    assert load(config).models[0].mapping.places == {
        "timestamp": "time", "prediction_id": "id", "version": "data.version", "features": "data.features",
        "score": "data.prediction.score", "label": "data.prediction.label",
    }  # fmt: skip
    assert run(["reference", "build", "driftline.yaml", "--data", "log.jsonl"]) == 0
    assert run(["replay", "driftline.yaml", "--predictions", "log.jsonl", "--out", "out"]) == 0
    verdicts = pq.read_table(here / "out" / "verdicts.parquet").to_pylist()
    assert {row["column"] for row in verdicts} >= {"amount", "country", "@score"}
    assert {row["version"] for row in verdicts} == {"7"}


def test_a_key_beside_a_preset_comes_before_it(here: Path) -> None:
    (here / "c.yaml").write_text(
        "models: [{name: m, reference: r, mapping: {preset: cloudevents, features: data, timestamp: data.at}}]"
    )
    mapping = load(here / "c.yaml").models[0].mapping
    assert (mapping.features, mapping.timestamp, mapping.prediction_id) == ("data", "data.at", "id")


def test_init_finds_its_way_in_cloud_events(here: Path) -> None:
    write(here / "log.jsonl", cloud_events(2_000))
    assert run(["init", "--data", "log.jsonl"]) == 0
    mapping = load(here / "driftline.yaml").models[0].mapping
    assert (mapping.timestamp, mapping.prediction_id, mapping.features) == ("time", "id", "data.features")
    assert (mapping.version, mapping.score) == ("data.version", "data.prediction.score")


def test_a_topic_is_looked_at_like_a_file(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("confluent_kafka")
    monkeypatch.setattr("monitor.kafka.peek.first_events", lambda *_: cloud_events(500))
    assert run(["init", "--topic", "shop.predictions", "--bootstrap-servers", "broker:9092"]) == 0
    config = load(here / "driftline.yaml")
    assert config.models[0].name == "shop.predictions"
    assert (config.kafka.bootstrap_servers, config.kafka.topics.predictions) == ("broker:9092", ("shop.predictions",))
    said = capsys.readouterr().out.splitlines()
    assert "Next: driftline reference build driftline.yaml --data shop.predictions.jsonl" in said
    assert "Then: driftline up driftline.yaml --own-kafka" in said
    assert len((here / "shop.predictions.jsonl").read_text().splitlines()) == 500
    assert run(["init", "--topic", "shop.predictions", "-o", "other.yaml"]) == 2
    assert "shop.predictions.jsonl exists" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("value", "n"),
    [
        (b'{"a": 1}', 1),
        (b'[{"a": 1}, {"a": 2}, 3]', 2),
        (b'{"a": 1}\n{"a": 2}\n', 2),
        (b"\0\0\0\0\x07", 0),
        (None, 0),
        (b"3", 0),
    ],
)
def test_the_objects_of_a_message_are_found(value: bytes | None, n: int) -> None:
    peek = pytest.importorskip("monitor.kafka.peek")
    assert len(peek.events_in(value)) == n


_KEYS = st.sampled_from(
    ["model", "prediction", "score", "label", "target", "features", "data", "id", "x", "ä: #", "@a", "b_code", "zip="]
)
_LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.dates() | st.binary(max_size=2)
)
_VALUES = st.recursive(
    _LEAVES, lambda below: st.lists(below, max_size=3) | st.dictionaries(_KEYS, below, max_size=3), max_leaves=6
)


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.dictionaries(_KEYS, _VALUES, max_size=5), min_size=1, max_size=4), st.integers(1, 120), st.booleans()
)
def test_whatever_the_rows_hold_the_guesses_are_a_configuration(
    made: list[dict[str, Any]], times: int, nested: bool
) -> None:
    events = ({"timestamp": f"2026-01-01T00:00:{i % 60:02}Z", **row} for i, row in enumerate((made * times)[:120]))
    sample = sampled(events, nested=nested, what="rows")
    roles = guessed(sample)
    assert roles.timestamp == "timestamp"
    text = configuration("m", roles, "1d", Rate(n=2, first_ms=0, last_ms=DAY_MS), "rows", kafka=None)
    assert parse(text, environ={}).models[0].task == roles.task
    assert told("m", roles, "1d", Rate(n=2, first_ms=0, last_ms=DAY_MS))


def served(preset: str, n: int) -> list[dict[str, Any]]:
    """Rows of a serving system's log, one instance each."""
    made: list[dict[str, Any]] = []
    for i, one in enumerate(rows(n)):
        at, sent = f"2026-01-0{1 + i * 5 // n}T{i % 24:02}:00:00Z", {"amount": one["amount"], "age": i % 50}
        answer = {"predictions": [one["probability"]]}
        if preset == "sagemaker":
            sides = {
                "endpointInput": {"observedContentType": "text/csv", "data": f"{sent['amount']},{i % 50}"},
                "endpointOutput": {"observedContentType": "text/csv", "data": str(one["probability"])},
            }
            capture = {name: {**side, "encoding": "CSV"} for name, side in sides.items()}
            made.append({"captureData": capture, "eventMetadata": {"eventId": str(i), "inferenceTime": at}})
        elif preset == "kserve":
            event = {"specversion": "1.0", "id": str(i), "time": at, "inferenceservicename": "shop"}
            for kind, data in (("request", {"instances": [sent]}), ("response", answer)):
                made.append({**event, "type": f"org.kubeflow.serving.inference.{kind}", "data": data})
        elif preset == "seldon":
            body = {"data": {"names": list(sent), "ndarray": [list(sent.values())]}}
            made.append({"request": body, "response": {"data": {"ndarray": [[one["probability"]]]}}, "time": at})
        elif preset == "mlflow":
            asked = {"dataframe_records": [sent]}
            made.append({"request_time": at, "databricks_request_id": str(i), "request": json.dumps(asked)})
            made[-1]["response"] = json.dumps(answer)
        else:
            made.append({"request": {"instances": [sent]}, "response": answer, "timestamp": at, "id": str(i)})
    return made


@pytest.mark.parametrize("preset", ["kserve", "seldon", "sagemaker", "mlflow", "tfserving"])
def test_what_serving_systems_log_is_recognised_and_read_by_its_preset(here: Path, preset: str) -> None:
    write(here / "log.jsonl", served(preset, 2_000))
    assert run(["init", "--data", "log.jsonl"]) == 0
    (model,) = load(here / "driftline.yaml").models
    assert (model.mapping.preset, model.task) == (preset, "binary")
    assert model.name == ("shop" if preset == "kserve" else "log")
    assert run(["reference", "build", "driftline.yaml", "--data", "log.jsonl"]) == 0
    assert run(["replay", "driftline.yaml", "--predictions", "log.jsonl", "--out", "out", "--close"]) == 0
    windows = pq.read_table(here / "out" / "windows.parquet").to_pylist()
    assert sum(row["events"] for row in windows if row["segment"] == "") == (4_000 if preset == "kserve" else 2_000)
    columns = {row["column"] for row in pq.read_table(here / "out" / "verdicts.parquet").to_pylist()}
    assert {"f0", "f1", "@score"} <= columns if preset == "sagemaker" else {"amount", "age", "@score"} <= columns


def test_init_writes_the_preset_of_cloud_events(here: Path) -> None:
    write(here / "log.jsonl", cloud_events(2_000))
    assert run(["init", "--data", "log.jsonl"]) == 0
    mapping = load(here / "driftline.yaml").models[0].mapping
    assert mapping.preset == "cloudevents"
    assert "features:" not in (here / "driftline.yaml").read_text().partition("mapping:")[2].partition("positive")[0]
