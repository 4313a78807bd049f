"""An object that arrives as text of JSON is that object, in every format and both ways in."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.files import NOW_MS, TIME_MS, spec

from monitor.cli.app import run
from monitor.events.batch import Decoded
from monitor.events.decoder import MessageDecoder
from monitor.events.json.decoder import JsonDecoder
from monitor.events.json.texts import object_places, opened_texts
from monitor.events.mapping import Mapping
from monitor.files.read import iter_decoded, open_table

OBJECTS = ("features", "prediction", "segments")


def events(n: int = 40) -> list[dict[str, Any]]:
    return [
        {
            "timestamp": TIME_MS + i,
            "prediction_id": f"p{i}",
            "features": {"distance": i, "carrier": "UA" if i % 2 else "ÜA", "stop": "1"},
            "prediction": {"score": i / 40, "label": "true"},
            "segments": {"carrier": "UA"},
        }
        for i in range(n)
    ]


def encoded(event: dict[str, Any], names: tuple[str, ...] = OBJECTS) -> dict[str, Any]:
    return {key: json.dumps(value) if key in names else value for key, value in event.items()}


def same(one: Decoded, other: Decoded) -> None:
    assert (one.n_events, len(one.rejects)) == (other.n_events, len(other.rejects))
    for here, there in zip(one.batches, other.batches, strict=True):
        np.testing.assert_array_equal(here.numeric, there.numeric)
        np.testing.assert_array_equal(here.codes, there.codes)
        np.testing.assert_array_equal(here.segments, there.segments)
        np.testing.assert_array_equal(here.timestamps_ms, there.timestamps_ms)
        np.testing.assert_array_equal(here.sources, there.sources)
        assert here.unseen == there.unseen


@pytest.mark.parametrize("names", [OBJECTS, ("features",), ("prediction",), ("segments",)])
def test_a_message_of_objects_as_text_is_what_one_of_objects_is(names: tuple[str, ...]) -> None:
    plain = [json.dumps(event).encode() for event in events()]
    texts = [json.dumps(encoded(event, names)).encode() for event in events()]
    same(
        JsonDecoder([spec()]).decode(texts, "predictions", NOW_MS),
        JsonDecoder([spec()]).decode(plain, "predictions", NOW_MS),
    )


def test_a_message_of_arrow_with_objects_as_text_is_what_one_in_json_is() -> None:
    rows = [encoded(event) for event in events()]
    table = pa.Table.from_pylist(rows)
    coded = table.set_column(2, "features", table["features"].dictionary_encode())
    for made in (table, coded):
        stream = io.BytesIO()
        with pa.ipc.new_stream(stream, made.schema) as writer:
            writer.write_table(made, max_chunksize=7)
        array = json.dumps(rows).encode()
        bad = json.dumps({"timestamp": "never"}).encode()
        found = MessageDecoder([spec()]).decode_messages([bad, stream.getvalue()], None, "predictions", NOW_MS)
        same(found, MessageDecoder([spec()]).decode_messages([bad, array], None, "predictions", NOW_MS))


TEXTS = st.sampled_from(
    ["{", "[", "{}", "[]", "[1, 2]", '{"distance": 7}', '{"score": 0.5}', "{bad", " {}", "", "late", "\\"]
)
VALUES = TEXTS | TEXTS.map(json.dumps) | st.none() | st.integers(0, 3) | st.just({"distance": 3, "score": 0.25})


@settings(deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from([*OBJECTS, "distance", "score"]), VALUES), min_size=1, max_size=6))
def test_both_ways_to_read_json_open_the_same_texts(made: list[dict[str, Any]]) -> None:
    places = object_places(Mapping())
    raws = [json.dumps({**event, "timestamp": TIME_MS}).encode() for event in made]
    opened = [json.dumps(opened_texts({**event, "timestamp": TIME_MS}, places)).encode() for event in made]
    whole = JsonDecoder([spec()]).decode(raws, "predictions", NOW_MS)
    same(whole, JsonDecoder([spec()], forgiving_only=True).decode(raws, "predictions", NOW_MS))
    same(whole, JsonDecoder([spec()]).decode(opened, "predictions", NOW_MS))


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    table = pa.Table.from_pylist(rows)
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    elif path.suffix == ".feather":
        feather.write_feather(table, path)
    elif path.suffix == ".csv":
        quoted = [['"' + str(value).replace('"', '""') + '"' for value in row.values()] for row in rows]
        path.write_text("\n".join(map(",".join, [list(rows[0]), *quoted])))
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet", "feather"])
def test_a_file_of_objects_as_text_is_read_as_one_of_objects(ending: str, tmp_path: Path) -> None:
    plain = written(tmp_path / "plain.jsonl", events())
    path = written(tmp_path / f"f.{ending}", [encoded(event) for event in events()])
    (one,) = iter_decoded(path, [spec()], NOW_MS)
    (other,) = iter_decoded(plain, [spec()], NOW_MS)
    same(one.decoded, other.decoded)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_three_commands_find_the_same_whether_objects_are_text_or_not(
    ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    own = [
        {
            "timestamp": f"2026-01-{1 + i // 60:02}T10:{i % 60:02}:00Z",
            "features": {"amount": round(float(rng.normal(50 + 9 * (i > 600), 10)), 2), "country": "DFI"[i % 3]},
            "prediction": {"score": round(float(rng.random()), 4)},
        }
        for i in range(1_200)
    ]
    screens = []
    for name, rows in (("plain.jsonl", own), (f"f.{ending}", [encoded(row) for row in own])):
        old = written(tmp_path / f"old-{name}", rows[:600])
        new = written(tmp_path / f"new-{name}", rows[600:])
        assert run(["init", "--data", str(old), "--name", "m", "-o", f"{name}.yaml"]) == 0
        assert run(["reference", "build", f"{name}.yaml", "--data", str(old)]) == 0
        assert run(["check", f"{name}.yaml", "--data", str(new)]) == 0
        assert run(["replay", f"{name}.yaml", "--predictions", str(new), "--out", f"out-{name}"]) == 0
        screens.append(capsys.readouterr().out.replace(name, "FILE").replace(f"out-{name}", "OUT"))
    assert screens[0] == screens[1]
    assert "amount " in screens[1].split("What drifted")[1]


def test_text_in_the_place_of_the_features_that_is_no_json_is_told(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{**event, "features": str(event["features"])} for event in events()]
    path = tmp_path / "f.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in [*events(3), *rows]))
    (note,) = open_table(path, spec()).report.notes
    assert note.startswith("40 events have no object in features, of which no feature is read: \"{'distance': 0")
