"""Labelled references: what labels say of the model, whatever the order of either file, its format and its classes."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from sklearn import metrics as sklearn_metrics  # type: ignore[import-untyped]  # scikit-learn has no types

from detectors.errors import MalformedReference
from detectors.performance.model_space import space_of
from detectors.performance.space import Task
from detectors.reference import Reference
from monitor.cli import reference as reference_cli
from monitor.cli.offline import check_config
from monitor.config.load import load
from monitor.config.schema import CompareSettings, Model, WindowSettings
from monitor.config.spans import Span
from monitor.errors import ConfigError, InputError
from monitor.events.mapping import Mapping
from monitor.reference.build import BuiltReference, build_reference
from monitor.reference.opened import open_references
from monitor.reference.performance import labels_told, performance_limits

HOUR_MS = 3_600_000
START_MS = 1_700_000_000_000 // (24 * HOUR_MS) * 24 * HOUR_MS
N = 1_200


@pytest.fixture(autouse=True)
def no_studies(monkeypatch: pytest.MonkeyPatch) -> None:
    """What panes show of drift has tests of its own, and takes most of a build's time."""
    monkeypatch.setattr("monitor.reference.build.pane_studies", lambda *_: ())


def model(**changes: Any) -> Model:
    fields: dict[str, Any] = {
        "name": "m",
        "task": "binary",
        "reference": Path("m.ref"),
        "segments": ("site",),
        "windows": (WindowSettings(size=Span(n=2 * HOUR_MS)),),
        "label_horizon_ms": 48 * HOUR_MS,
    }
    return Model(**{**fields, **changes})


@dataclass
class Data:
    """Predictions, and the truth of each: text, boolean, integer or float."""

    rows: list[dict[str, Any]]
    truth: list[Any]

    def labels(self, rng: np.random.Generator, share: float = 0.8) -> list[dict[str, Any]]:
        """Of a share of the predictions, some minutes later."""
        return [
            {
                "prediction_id": row["prediction_id"],
                "timestamp": row["timestamp"] + int(rng.integers(1, 90)) * 60_000,
                "label": label,
            }
            for row, label in zip(self.rows, self.truth, strict=True)
            if rng.random() < share
        ]


def data(truth_of: Callable[[bool], Any], said_of: Callable[[bool], Any] | None = None, n: int = N) -> Data:
    """A binary model whose score is the probability of its positive class."""
    rng = np.random.default_rng(5)
    score = rng.beta(2.0, 4.0, n).round(3)
    truth = rng.random(n) < score
    rows = []
    for i in range(n):
        row: dict[str, Any] = {
            "timestamp": START_MS + i * 240_000,
            "prediction_id": f"p{i}",
            "x": float(rng.normal()),
            "site": "north" if rng.random() < 0.4 else "south",
            "score": float(score[i]),
        }
        if said_of is not None:
            row["label"] = said_of(bool(score[i] >= 0.4))
        rows.append(row)
    return Data(rows, [truth_of(bool(one)) for one in truth])


def texts(positive: bool) -> str:
    return "late" if positive else "on-time"


def write(rows: list[dict[str, Any]], path: Path) -> Path:
    if path.suffix == ".csv":
        pa_csv.write_csv(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def built(folder: Path, found: Data, labels: list[dict[str, Any]], **changes: Any) -> BuiltReference:
    return build_reference(
        model(**changes), write(found.rows, folder / "d.parquet"), labels=write(labels, folder / "l.jsonl")
    )


def told(found: BuiltReference) -> str:
    assert found.labels is not None
    return "\n".join(labels_told(found.labels, found.reference))


def shuffled(rows: list[dict[str, Any]], seed: int) -> list[dict[str, Any]]:
    return [rows[i] for i in np.random.default_rng(seed).permutation(len(rows)).tolist()]


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_the_digest_depends_neither_on_the_order_of_rows_and_labels_nor_on_the_formats(
    tmp_path: Path, task: str
) -> None:
    found = data(texts, texts, n=600)
    if task == "regression":
        found = Data(
            [{k: v for k, v in row.items() if k != "label"} for row in found.rows],
            [row["score"] * 2.0 + (i % 7) / 10.0 for i, row in enumerate(found.rows)],
        )
    labels = found.labels(np.random.default_rng(1))
    other = "on-time" if task == "binary" else 7.5
    # Corrected, repeated, and of nobody: what counts follows from times alone.
    labels += [{**labels[3], "timestamp": labels[3]["timestamp"] + 1, "label": other}, labels[4]]
    labels += [{**labels[5], "prediction_id": "nobody"}]
    references = [
        build_reference(
            model(task=task),
            write(shuffled(found.rows, seed) if seed else found.rows, tmp_path / f"d{seed}{one}"),
            labels=write(shuffled(labels, seed + 9) if seed else labels, tmp_path / f"l{seed}{other}"),
        ).reference
        for seed, one, other in ((0, ".parquet", ".jsonl"), (1, ".csv", ".parquet"), (2, ".jsonl", ".csv"))
    ]
    assert len({reference.digest for reference in references}) == 1
    first = references[0]
    assert first.performance is not None
    assert all(own.performance is not None and own.performance.sketch == first.performance.sketch for own in references)
    assert first.performance.spreads.keys() == {2 * HOUR_MS}
    again = Reference.decode(first.encode())
    assert again.digest == first.digest
    assert again.performance is not None
    assert again.performance.sketch == first.performance.sketch
    assert again.segment_performance == first.segment_performance
    assert again.delay == first.delay


def test_the_metrics_are_those_of_the_labelled_rows_and_segments_add_up(tmp_path: Path) -> None:
    found = data(texts, texts)
    labels = found.labels(np.random.default_rng(2))
    reference = built(tmp_path, found, labels).reference
    assert reference.performance is not None
    by_id = {row["prediction_id"]: row for row in found.rows}
    score = np.array([by_id[label["prediction_id"]]["score"] for label in labels])
    truth = np.array([label["label"] == "late" for label in labels])
    own = reference.performance.metrics
    assert own["log_loss"].value == pytest.approx(sklearn_metrics.log_loss(truth, score), abs=1e-9)
    assert own["roc_auc"].value == pytest.approx(sklearn_metrics.roc_auc_score(truth, score), abs=2e-3)
    assert own["f1"].value == pytest.approx(sklearn_metrics.f1_score(truth, score >= 0.4), abs=1e-12)
    whole, segments = reference.performance.sketch, reference.segment_performance
    assert sorted(segments) == ["site=north", "site=south"]
    assert segments["site=north"].merge(segments["site=south"]) == whole
    north = reference.performance_of("site=north")
    assert north is not None
    assert north.sketch == segments["site=north"]
    assert reference.performance_of("site=west") is None


def test_a_delay_curve_says_how_many_labels_are_due_at_which_age(tmp_path: Path) -> None:
    found = data(texts, texts)
    reference = built(tmp_path, found, found.labels(np.random.default_rng(2), share=0.8)).reference
    assert reference.delay is not None
    assert reference.delay.n == N
    due = reference.delay.at(np.array([0.0, 45 * 60_000.0, 24.0 * HOUR_MS]))
    assert due[0] == 0.0
    assert due[1] == pytest.approx(0.4, abs=0.05)
    assert due[2] == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize(
    ("truth_of", "said_of", "classes"),
    [
        (texts, texts, ("on-time", "late")),
        (bool, None, ("false", "true")),
        (int, None, ("0", "1")),
        (int, bool, ("0", "1")),
        (bool, int, ("false", "true")),
        (lambda one: 1 - int(one), None, ("1", "0")),
    ],
)
def test_the_positive_class_is_the_one_whose_members_score_higher(
    tmp_path: Path, truth_of: Any, said_of: Any, classes: tuple[str, str]
) -> None:
    found = data(truth_of, said_of)
    result = built(tmp_path, found, found.labels(np.random.default_rng(3)))
    assert result.reference.performance is not None
    assert result.reference.performance.sketch.space.classes == classes
    assert f"{classes[1]!r} is positive, for its members score higher" in told(result)
    assert result.reference.performance.metrics["roc_auc"].value > 0.6
    assert result.reference.performance.metrics["accuracy"].value > 0.6


def test_a_configured_positive_class_is_taken_and_doubted_where_its_members_score_lower(tmp_path: Path) -> None:
    found = data(texts, texts)
    labels = found.labels(np.random.default_rng(3))
    result = built(tmp_path, found, labels, positive="late")
    assert "'late' is positive, as configured" in told(result)
    assert "is `positive` right?" not in told(result)
    assert "is `positive` right?" in told(built(tmp_path, found, labels, positive="on-time"))
    with pytest.raises(InputError, match="positive is 'lat'") as raised:
        built(tmp_path, found, labels, positive="lat")
    assert "did you mean 'late'?" in raised.value.hint


def test_a_threshold_decides_what_a_score_says(tmp_path: Path) -> None:
    found = data(texts, texts)
    labels = found.labels(np.random.default_rng(3))
    strict = built(tmp_path, found, labels, threshold=0.9).reference.performance
    said = built(tmp_path, found, labels).reference.performance
    bare = Data([{k: v for k, v in row.items() if k != "label"} for row in found.rows], found.truth)
    half = built(tmp_path, bare, labels).reference.performance
    assert strict is not None
    assert said is not None
    assert half is not None
    recalls = [own.metrics["recall"].value for own in (said, half, strict)]
    assert recalls[0] > recalls[1] > recalls[2]


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
@pytest.mark.parametrize("truth_of", [texts, int, bool])
def test_a_column_of_the_data_may_hold_the_truth(tmp_path: Path, suffix: str, truth_of: Any) -> None:
    found = data(truth_of, None, n=600)
    rows = [{**row, "outcome": label} for row, label in zip(found.rows, found.truth, strict=True)]
    rows[7]["outcome"] = None
    result = build_reference(model(mapping=Mapping(target="outcome")), write(rows, tmp_path / f"d{suffix}"))
    reference = result.reference
    assert reference.performance is not None
    assert reference.performance.sketch.n == 599
    assert "outcome" not in [column.name for column in reference.layout.columns]
    assert reference.delay is None
    assert "without times of labels nothing is known of their delay" in told(result)
    assert reference.performance.spread
    with pytest.raises(InputError, match="no column 'outcom'") as raised:
        build_reference(model(mapping=Mapping(target="outcom")), tmp_path / f"d{suffix}")
    assert "did you mean 'outcome'?" in raised.value.hint


@pytest.mark.parametrize("without", ["predictions", "labels"])
@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
def test_without_times_there_are_metrics_and_no_delay(tmp_path: Path, without: str, suffix: str) -> None:
    found = data(texts, texts, n=600)
    labels = found.labels(np.random.default_rng(3))
    for row in found.rows if without == "predictions" else labels:
        del row["timestamp"]
    result = build_reference(
        model(), write(found.rows, tmp_path / f"d{suffix}"), labels=write(labels, tmp_path / f"l{suffix}")
    )
    assert result.reference.performance is not None
    assert result.reference.performance.sketch.n == len(labels)
    assert result.reference.delay is None
    assert bool(result.reference.performance.spread) == (without == "labels")
    assert ("how metrics spread" in told(result)) == (without == "predictions")


def test_several_classes_are_measured_without_probabilities(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    found = data(texts, texts)
    truth = rng.choice(["a", "b", "c"], N, p=[0.5, 0.3, 0.2]).tolist()
    for row, label in zip(found.rows, truth, strict=True):
        row["label"] = label if rng.random() < 0.7 else str(rng.choice(["a", "b", "c"]))
    result = built(tmp_path, Data(found.rows, truth), Data(found.rows, truth).labels(rng), task="multiclass")
    performance = result.reference.performance
    assert performance is not None
    assert performance.sketch.space.task is Task.MULTICLASS
    assert performance.sketch.space.classes == ("a", "b", "c")
    assert performance.metrics["accuracy"].value == pytest.approx(0.8, abs=0.03)
    assert "log_loss" not in performance.metrics
    assert "macro_f1" in told(result)


def test_a_regression_is_measured_in_the_cells_of_its_residuals(tmp_path: Path) -> None:
    found = data(texts)
    rng = np.random.default_rng(6)
    truth = [row["score"] * 10.0 + float(rng.normal()) for row in found.rows]
    for row in found.rows:
        row["score"] *= 10.0
    result = built(tmp_path, found, Data(found.rows, truth).labels(rng, share=1.0), task="regression")
    performance = result.reference.performance
    assert performance is not None
    predicted = np.array([row["score"] for row in found.rows])
    assert performance.metrics["mae"].value == pytest.approx(np.abs(predicted - np.array(truth)).mean(), rel=1e-12)
    assert "mae" in told(result)


def test_labels_of_another_spelling_are_the_same_labels_and_what_was_guessed_is_told(tmp_path: Path) -> None:
    found = data(texts)
    truth = [row["score"] * 10.0 + 0.25 for row in found.rows]
    labels = Data(found.rows, truth).labels(np.random.default_rng(6))
    plain = built(tmp_path, found, labels, task="regression")
    path = tmp_path / "l.csv"
    rows = [f"{one['prediction_id']};{one['timestamp']};{one['label']};\xfc" for one in labels]
    text = "\n".join(["prediction_id;timestamp;label;note", *rows]).replace(".", ",")
    path.write_bytes(f"{text}\np1;{START_MS};NA;\xfc\n".encode("latin-1"))
    other = build_reference(model(task="regression"), tmp_path / "d.parquet", labels=path)
    assert other.reference.performance is not None
    assert plain.reference.performance is not None
    assert other.reference.performance.metrics == plain.reference.performance.metrics
    assert "labels rejected as schema (no label): 1" in told(other)
    n = len(labels) + 1
    assert [note.split(" ", 1)[1] for note in other.report.notes] == [
        "has semicolons between its cells",
        "has decimal commas: 3,5 is read as 3.5 in label",
        f"is no UTF-8 in {n} places, read there as Windows-1252: if it is something else, save it as UTF-8",
    ]


def test_a_cell_that_is_no_label_costs_its_own_row_alone(tmp_path: Path) -> None:
    found = data(texts)
    labels = Data(found.rows, [row["score"] for row in found.rows]).labels(np.random.default_rng(6))
    bad = [{**labels[0], "label": "much"}, {**labels[0], "label": None}, {**labels[0], "timestamp": "yesterday"}]
    cells = [{key: str(value) for key, value in one.items() if value is not None} for one in [*labels, *bad]]
    write(found.rows, tmp_path / "d.parquet")
    results = [
        build_reference(model(task="regression"), tmp_path / "d.parquet", labels=write(rows, tmp_path / name))
        for name, rows in (("l.csv", cells), ("l.jsonl", [*labels, *bad]))
    ]
    assert told(results[0]) == told(results[1])
    assert results[0].labels is not None
    assert results[0].labels.n_labelled == len(labels)


def test_what_is_left_out_is_counted_with_its_reason(tmp_path: Path) -> None:
    found = data(texts, texts)
    labels = found.labels(np.random.default_rng(3))
    first = labels[0]
    labels += [
        {**first, "prediction_id": "nobody"},
        {**first, "prediction_id": None},
        {**first, "label": ["late"]},
        {**first, "timestamp": "yesterday"},
        {**labels[1], "timestamp": START_MS - 10, "label": "late"},
        {**labels[2], "timestamp": labels[2]["timestamp"] + 1, "label": "diverted"},
    ]
    found.rows[5]["prediction_id"] = None
    words = told(built(tmp_path, found, labels))
    for wanted in (
        "rows without an id: 1",
        "labels before their prediction: 1",
        "labels of ids that no row has",
        "labels rejected as missing_id (prediction_id is no text and no integer): 1",
        "1 label of unknown classes: diverted",
    ):
        assert wanted in words, words


@pytest.mark.parametrize(
    ("change", "match", "hint"),
    [
        ({"prediction_id": "nobody"}, "no row of the reference has a label: .* ids that no row has", "same ones"),
        ({"label": None}, "no row of the reference has a label: .* rejected as schema", "label_mapping"),
        ({"timestamp": START_MS + 10**12}, "after the label_horizon", "unit of the times"),
    ],
)
def test_a_reference_of_which_nothing_is_labelled_is_an_error_that_says_what_to_do(
    tmp_path: Path, change: dict[str, Any], match: str, hint: str
) -> None:
    found = data(texts, texts, n=300)
    labels = [{**label, **change} for label in found.labels(np.random.default_rng(3))]
    with pytest.raises(InputError, match=match) as raised:
        built(tmp_path, found, labels)
    assert hint in raised.value.hint


def test_labels_need_ids_and_a_task(tmp_path: Path) -> None:
    found = data(texts, texts, n=300)
    labels = found.labels(np.random.default_rng(3))
    with pytest.raises(InputError) as raised:
        built(tmp_path, found, labels, task="none")
    assert "task: binary" in raised.value.hint
    for row in found.rows:
        del row["prediction_id"]
    with pytest.raises(InputError, match="'prediction_id'") as raised:
        built(tmp_path, found, labels)
    assert "target" in raised.value.hint


def test_labels_that_spell_classes_unlike_predictions_are_pointed_out(tmp_path: Path) -> None:
    found = data(int, texts)
    words = told(built(tmp_path, found, found.labels(np.random.default_rng(3))))
    assert "labels say '0', '1' and predictions say 'late', 'on-time'" in words


def test_labels_of_one_class_are_refused_unless_predictions_name_the_other(tmp_path: Path) -> None:
    found = data(texts, texts)
    labels = [{**label, "label": "late"} for label in found.labels(np.random.default_rng(3))]
    result = built(tmp_path, found, labels)
    assert result.reference.performance is not None
    assert "for no score tells" in told(result)
    bare = Data([{k: v for k, v in row.items() if k != "label"} for row in found.rows], found.truth)
    with pytest.raises(InputError, match="all labels are of the class 'late'"):
        built(tmp_path, bare, labels)


def test_check_says_what_will_be_known_of_performance_and_what_lacks(tmp_path: Path) -> None:
    found = data(texts, texts)
    reference = built(tmp_path, found, found.labels(np.random.default_rng(3))).reference
    (sentence,) = performance_limits(model(), reference)
    assert "'late' is positive; measured by labels of up to 2d; the reference has roc_auc" in sentence
    (sentence,) = performance_limits(model(label_horizon_ms=None), reference)
    assert "neither measured nor estimated" in sentence
    plain = build_reference(model(), tmp_path / "d.parquet").reference
    assert plain.performance is None
    assert list(performance_limits(model(label_horizon_ms=None), plain)) == []
    (sentence,) = performance_limits(model(), plain)
    assert sentence.startswith("performance is not monitored: nothing tells which class")
    (sentence,) = performance_limits(model(positive="late"), plain)
    assert "nothing is estimated and nothing compared; build it with --labels FILE" in sentence
    assert "in which 'late' is positive and 'on-time' the other class: labels that say neither" in sentence
    bare = Data([{k: v for k, v in row.items() if k != "label"} for row in found.rows], found.truth)
    write(bare.rows, tmp_path / "bare.parquet")
    (sentence,) = performance_limits(
        model(positive="late"), build_reference(model(), tmp_path / "bare.parquet").reference
    )
    assert sentence.endswith("where no prediction names one; build it with labels (--labels FILE)")


def test_metrics_that_are_not_defined_are_not_told_as_nan(tmp_path: Path) -> None:
    found = data(texts, texts)
    bare = Data([{k: v for k, v in row.items() if k != "label"} for row in found.rows], found.truth)
    result = built(tmp_path, bare, found.labels(np.random.default_rng(3)), task="multiclass")
    (sentence,) = performance_limits(model(task="multiclass"), result.reference)
    assert "the reference has no metric that is defined (does no prediction name a class?) over" in sentence
    assert "nan" not in " ".join([sentence, *told(result).split()])


def test_the_space_of_an_unlabelled_reference_does_not_depend_on_the_order_of_its_rows(tmp_path: Path) -> None:
    found = data(texts, texts, n=600)
    spaces = []
    for seed in (1, 2):
        path = write(shuffled(found.rows, seed), tmp_path / f"{seed}.parquet")
        reference = build_reference(model(), path).reference
        spaces.append([space_of(reference, task, "late") for task in ("binary", "multiclass", "regression")])
    assert spaces[0] == spaces[1]
    assert None not in spaces[0]
    assert [space.fingerprint for space in spaces[0] if space] == [space.fingerprint for space in spaces[1] if space]


def test_a_reference_file_whose_labels_are_corrupt_is_refused(tmp_path: Path) -> None:
    found = data(texts, texts, n=300)
    reference = built(tmp_path, found, found.labels(np.random.default_rng(3))).reference
    encoded = bytearray(reference.encode())
    encoded[len(encoded) // 2] ^= 1
    with pytest.raises(MalformedReference):
        Reference.decode(bytes(encoded))


def test_rows_of_other_models_and_rows_that_predict_nothing_take_no_part(tmp_path: Path) -> None:
    found = data(texts, texts, n=400)
    labels = found.labels(np.random.default_rng(3), share=1.0)
    rows: list[dict[str, Any]] = [
        {
            "model": "other" if i % 4 == 0 else "m",
            "timestamp": row["timestamp"],
            "prediction_id": i if i % 2 else row["prediction_id"],  # numbers and texts
            "features": {"x": row["x"], "site": row["site"]},
            **({"prediction": {"score": row["score"], "label": row["label"]}} if i % 5 else {}),
        }
        for i, row in enumerate(found.rows)
    ]
    for i, label in enumerate(labels):
        label["prediction_id"] = i if i % 2 else label["prediction_id"]
    result = build_reference(
        model(multivariate=False),
        write(rows, tmp_path / "d.jsonl"),
        labels=write(labels, tmp_path / "l.jsonl"),
    )
    assert result.labels is not None
    assert result.reference.performance is not None
    assert result.labels.n_rows == 240
    assert result.labels.n_predictions == result.labels.n_labelled == result.reference.performance.sketch.n == 240


def test_a_reference_with_derived_columns_and_seasons_is_labelled_too(tmp_path: Path) -> None:
    found = data(texts, texts)
    for row in found.rows:
        row["y"] = row["x"] * 0.5 + row["score"]
    labels = found.labels(np.random.default_rng(3))
    season = CompareSettings(season="hour_of_day")
    rich = built(tmp_path, found, labels, multivariate=True, compare=(season,)).reference
    plain = built(tmp_path, found, labels).reference
    assert rich.derived is not None
    assert rich.performance is not None
    assert plain.performance is not None
    assert rich.performance.sketch == plain.performance.sketch
    assert Reference.decode(rich.encode()).digest == rich.digest


def test_a_labelled_reference_and_its_configuration_must_agree(tmp_path: Path) -> None:
    found = data(texts, texts, n=400)
    write(found.rows, tmp_path / "d.parquet")
    write(found.labels(np.random.default_rng(3)), tmp_path / "l.parquet")
    config = tmp_path / "driftline.yaml"

    def say(task: str, **more: str) -> None:
        section = {"name": "m", "task": task, "reference": "m.ref", "label_horizon": "2d", "segments": ["site"], **more}
        config.write_bytes(msgspec.yaml.encode({"models": [section]}))

    say("binary")
    reference_cli.build(config, tmp_path / "d.parquet", "", "", tmp_path / "l.parquet")
    assert open_references(load(config))["m"].current.performance is not None
    say("binary", positive="late")
    open_references(load(config))
    say("binary", positive="on-time")
    with pytest.raises(ConfigError, match=r"positive: 'on-time' here, but the reference was built with 'late'"):
        open_references(load(config))
    say("multiclass")
    with pytest.raises(ConfigError, match=r"task: multiclass here, but the reference was labelled as binary"):
        open_references(load(config))


def test_build_and_check_say_what_came_of_the_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = data(texts, texts)
    write(found.rows, tmp_path / "d.parquet")
    write(found.labels(np.random.default_rng(3)), tmp_path / "l.csv")
    config = tmp_path / "driftline.yaml"
    section = {"name": "m", "task": "binary", "reference": "m.ref", "label_horizon": "2d"}
    config.write_bytes(msgspec.yaml.encode({"models": [section]}))
    reference_cli.build(config, tmp_path / "d.parquet", "", "", tmp_path / "l.csv")
    out = " ".join(capsys.readouterr().out.split())
    assert re.search(r"labels: 9\d\d of 1,200 rows are labelled; roc_auc 0\.\d+, log_loss", out)
    assert "'late' is positive, for its members score higher" in out
    assert "mapping.target" not in out
    check_config(config)
    out = " ".join(capsys.readouterr().out.split())
    assert "performance: a binary model in which 'late' is positive; measured by labels of up to 2d" in out


def test_a_column_of_labels_that_a_file_replaces_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = data(texts, texts)
    write(found.rows, tmp_path / "d.parquet")
    write(found.labels(np.random.default_rng(3)), tmp_path / "l.csv")
    config = tmp_path / "driftline.yaml"
    section = {"name": "m", "task": "binary", "reference": "m.ref", "mapping": {"target": "outcome"}}
    config.write_bytes(msgspec.yaml.encode({"models": [section]}))
    reference_cli.build(config, tmp_path / "d.parquet", "", "", tmp_path / "l.csv")
    assert "the column 'outcome' (mapping.target) is not read" in " ".join(capsys.readouterr().out.split())


def test_the_first_or_the_latest_label_counts_and_the_earlier_of_two_predictions(tmp_path: Path) -> None:
    found = data(texts, texts, n=400)
    labels = found.labels(np.random.default_rng(3), share=1.0)
    other = {"late": "on-time", "on-time": "late"}
    later = [{**one, "timestamp": one["timestamp"] + 1, "label": other[one["label"]]} for one in labels]
    latest = built(tmp_path, found, shuffled(labels + later, 1)).reference.performance
    first = built(tmp_path, found, shuffled(labels + later, 2), label_is="first").reference.performance
    assert latest is not None
    assert first is not None
    assert first.metrics["accuracy"].value == pytest.approx(1.0 - latest.metrics["accuracy"].value, abs=1e-12)
    again = [{**row, "timestamp": row["timestamp"] + 60_000, "score": 1.0 - row["score"]} for row in found.rows]
    twice = built(tmp_path, Data(shuffled(found.rows + again, 3), []), labels)
    once = built(tmp_path, found, labels).reference.performance
    assert once is not None
    assert twice.reference.performance is not None
    assert twice.reference.performance.metrics["log_loss"].value == once.metrics["log_loss"].value
    assert "rows of an id that came before: 400" in told(twice)
