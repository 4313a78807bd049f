"""The pages as a program sees them: what they hold, who is let in, and what is told while there is nothing."""

import html
import json
import re
import socket
import threading
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from support import page
from support.batches import batch_of
from support.ports import free_port
from support.visitor import assert_only_text, get

from monitor.api import report
from monitor.api.arrivals import Arrivals
from monitor.api.behind import Behind
from monitor.api.model_card import ModelCard, markdown, model_card
from monitor.api.replayed import replayed
from monitor.api.serve import listening
from monitor.api.site import Site
from monitor.cli.roles import page_command
from monitor.config.load import parse
from monitor.errors import ConfigError, InputError
from monitor.kafka.newest import Came
from sinks.clickhouse.sink import ClickHouseSink
from sinks.records import RECORDS

HOSTILE = {"model": page.HOSTILE, "version": page.HOSTILE}
PAGES = [
    "/",
    "/model?" + urlencode(HOSTILE),
    "/column?" + urlencode({**HOSTILE, "column": page.HOSTILE}),
    "/column?" + urlencode({**HOSTILE, "column": page.LONG}),
    "/column?" + urlencode({**HOSTILE, "column": "carrier", "segment": f"{page.HOSTILE}={page.HOSTILE}"}),
    "/performance?" + urlencode(HOSTILE),
    "/alerts?" + urlencode(HOSTILE),
    "/rejects?" + urlencode({"model": page.HOSTILE}),
    "/compare?" + urlencode({"model": page.MODEL, "version": "1", "other": "2"}),
]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.partition("?")[0])
def test_hostile_names_are_shown_as_text(page_origin: str, path: str) -> None:
    status, text, headers = get(page_origin + path)
    assert status == 200
    assert_only_text(text)
    assert "script-src 'self'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    for tag, attributes in tags_of(text):
        assert tag not in ("style", "iframe", "object", "base")
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        for name in ("src", "href", "action"):
            assert re.match("[/#]", attributes.get(name) or "/"), attributes
        assert tag != "script" or attributes["src"]


def tags_of(text: str) -> list[tuple[str, dict[str, str | None]]]:
    """Each element with its attributes, as a browser would read them."""
    found: list[tuple[str, dict[str, str | None]]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.append((tag, dict(attrs)))

    Reader().feed(text)
    return found


def test_the_first_line_of_each_screen_answers_its_question(page_origin: str) -> None:
    said = {
        "/": "2 models: 2 need you",
        f"/model?model={page.MODEL}&version=1": "flights v1: since 2023-11-15 07:00, 1 input moved (temp)",
        f"/column?model={page.MODEL}&version=1&column=temp": "temp: mean 12 → 18 (up) in all rows, since 2023-11-15",
        f"/performance?model={page.MODEL}&version=1": "AUC 0.7 [0.66, 0.73] (reference 0.74, estimate 0.7, ",
        "/rejects": "2 events were rejected",
        f"/compare?model={page.MODEL}&version=1": "Versions 1 and 2 differ most in",
    }
    for path, words in said.items():
        _, text, _ = get(page_origin + path)
        first = html.unescape(re.sub(r"<[^>]*>", "", re.search(r"<h1>(.*?)</h1>", text, re.DOTALL)[1]))  # type: ignore[index]
        assert words in first, path


def test_the_season_has_a_word_and_a_count_beside_the_heat_map(tmp_path: Path) -> None:
    address = f"/model?model={page.MODEL}&version=1"
    pinned = page.rows()["drift_verdict"]
    own = [{**one, "compare": "season hour_of_week", "drifted": False, "effect": 0.01} for one in pinned]
    with page.made_database(tmp_path / "db") as dsn, page.served(page.site_of(dsn)) as origin:
        before = get(origin + address)[1]
        sink = ClickHouseSink(dsn)
        sink.setup()
        sink.write([batch_of(RECORDS["drift_verdict"], own)])
        sink.close()
        after = get(origin + address)[1]
        alone = get(origin + address + "&compare=pinned")[1]
    n_drifted = page.N_WINDOWS - page.DRIFTED_FROM
    for text, counts in (
        (before, [f"{n_drifted} of {page.N_WINDOWS}"]),
        (after, [f"0 of {page.N_WINDOWS}", str(n_drifted)]),
        (alone, [f"{n_drifted} of {page.N_WINDOWS}"]),
    ):
        row = next(one for one in text.split("<tr>") if ">temp</a>" in one and "times what counts" in one)
        assert re.findall(r'class="n">(\d+(?: of \d+)?)<', row) == counts
        assert ('<span class="season">season' in text) == (len(counts) == 2)


def test_the_difference_from_the_reference_has_a_word_and_a_figure(page_origin: str) -> None:
    """Since 07:00 three tenths of `temp` lie above 20 that were at most 10 before: a third of the span's windows."""
    _, text, _ = get(page_origin + f"/column?model={page.MODEL}&version=1&column=temp")
    assert '<span class="difference">difference</span>' in text
    rows = re.findall(r'<tr><td>.*?(?:<td class="n">[^<]*</td>){2}<td class="n">([^<]*)</td></tr>', text)
    assert rows[:3] == ["-10", "+0", "+10"]
    _, text, _ = get(page_origin + f"/column?model={page.MODEL}&version=1&column=carrier")
    assert '<span class="difference">difference</span>' not in text
    assert '<td class="n">-10</td></tr>' in text  # UA: 60 % before, 50 % now


def test_classes_taken_for_others_are_counted_of_two_and_of_several(tmp_path: Path) -> None:
    """Of 100 rows 30 hits, 20 missed, 10 false alarms; an older window, and another segment, say something else."""
    made = page.rows()
    told_ms = page.NEWEST_MS - page.HOUR_MS  # the newest window is provisional
    last = [one for one in made["performance"] if one["window_end_ms"] == told_ms and not one["estimated"]]
    first = [one for one in made["performance"] if one["window_start_ms"] == page.START_MS and not one["estimated"]]
    two = [
        {**one, "metric": metric, "value": value, "segment": segment}
        for own, segment, values in (
            (last, "", (0.7, 0.75, 0.6)),
            (first, "", (0.5, 0.5, 0.5)),
            (last, "a=b", (0.6, 0.5, 0.5)),
        )
        for one in own
        if (one["model"], one["version"]) == (page.MODEL, "1")
        for metric, value in zip(("accuracy", "precision", "recall"), values, strict=True)
    ]
    of_several = {
        **next(
            one
            for one in made["performance_part"]
            if (one["model"], one["window_end_ms"]) == (page.HOSTILE, told_ms)
        ),
        "part": "confusion",
        "column": page.MARKUP, "cell": "early", "share": 0.25, "contribution": 0.07, "n_now": 7,
    }  # fmt: skip
    with page.made_database(tmp_path / "db") as dsn, page.served(page.site_of(dsn)) as origin:
        two_of = f"{origin}/performance?model={page.MODEL}&version=1"
        assert "Classes taken for others" not in get(two_of)[1]
        sink = ClickHouseSink(dsn)
        sink.setup()
        sink.write([batch_of(RECORDS["performance"], two), batch_of(RECORDS["performance_part"], [of_several])])
        sink.close()
        texts = [get(two_of)[1], get(f"{origin}/performance?{urlencode(HOSTILE)}")[1]]
    found = []
    for text in texts:
        assert_only_text(text)
        card = text[text.index("Classes taken for others") :].partition("</table>")[0]
        cells = [html.unescape(cell) for cell in re.findall(r"<td[^>]*>([^<]*)</td>", card)]
        found.append([cells[at : at + 5] for at in range(0, len(cells), 5)])
    assert found == [
        [["positive", "negative", "40 %", "20 %", "20"], ["negative", "positive", "20 %", "10 %", "10"]],
        [[page.MARKUP, "early", "25 %", "7 %", "7"]],
    ]


def test_what_is_not_there_says_so(page_origin: str) -> None:
    for path in ("/model?model=none", "/model?model=flights&from=2020&to=2019", "/column?model=flights&column=none"):
        status, text, _ = get(page_origin + path)
        assert (status, "Nothing here" in text) == (404, True), path


def test_an_open_page_is_told_of_news_and_of_nothing_else(page_origin: str) -> None:
    status, text, headers = get(page_origin + "/pulse?seen=old")
    assert (status, headers["HX-Trigger"]) == (200, "driftline-news")
    seen = re.search(r'hx-get="(/pulse\?seen=[^"]+)"', text)
    assert seen is not None
    assert get(page_origin + html.unescape(seen[1]))[0] == 204


@pytest.mark.parametrize("path", ["/", f"/model?model={page.MODEL}&version=2", "/rejects"])
def test_rows_that_come_while_a_page_is_made_are_news_to_it(tmp_path: Path, path: str) -> None:
    with page.made_database(tmp_path / "db") as dsn:
        site = page.site_of(dsn)
        ask, sink = site.source.rows, ClickHouseSink(dsn)
        sink.setup()
        came: list[str] = []

        def late(statement: str, *args: Any) -> Any:
            found = ask(statement, *args)
            if "system." not in statement and not came:
                came.append(statement)
                sink.write([batch_of(RECORDS["reject"], [{**page.rows()["reject"][0], "source_offset": 77}])])
            return found

        site.source.rows = late  # type: ignore[method-assign]
        with page.served(site) as origin:
            _, text, _ = get(origin + path)
            seen = re.search(r'hx-get="(/pulse\?seen=[^"]+)"', text)
            assert seen is not None
            assert came
            assert get(origin + html.unescape(seen[1]))[0] == 200
        sink.close()


def test_an_empty_service_says_where_to_send_events_and_what_was_rejected(tmp_path: Path) -> None:
    with page.made_database(tmp_path / "db", empty=True) as dsn, page.served(page.site_of(dsn)) as origin:
        _, text, _ = get(origin)
        assert "Send events" in text
        assert "localhost:9092" in text
        assert "Next:" in text
        example = html.unescape(re.search(r'Example of an event">(.*?)</pre>', text, re.DOTALL)[1])  # type: ignore[index]
        event = json.loads(example)
        assert (event["model"], event["timestamp"]) == (page.MODEL, page.NEWEST_MS + 60_000)
        sink = ClickHouseSink(dsn)
        sink.setup()
        sink.write([batch_of(RECORDS["reject"], page.rows()["reject"])])
        sink.close()
        _, text, _ = get(origin)
        assert "2 events could not be used" in text
        assert "bad_timestamp" in text
        assert html.escape('{"model": "flights", "timestamp": "soon"}').replace("&quot;", "&#34;") in text
        assert_only_text(text)


def test_the_first_minute_shows_what_came_decoded_or_rejected(tmp_path: Path) -> None:
    sent = [
        Came(topic=page.MARKUP, partition=0, offset=7, time_ms=page.NEWEST_MS, head=page.HOSTILE.encode(), n_bytes=900),
        Came(topic="predictions", partition=0, offset=0, time_ms=page.NEWEST_MS, head=b"\xff{", n_bytes=2),
    ]
    found = [Arrivals(), Arrivals(problem="Kafka at x does not answer"), Arrivals(messages=sent, known=True)]
    with page.made_database(tmp_path / "db", empty=True) as dsn:
        site = page.site_of(dsn)
        sink = ClickHouseSink(dsn)
        sink.setup()
        sink.write([batch_of(RECORDS["reject"], page.rows()["reject"])])
        sink.close()
        with page.served(site) as origin:
            site.comes = Behind(lambda: found.pop(0), Arrivals(), kept_s=0.0)
            assert "Kafka is being asked" in get(origin)[1]
            assert "Not known now: Kafka at x does not answer" in get(origin)[1]
            _, text, _ = get(origin)
    assert_only_text(text)
    card = text[text.index('id="came"') :]
    assert card.index("○ came") < card.index("● rejected: bad_timestamp")
    assert "900 bytes" in card


def test_what_is_slow_is_shown_as_it_was_and_read_once() -> None:
    go, begun = threading.Event(), []

    def read() -> int:
        begun.append(1)
        assert go.wait(60)
        return len(begun)

    slow = Behind(read, 0, kept_s=60.0)
    assert [slow.now(0.0), slow.now(0.0)] == [0, 0]
    go.set()
    assert slow.now(60.0) == 1
    assert slow.now(0.0) == 1
    assert slow.anew() == 2
    assert slow.now(60.0) == 2


def test_without_the_token_nothing_is_served_and_with_it_everything(page_dsn: str) -> None:
    token = "a-token-of-some-length"
    with page.served(page.site_of(page_dsn, token)) as origin:
        for path in [*PAGES, "/pulse", "/static/charts.js", "/api/v1/models", "/api/v1/openapi.json"]:
            status, text, headers = get(origin + path)
            assert status in (303, 401), path
            assert "flights" not in text
            assert status == 401 or headers["Location"] == "/login"
        assert get(origin + "/api/v1/models", Authorization=f"Bearer {token}")[0] == 200
        assert get(origin + "/login", b"token=wrong")[0] == 401
        assert get(origin + "/login", f"token={token}".encode(), Origin="http://evil.example")[0] == 401
        status, _, headers = get(origin + "/login", f"token={token}".encode(), Origin=origin)
        cookie = headers["Set-Cookie"]
        assert status == 303
        assert "HttpOnly" in cookie
        assert "samesite=strict" in cookie.lower()
        assert token not in cookie
        assert get(origin + "/", Cookie=cookie.partition(";")[0])[0] == 200


def test_a_name_that_leads_to_this_machine_gets_nothing(page_origin: str) -> None:
    status, text, _ = get(page_origin + "/", Host="evil.example")
    assert (status, "flights" in text) == (403, False)


def test_an_address_that_others_reach_wants_a_token() -> None:
    open_to_all = "models: [{name: m, reference: r}]\nui: {listen: '0.0.0.0:8642'}"
    with pytest.raises(ConfigError, match=r"ui\.token: is needed"):
        parse(open_to_all)
    with pytest.raises(ConfigError, match="at least 16"):
        parse(open_to_all.replace("8642'}", "8642', token: '${TOKEN}'}"), environ={"TOKEN": "short"})
    config = parse("models: [{name: m, reference: r}]")
    assert str(listening(config, "")) == "127.0.0.1:8642"
    with pytest.raises(InputError, match=r"is needed where the page listens on 0\.0\.0\.0:1"):
        listening(config, "0.0.0.0:1")


def test_up_serves_the_page_where_the_configuration_says_or_beside_it() -> None:
    off = parse("models: [{name: m, reference: r}]\nui: {listen: off}")
    assert page_command(Path("c.yaml"), off) is None
    port = free_port()
    config = parse(f"models: [{{name: m, reference: r}}]\nui: {{listen: '127.0.0.1:{port}'}}")
    command, address = page_command(Path("c.yaml"), config) or pytest.fail("the page is not served")
    assert address.port == port
    assert list(command.arguments) == ["ui", "c.yaml", "--listen", f"127.0.0.1:{port}", "--quiet"]
    with socket.create_server(("127.0.0.1", port)):
        _, beside = page_command(Path("c.yaml"), config) or pytest.fail("the page is not served")
        assert beside.port not in (0, port)


def test_a_report_holds_all_it_shows_and_asks_nobody(page_site: Site) -> None:
    for model, version in ((page.MODEL, "1"), (page.HOSTILE, page.HOSTILE)):
        text = report.html_report(page_site, report.choose(page_site, model, version, None, None))
        body = re.sub(r"<script>.*?</script>|<style>.*?</style>", "", text, flags=re.DOTALL)
        assert_only_text(body)
        assert "default-src &#39;none&#39;" in body
        for _, attributes in tags_of(body):
            assert not [name for name in attributes if name.startswith(("on", "hx-")) or name == "style"]
            assert all(re.match("#|data:", attributes.get(name) or "#") for name in ("src", "href", "action"))


def test_a_card_is_told_in_json_and_in_markdown_without_markup(page_site: Site) -> None:
    at = report.choose(page_site, page.HOSTILE, page.HOSTILE, None, None)
    card = model_card(page_site, at, ["a limit"])
    assert msgspec.json.decode(msgspec.json.encode(card), type=ModelCard) == card
    assert card.limits[0] == "a limit"
    assert [one.metric for one in card.performance] == ["roc_auc"]
    text = markdown(card)
    assert "<img" not in text.replace("\\<img", "")
    assert text.count("\n## ") + text.startswith("## ") == 1


def test_a_report_of_a_replays_files_is_that_of_the_database(page_site: Site, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from monitor.api.access import Access
    from monitor.api.source import Source

    rows = page.rows()
    for record in RECORDS.values():
        if record.file and rows[record.name]:
            pq.write_table(pa.Table.from_batches([batch_of(record, rows[record.name])]), tmp_path / record.file)
    references = [batch_of(RECORDS["reference_column"], rows["reference_column"])]
    source = Source(lambda: replayed(tmp_path, references), connections=1)
    site = Site(source=source, config=page_site.config, access=Access(""), now_ms=page_site.now_ms)
    made = report.html_report(site, report.choose(site, page.MODEL, "1", None, None))
    source.close()
    known = report.html_report(page_site, report.choose(page_site, page.MODEL, "1", None, None))
    for what in ("<h1>.*?</h1>", "data-chart='[^']*'", "<li><div class=.what.><strong>.*?</li>"):
        assert re.findall(what, made, re.DOTALL) == re.findall(what, known, re.DOTALL) != []
    with pytest.raises(InputError, match="holds no results"), replayed(tmp_path / "none", references):
        pass
