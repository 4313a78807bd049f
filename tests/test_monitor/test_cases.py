"""Small inputs of the shapes that people's files have: read as they are meant, or refused by name."""

import bz2
import codecs
import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.commands import OneModel
from support.results import assert_same
from support.results import replayed as replayed_rows

N = 2_000
START = datetime(2024, 3, 1, tzinfo=UTC)
TIMES = [START + timedelta(seconds=20 * i) for i in range(N)]


@pytest.fixture
def model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> OneModel:
    return OneModel(tmp_path, capsys)


def write(model: OneModel, name: str, **columns: object) -> None:
    pq.write_table(pa.table(columns), model.folder / name)


def test_seconds_are_refused_by_the_setting_that_would_read_them_and_read_with_it(model: OneModel) -> None:
    rng = np.random.default_rng(0)
    write(model, "ref.parquet", x=rng.normal(size=N))
    seconds = [int(at.timestamp()) for at in TIMES]
    write(model, "live.parquet", timestamp=seconds, x=rng.normal(3, 1, N))
    assert model.build("ref.parquet")[0] == 0
    refused = model.replay("live.parquet")
    assert (refused.code, refused.verdicts) == (7, [])
    assert f"{N:,} rejected (bad_timestamp)" in refused.screen
    assert "timestamp_unit: s" in refused.screen
    assert "timestamp_unit: s" in (model.folder / "out" / "rejects.jsonl").read_text()
    model.configure("mapping: {timestamp_unit: s}")
    assert model.replay("live.parquet").drifted == {"x"}


def test_missing_numbers_of_a_csv_file_are_no_categories(model: OneModel) -> None:
    rng = np.random.default_rng(0)
    words = ["NA", "N/A", "NULL", "None", "null", "-", "?", "", "nan"]

    def rows(seed: int) -> tuple[np.ndarray, list[str]]:
        rng = np.random.default_rng(seed)
        numbers = [f"{x}" for x in rng.normal(size=N)]
        return rng.normal(size=N), [words[k % len(words)] if k % 50 == 0 else x for k, x in enumerate(numbers)]

    plain, holed = rows(1)
    cells = zip(plain, ["True", "NA", "False"] * N, holed, strict=False)
    lines = ["a,flag,b", *(",".join(map(str, row)) for row in cells)]
    (model.folder / "ref.csv").write_text("\n".join(lines))
    code, screen = model.build("ref.csv")
    assert code == 0
    assert [line.split("│")[2].strip() for line in screen.splitlines() if line.startswith("│")] == [
        "numeric", "boolean", "numeric"
    ]  # fmt: skip
    plain, _ = rows(2)
    live = [None if k % 50 == 0 else float(x) for k, x in enumerate(rng.normal(size=N))]
    flag = [[True, None, False][k % 3] for k in range(N)]
    write(model, "live.parquet", timestamp=TIMES, a=plain, flag=flag, b=live)
    assert model.replay("live.parquet").drifted == set()


@pytest.mark.parametrize("columns", [("live.csv", "ref.parquet"), ("live.parquet", "ref.csv")])
def test_empty_text_is_missing_in_every_format(model: OneModel, columns: tuple[str, str]) -> None:
    live, reference = columns
    kinds = np.random.default_rng(0).choice(["", "a", "b"], N).tolist()
    for name in (live, reference):
        times = [at.isoformat() for at in TIMES]
        if name.endswith(".parquet"):
            write(model, name, timestamp=times, c=kinds)
        else:
            text = "".join(f"{at},{c}\n" for at, c in zip(times, kinds, strict=True))
            (model.folder / name).write_text("timestamp,c\n" + text)
    assert model.build(reference)[0] == 0
    assert model.replay(live).drifted == set()


def test_the_index_of_a_data_frame_is_left_out_and_named(model: OneModel) -> None:
    write(model, "ref.parquet", x=np.arange(N) % 7.0, __index_level_0__=np.arange(N))
    code, screen = model.build("ref.parquet")
    assert code == 0
    assert "left out" in screen
    assert "pandas index" in " ".join(screen.split())
    write(model, "live.parquet", timestamp=TIMES, x=np.arange(N) % 7.0, __index_level_0__=np.arange(N, 2 * N))
    assert "__index_level_0__" not in model.replay("live.parquet").columns


def test_float32_and_float64_are_the_same_numbers(model: OneModel) -> None:
    rates = np.random.default_rng(0).choice([0.05, 0.075, 0.1, 0.2], N)
    write(model, "ref.parquet", rate=rates.astype(np.float32))
    write(model, "live.parquet", timestamp=TIMES, rate=rates)
    assert model.build("ref.parquet")[0] == 0
    replayed = model.replay("live.parquet")
    assert replayed.drifted == set()
    scores = pq.read_table(model.folder / "out" / "drift.parquet").to_pylist()
    assert max(row["statistic"] for row in scores if row["method"] in ("ks", "psi")) < 1e-9


def test_a_replay_gives_the_same_rows_for_any_order_of_the_file(
    model: OneModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.configure("windows: [{size: 1d}, {size: 7d, every: 1d}]", "retention: 2d", "compare: [{trailing: 5d}]")
    n = 25_000  # some parts of 10,000 rows
    rng = np.random.default_rng(0)
    times = [START + timedelta(minutes=2 * i) for i in range(n)]
    table = pa.table({"timestamp": times, "x": rng.normal(np.arange(n) > n // 2, 1), "c": rng.choice(list("ab"), n)})
    write(model, "ref.parquet", x=rng.normal(size=N), c=rng.choice(list("ab"), N))
    assert model.build("ref.parquet")[0] == 0
    results = []
    monkeypatch.setattr("monitor.replay.order._HELD_BYTES", 10_000)
    for order in (np.arange(n), np.arange(n)[::-1], rng.permutation(n)):
        pq.write_table(table.take(pa.array(order)), model.folder / "live.parquet")
        replayed = model.replay("live.parquet")
        assert replayed.code == 0
        assert f"{n:,} events: {n:,} counted, 0 rejected, 0 too late;" in replayed.screen
        results.append(replayed_rows(model.folder / "out"))
    assert results[0]["drift_verdict"]
    assert_same(results[0], results[1])
    assert_same(results[0], results[2])


def kinds_of(screen: str) -> dict[str, str]:
    """The kinds of the columns that `reference build` shows."""
    cells = [[cell.strip() for cell in line.split("│")] for line in screen.splitlines() if line.startswith("│")]
    return {row[1]: row[2] for row in cells if row[1]}


ROWS = "x,cat\n" + "".join(f"{i % 7},{'ab'[i % 2]}\n" for i in range(300))


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(ROWS.encode()), pa.compress(ROWS.encode(), codec="zstd", asbytes=True),
        bz2.compress(ROWS.encode()),
        ROWS.encode("utf-16"), codecs.BOM_UTF16_BE + ROWS.encode("utf-16-be"), ROWS.encode("utf-8-sig"),
        gzip.compress(ROWS.encode("utf-16")),
    ],
    ids=["gzip", "zstd", "bzip2", "UTF-16", "UTF-16 big", "UTF-8 with a mark", "gzip of UTF-16"],
)  # fmt: skip
def test_a_file_is_read_by_what_it_holds_whatever_its_name(model: OneModel, content: bytes) -> None:
    (model.folder / "plain.csv").write_text(ROWS)
    (model.folder / "odd.csv").write_bytes(content)
    model.build("plain.csv")
    wanted = (model.folder / "m.ref").read_bytes()
    assert model.build("odd.csv")[0] == 0
    assert (model.folder / "m.ref").read_bytes() == wanted


def test_semicolons_with_a_comma_in_the_header_and_in_numbers_are_read(model: OneModel) -> None:
    (model.folder / "plain.csv").write_text('x,"amount, EUR",cat\n' + "".join(f"{i},{i}.5,a\n" for i in range(300)))
    (model.folder / "odd.csv").write_text("x;amount, EUR;cat\n" + "".join(f"{i};{i},5;a\n" for i in range(300)))
    assert model.build("plain.csv")[0] == 0
    wanted = (model.folder / "m.ref").read_bytes()
    code, screen = model.build("odd.csv")
    assert code == 0
    assert "odd.csv has semicolons between its cells" in screen
    assert "odd.csv has decimal commas: 3,5 is read as 3.5 in amount, EUR" in " ".join(screen.split())
    assert (model.folder / "m.ref").read_bytes() == wanted


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04" + bytes(100), "Excel workbook"),
        ("x,cat\n1,a\n".encode("utf-32"), "null characters"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_by_its_cause(model: OneModel, content: str | bytes, words: str) -> None:
    (model.folder / "odd.csv").write_bytes(content.encode() if isinstance(content, str) else content)
    code, screen = model.build("odd.csv")
    assert code == 2
    assert words in screen


def test_numbers_as_spreadsheets_write_them_are_numbers(model: OneModel) -> None:
    lines = [f'"1,{i:03d}.5",{i % 100}%,$1{i},-1.5 €' for i in range(300)]
    (model.folder / "ref.csv").write_text("x,pct,money,euro\n" + "\n".join(lines))
    code, screen = model.build("ref.csv")
    assert code == 0
    assert set(kinds_of(screen).values()) == {"numeric"}
    live = [f'{at.isoformat()},"1,{i % 300:03d}.5",{i % 100}%,$1{i % 300},-1.5 €' for i, at in enumerate(TIMES)]
    (model.folder / "live.csv").write_text("timestamp,x,pct,money,euro\n" + "\n".join(live))
    assert model.replay("live.csv").drifted == set()


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_a_folder_of_parts_and_a_pattern_are_one_data_set(model: OneModel, ending: str) -> None:
    frame = pd.DataFrame({"timestamp": [int(at.timestamp() * 1000) for at in TIMES], "x": np.arange(N) % 7, "c": "a"})
    frame["c"] = np.where(np.arange(N) % 2, "b", "a")

    def write_frame(path: Path, rows: pd.DataFrame) -> None:
        if ending == "csv":
            rows.to_csv(path, index=False)
        elif ending == "parquet":
            rows.to_parquet(path, index=False)
        else:
            rows.to_json(path, orient="records", lines=True)

    parts = model.folder / "parts" / "day=1"
    parts.mkdir(parents=True)
    (parts / "_SUCCESS").touch()
    write_frame(model.folder / f"whole.{ending}", frame)
    for number in range(3):
        write_frame(parts / f"part-{number}.{ending}", frame[number * N // 3 : (number + 1) * N // 3])
    assert model.build(f"whole.{ending}")[0] == 0
    wanted = (model.folder / "m.ref").read_bytes()
    model.replay(f"whole.{ending}")
    whole = replayed_rows(model.folder / "out")
    for name in ("parts", f"parts/day=1/part-*.{ending}"):
        code, screen = model.build(name)
        assert code == 0, screen
        assert (model.folder / "m.ref").read_bytes() == wanted
        assert model.replay(name).code == 0
        assert_same(replayed_rows(model.folder / "out"), whole)


@pytest.mark.parametrize("form", ["map", "list", "fixed", "jsonl list"])
def test_features_may_lie_in_a_map_or_a_list(model: OneModel, form: str) -> None:
    names = ["a", "b"] if form == "map" else ["f0", "f1"]
    if form == "jsonl list":
        names = ["size", "f1"]
        model.configure("mapping: {feature_names: [size]}")

    def packed(values: np.ndarray, name: str) -> str:
        if form == "jsonl list":
            rows = [
                {"timestamp": at.isoformat(), "features": row} for at, row in zip(TIMES, values.tolist(), strict=True)
            ]
            (model.folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
            return f"{name}.jsonl"
        kind = pa.list_(pa.float64(), 2) if form == "fixed" else pa.list_(pa.float64())
        features = pa.array(values.tolist(), kind)
        if form == "map":
            entries = [[("a", a), ("b", b)] for a, b in values.tolist()]
            features = pa.array(entries, pa.map_(pa.string(), pa.float64()))
        write(model, f"{name}.parquet", timestamp=TIMES, features=features)
        return f"{name}.parquet"

    rng = np.random.default_rng(0)
    code, screen = model.build(packed(rng.normal(size=(N, 2)), "ref"))
    assert code == 0, screen
    assert kinds_of(screen) == dict.fromkeys(names, "numeric")
    replayed = model.replay(packed(rng.normal([0, 3], 1, (N, 2)), "live"))
    assert replayed.columns >= set(names)
    assert replayed.drifted == {names[1]}


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_a_score_beside_a_class_is_the_score_and_the_class_the_label(model: OneModel, ending: str) -> None:
    model.configure("task: binary")
    rng = np.random.default_rng(0)
    score = rng.beta(2, 5, N)
    frame = pd.DataFrame({"x": rng.normal(size=N), "prediction": (score > 0.5).astype(int), "score": score})
    frame["timestamp"] = [at.isoformat() for at in TIMES]
    live = frame.assign(score=np.where(score > 0.5, 0.99, 0.01))  # the probabilities collapse, the classes stay
    for name, rows in (("ref", frame), ("live", live)):
        path = model.folder / f"{name}.{ending}"
        if ending == "csv":
            rows.to_csv(path, index=False)
        elif ending == "parquet":
            rows.to_parquet(path, index=False)
        else:
            rows.to_json(path, orient="records", lines=True)
    code, screen = model.build(f"ref.{ending}")
    assert code == 0, screen
    assert kinds_of(screen) == {"x": "numeric", "@score": "numeric", "@label": "categorical"}
    assert model.replay(f"live.{ending}").drifted == {"@score"}
    effects = pq.read_table(model.folder / "out" / "drift.parquet").to_pylist()
    (ks,) = [row["statistic"] for row in effects if (row["column"], row["method"]) == ("@score", "ks")]
    assert ks > 0.7


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_a_replay_says_what_it_read_refused_missed_and_left_out(model: OneModel, ending: str) -> None:
    rng = np.random.default_rng(0)
    write(model, "ref.parquet", x=rng.normal(size=N), gone=rng.normal(size=N), word=rng.normal(size=N))
    assert model.build("ref.parquet")[0] == 0
    frame = pd.DataFrame({"timestamp": [at.isoformat() for at in TIMES], "x": rng.normal(size=N), "extra": 1})
    frame["word"] = "much"
    frame.loc[3, "timestamp"] = "yesterday"
    name = f"live.{ending}"
    if ending == "csv":
        frame.to_csv(model.folder / name, index=False)
    elif ending == "parquet":
        frame.to_parquet(model.folder / name, index=False)
    else:
        frame.to_json(model.folder / name, orient="records", lines=True)
    replayed = model.replay(name)
    assert replayed.code == 0
    for words in (
        f"read {N:,} events; those counted are of 2024-03-01 00:00:00 to 2024-03-01 11:06:20 UTC",
        "1 rejected (bad_timestamp): timestamp 'yesterday' is no time",
        f"2 columns without a single value: gone, word ({N - 1:,} invalid)",
        "left out, for the reference does not have it: extra",
    ):
        assert words in replayed.screen
    assert model.replay(name, "--fail-on", "drift").code == 8
    assert model.replay(name, "--fail-on", "rain").code == 2


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_a_reference_says_of_which_time_it_is_and_why_rows_have_none(model: OneModel, ending: str) -> None:
    frame = pd.DataFrame({"timestamp": [int(at.timestamp()) for at in TIMES], "x": np.arange(N) % 7})

    def write_frame() -> str:
        if ending == "csv":
            frame.to_csv(model.folder / "ref.csv", index=False)
        elif ending == "parquet":
            frame.to_parquet(model.folder / "ref.parquet", index=False)
        else:
            frame.to_json(model.folder / "ref.jsonl", orient="records", lines=True)
        return f"ref.{ending}"

    _, screen = model.build(write_frame())
    assert f"{N:,} rows have no time that can be read" in screen
    assert "timestamp_unit: s" in screen
    frame["timestamp"] *= 1000
    _, screen = model.build(write_frame())
    assert "rows are of 2024-03-01 00:00:00 to 2024-03-01 11:06:20 UTC" in screen


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_probabilities_in_the_place_of_the_score_give_score_and_class(model: OneModel, ending: str) -> None:
    model.configure("task: multiclass")
    rng = np.random.default_rng(0)
    names = ("cat", "dog", "fish")

    def predictions(name: str, shift: float) -> str:
        rows = []
        for at in TIMES:
            by_class = dict(zip(names, rng.dirichlet([2, 2 + shift, 2]).round(4).tolist(), strict=True))
            rows.append({"timestamp": at.isoformat(), "prediction": {"score": by_class}})
        path = model.folder / f"{name}.{ending}"
        if ending == "jsonl":
            path.write_text("\n".join(map(json.dumps, rows)))
        else:
            pq.write_table(pa.Table.from_pylist(rows), path)
        return path.name

    code, screen = model.build(predictions("ref", 0))
    assert code == 0, screen
    of_classes = {f"@score.{name}": "numeric" for name in names}
    assert kinds_of(screen) == {"@score": "numeric", "@label": "categorical", **of_classes}
    assert "no finite" not in screen
    assert model.replay(predictions("live", 1.5)).drifted >= {"@label", *of_classes}
