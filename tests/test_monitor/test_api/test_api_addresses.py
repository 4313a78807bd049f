"""Addresses that name what is not there give no all-clear, and a chosen segment is what the first line speaks of."""

import html
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from support import page
from support.batches import batch_of

from monitor.api.queries.verdicts import Run
from monitor.api.wording import column_sentence
from monitor.config.load import parse
from sinks.clickhouse.sink import ClickHouseSink
from sinks.records import RECORDS

OF = f"model={page.MODEL}&version=1"
EWR = "origin%3DEWR"


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`temp` is as before in origin=EWR, and moved in all rows."""
    made = [
        {**one, "drifted": False, "effect": 0.01, "revision": 2}
        for one in page.rows()["drift_verdict"]
        if one["segment"] == "origin=EWR"
    ]
    with page.made_database(tmp_path_factory.mktemp("addresses") / "db") as dsn:
        sink = ClickHouseSink(dsn)
        sink.setup()
        sink.write([batch_of(RECORDS["drift_verdict"], made)])
        sink.close()
        with page.served(page.site_of(dsn)) as origin:
            yield origin


def get(address: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(address, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def first_line(text: str) -> str:
    (found,) = re.findall(r"<h1>(.*?)</h1>", text, re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", found)).split())


@pytest.mark.parametrize(("path", "why"), [
    (f"/model?{OF}&segment=nowhere", "no window of these rows"),
    (f"/performance?{OF}&segment=nowhere", "no window of these rows"),
    (f"/column?{OF}&column=temp&segment=nowhere", "not seen in that span"),
    (f"/column?{OF}", "names no column"),
    (f"/column?{OF}&column=", "names no column"),
    (f"/model?{OF}&compare=nothing", "nothing was compared so"),
    (f"/model?{OF}&from=2031-01-01", "the newest ended at 2023-11-15"),
    (f"/model?{OF}&from=2023-12-02&to=2023-12-01", "ends before it begins"),
    (f"/model?{OF}&from=last+week", "`from` is no time"),
    (f"/performance?{OF}&to=2023-13-01", "`to` is no time"),
])  # fmt: skip
def test_what_is_not_there_is_no_all_clear(origin: str, path: str, why: str) -> None:
    status, text = get(origin + path)
    assert (status, "Nothing here" in text) == (404, True)
    assert why in text


def test_the_first_line_is_of_the_rows_that_were_chosen(origin: str) -> None:
    assert "1 input moved (temp)" in first_line(get(f"{origin}/model?{OF}")[1])
    of_segment = first_line(get(f"{origin}/model?{OF}&segment={EWR}")[1])
    assert of_segment.startswith(f"{page.MODEL} v1 in origin=EWR: nothing differs from the reference")
    assert "in all rows, since" in first_line(get(f"{origin}/column?{OF}&column=temp")[1])
    status, text = get(f"{origin}/column?{OF}&column=temp&segment={EWR}")
    assert (status, first_line(text).startswith("temp: as in the reference in origin=EWR")) == (200, True)
    assert "Nothing to do." in text


def test_alerts_of_a_model_without_any_name_it(origin: str) -> None:
    assert first_line(get(f"{origin}/alerts?model=other")[1]) == "No alert of other was raised."
    assert first_line(get(f"{origin}/alerts?model={page.MODEL}")[1]) == f"2 alerts of {page.MODEL} are open."


def test_a_configured_model_without_a_window_is_on_the_fleet(tmp_path: Path) -> None:
    with page.made_database(tmp_path / "db") as dsn:
        site = page.site_of(dsn)
        site.config = parse(
            f"models: [{{name: {page.MODEL}, reference: r.ref}}, {{name: '<b>new</b>', reference: n.ref}}]\n"
            f"destinations: {{clickhouse: {{dsn: '{dsn}'}}}}"
        )
        with page.served(site) as origin:
            _, text = get(origin + "/")
    assert "No window yet" in text
    assert "&lt;b&gt;new&lt;/b&gt;" in text
    assert "<b>new" not in text


def test_a_segment_that_moved_alone_is_told_of_all_rows_and_of_itself() -> None:
    run = Run(
        column="c", segment="a=b", compare="pinned", reference="r", first_ms=0, end_ms=7_200_000, newest_ms=7_200_000,
        n_windows=2, n_all=9, lasts=True, top_start_ms=0, top_end_ms=3_600_000, strength=2.0, direction="up",
        quantity="mean", before=1.0, after=2.0, method="js", effect=0.2, threshold=0.1, q_value=0.01, n=100,
    )  # fmt: skip
    assert "in a=b only" in column_sentence("c", [run], None)
    assert column_sentence("c", [run], None, "a=b").startswith("c: mean 1 → 2 (up) in a=b, since ")
    assert column_sentence("c", [run], None, "a=z") == "c: as in the reference in a=z."
    past = msgspec.structs.replace(run, lasts=False)
    assert "it had moved" in column_sentence("c", [past], None, "a=b")
