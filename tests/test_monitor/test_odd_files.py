"""Files that somebody broke, or made with care: each is read, or named in a line, and never a traceback or a loss."""

import json
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from support.files import NOW_MS, TIME_MS, spec

from monitor.cli.app import run
from monitor.errors import InputError
from monitor.events.arrow.decoder import ArrowDecoder
from monitor.events.json.decoder import JsonDecoder
from monitor.events.label_mapping import LabelMapping
from monitor.events.labels import LabelDecoder, LabelSpec
from monitor.events.reasons import Reason
from monitor.files.read import iter_decoded, open_table
from monitor.sketching.messages import UnreadCounts
from monitor.sketching.unread import unread_counts

N: Final = 120
COLUMNS: Final[dict[str, list[Any]]] = {
    "ts": [datetime(2026, 1, 1) + timedelta(minutes=10 * i) for i in range(N)],
    "amount": [float(i % 17) for i in range(N)],
    "score": [i / N for i in range(N)],
}


def outcome(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    capsys.readouterr()
    code = run(arguments)
    return code, " ".join(capsys.readouterr().err.split())


def table(**changes: Any) -> pa.Table:
    return pa.table({**COLUMNS, **changes})


TWICE: Final = pa.StructArray.from_arrays([pa.array([1] * N), pa.array([2] * N)], names=["a", "a"])
FAR: Final = pa.array([2**62] * N, pa.timestamp("s"))


@pytest.mark.parametrize(
    ("made", "ending", "codes", "words"),
    [
        (table(x=TWICE), "parquet", (2, 2, 2), "has more than one column 'a'"),
        (table(x=TWICE), "feather", (2, 2, 2), "has more than one column 'a'"),
        (table(ts=FAR), "feather", (2, 2, 7), "a column of a type, or a value, that is not read"),
        (table(ts=FAR, features=['{"amount": 3}'] * N), "feather", (2, 0, 7), "no column of f.feather holds times"),
        (table(later=FAR), "feather", (0, 2, 0), "a column of a type, or a value, that is not read"),
    ],
)
def test_what_python_or_parquet_cannot_hold_is_named(
    made: pa.Table,
    ending: str,
    codes: tuple[int, ...],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    pq.write_table(table(), "good.parquet")
    assert run(["init", "--data", "good.parquet", "--name", "m", "-o", "d.yaml"]) == 0
    assert run(["reference", "build", "d.yaml", "--data", "good.parquet"]) == 0
    pq.write_table(made, "f.parquet") if ending == "parquet" else feather.write_feather(made, "f.feather")
    told = [
        outcome(["init", "--data", f"f.{ending}", "--name", "m", "-o", "i.yaml"], capsys),
        outcome(["reference", "build", "d.yaml", "--data", f"f.{ending}"], capsys),
        outcome(["check", "d.yaml", "--data", f"f.{ending}"], capsys),
    ]
    assert tuple(code for code, _ in told) == codes
    assert any(words in text for _, text in told), told


def test_a_name_that_has_no_encoding_is_printed_and_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [{**{key: values[i] for key, values in COLUMNS.items()}, "ts": str(COLUMNS["ts"][i])} for i in range(N)]
    Path("good.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    Path("odd.jsonl").write_text("".join(json.dumps({**row, "\ud800": 1}) + "\n" for row in rows))
    assert run(["init", "--data", "good.jsonl", "--name", "m", "-o", "d.yaml"]) == 0
    assert run(["reference", "build", "d.yaml", "--data", "good.jsonl"]) == 0
    capsys.readouterr()
    assert run(["check", "d.yaml", "--data", "odd.jsonl", "--json"]) == 0
    assert "\ufffd" in capsys.readouterr().out
    assert run(["init", "--data", "odd.jsonl", "--name", "m", "-o", "i.yaml"]) in (0, 2)


class Pane:
    """How events are cut."""

    pane_ms = 60_000
    max_versions = 5


def test_an_unknown_feature_whose_name_has_no_encoding_does_not_stop_ingest() -> None:
    raws = [json.dumps({"timestamp": TIME_MS, "features": {"distance": i, "\ud800": 1}}).encode() for i in range(2_000)]
    decoded = JsonDecoder([spec()]).decode(raws, "predictions", NOW_MS)
    (unread,) = unread_counts(decoded, {"m": Pane()}, lambda _: None)
    assert unread.features.keys() == {"\ufffd"}
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(unread), type=UnreadCounts) == unread


@pytest.mark.parametrize(
    "raw", [b'"\\ud800"', b'["\\udfff", "\\ud800x"]', b'{"timestamp": "\\ud800"}', b'{"model": "\\ud800"}']
)
def test_half_of_a_surrogate_pair_in_the_place_of_an_event_is_a_reject(raw: bytes) -> None:
    decoded = JsonDecoder([spec()]).decode([raw], "predictions", NOW_MS)
    assert decoded.n_events == len(decoded.rejects) > 0
    assert all(one.detail.encode() for one in decoded.rejects)


def test_a_column_of_arrow_whose_name_is_no_text_is_a_reject() -> None:
    made = pa.table({"timestamp": [TIME_MS], "features": ['{"distance": 1}'], "carrier": ["UA"]})
    raw = stream_of(made).replace(b"carrier", b"carri\xe4r")
    decoded = ArrowDecoder([spec()]).decode([raw], "predictions", NOW_MS)
    assert [one.reason for one in decoded.rejects] == [Reason.UNDECODABLE]


def stream_of(made: pa.Table) -> bytes:
    stream = pa.BufferOutputStream()
    with pa.ipc.new_stream(stream, made.schema) as writer:
        writer.write_table(made)
    return stream.getvalue().to_pybytes()


def test_labels_in_arrow_that_python_cannot_hold_are_rejects_and_cost_no_others() -> None:
    days = pa.array([2**31 - 1, None], pa.int32()).cast(pa.date32())
    twice = pa.StructArray.from_arrays([pa.array([1, 2])] * 2, names=["a", "a"])
    good = {"prediction_id": ["p0", "p1"], "timestamp": [TIME_MS] * 2, "label": ["late", "late"]}
    messages = [
        stream_of(pa.table({**good, "label": days})),
        stream_of(pa.table({**good, "timestamp": [None, TIME_MS], "x": twice})),
        stream_of(pa.table(good)),
        stream_of(pa.table({**good, "carrier": [1, 2]})).replace(b"carrier", b"carri\xe4r"),
    ]
    decoder = LabelDecoder([LabelSpec(name="m", task="binary", mapping=LabelMapping())], 1)
    decoded = decoder.decode(messages, [None] * len(messages), NOW_MS)
    n_labels = sum(batch.n for batch in decoded.batches)
    assert (n_labels, n_labels + len(decoded.rejects)) == (3, decoded.n_events)
    assert [(one.message, one.reason) for one in decoded.rejects] == [
        (0, Reason.SCHEMA), (0, Reason.SCHEMA), (1, Reason.BAD_TIMESTAMP), (3, Reason.UNDECODABLE),
    ]  # fmt: skip


def test_names_of_files_and_links_that_lead_nowhere_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("to").symlink_to("nowhere")
    Path("round").symlink_to("round")
    name = os.fsdecode(b"caf\xe9.csv")
    Path(name).write_text("ts,amount\n2026-01-01,1\n")
    faults = {"to": "a link to what is not there: nowhere", "round": "what is not there: round", name: "is no UTF-8"}
    for path, words in faults.items():
        code, told = outcome(["init", "--data", path, "-o", "d.yaml"], capsys)
        assert code == 2
        assert words in told, told


def test_what_of_a_folder_is_no_file_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "a.csv").write_text(f"timestamp,distance\n{TIME_MS},1\n")
    (folder / "b.csv").symlink_to("nowhere")
    (folder / "more").symlink_to("..")
    os.mkfifo(folder / "c.csv")
    wanted = f"left out of {folder}, for they are no files but links, pipes or the like: b.csv, c.csv, more"
    assert open_table(folder).report.notes == [wanted]
    assert [note for part in iter_decoded(folder, [spec()], NOW_MS) for note in part.notes] == [wanted]


def test_a_folder_that_cannot_be_read_is_no_empty_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv").write_text("timestamp,distance\n")
    (tmp_path / "sub").mkdir()
    scan: Callable[[Any], Any] = os.scandir

    def refused(path: Any) -> Any:
        if str(path).endswith("sub"):  # root, whom tests may run as, may read every folder
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr("os.scandir", refused)
    with pytest.raises(InputError, match=r"cannot read .*sub: Permission denied"):
        open_table(tmp_path)


def test_a_broken_array_gives_the_events_that_are_whole(tmp_path: Path) -> None:
    events = [json.dumps({"timestamp": TIME_MS + i, "distance": i}) for i in range(50)]
    path = tmp_path / "f.json"
    path.write_text(f"[{', '.join(events)}")
    (part,) = iter_decoded(path, [spec()], NOW_MS)
    assert (part.decoded.n_events, part.decoded.rejects) == (50, [])
    path.write_text(f"[{', '.join(events)}"[:-3])
    (part,) = iter_decoded(path, [spec()], NOW_MS)
    assert (part.decoded.n_events, len(part.decoded.rejects)) == (50, 1)
    assert open_table(path).n_rows == 49


def test_an_array_in_an_array_is_one_event_that_is_none(tmp_path: Path) -> None:
    event = {"timestamp": TIME_MS, "distance": 1}
    for text in (json.dumps([event, [1, 2], event]), json.dumps([event, [1, 2], event], indent=1)):
        path = tmp_path / "f.json"
        path.write_text(text)
        (part,) = iter_decoded(path, [spec()], NOW_MS)
        assert (part.decoded.n_events, len(part.decoded.rejects)) == (3, 1)
        assert open_table(path).report.rejects.total() == 1


def test_a_table_with_a_title_says_that_the_first_line_must_name_the_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "f.csv").write_text("# made by hand\nts,amount\n2026-01-01,1\n")
    code, told = outcome(["init", "--data", str(tmp_path / "f.csv"), "-o", str(tmp_path / "d.yaml")], capsys)
    assert code in (2, 7)
    assert "the first line must name the columns" in told
