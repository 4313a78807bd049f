"""The first lines of screens are true in every state: unscored, silent, young labels, labels without a reference."""

import contextlib
import html
import math
import re
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from support import page
from support.batches import batch_of

from monitor.api.model_card import markdown, model_card
from monitor.api.queries.fleet import Changes, Headline
from monitor.api.queries.models import Sized
from monitor.api.queries.performance import Figure
from monitor.api.queries.rejects import RejectCount
from monitor.api.queries.verdicts import Run
from monitor.api.rejects_page import rejected, rejects_sentence
from monitor.api.rendering import environment
from monitor.api.report import choose
from monitor.api.site import Site
from monitor.api.views.fleet import changed_words, fleet_lines, fleet_sentence
from monitor.api.views.fleet_words import performance_words
from monitor.api.views.performance import labels_say, performance_sentence, performance_view
from monitor.api.wording import column_sentence
from sinks.clickhouse.sink import ClickHouseSink
from sinks.records import RECORDS

HOUR_MS = page.HOUR_MS


def get(address: str) -> str:
    with urllib.request.urlopen(address, timeout=30) as answer:
        return str(answer.read().decode())


def first_line(text: str) -> str:
    (found,) = re.findall(r"<h1>(.*?)</h1>", text, re.DOTALL)
    return html.unescape(re.sub(r"<[^>]*>", "", found))


def figure(number: int, value: float, maturity: float, *, metric: str = "roc_auc", **more: Any) -> Figure:
    """Of the window of an hour, counted from 1970."""
    own = {
        "estimated": False, "ci_low": value - 0.02, "ci_high": value + 0.02, "reference_value": 0.74,
        "provisional": maturity < 0.9, **more,
    }  # fmt: skip
    return Figure(
        segment="", metric=metric, start_ms=number * HOUR_MS, end_ms=(number + 1) * HOUR_MS, value=value,
        spread_low=None, spread_high=None, n_labelled=int(100 * maturity), n_total=100, maturity=maturity, **own,
    )  # fmt: skip


def sized(model: str = "m", version: str = "1", *, size_s: int = 3600, written_ms: int = 0, windows: int = 9) -> Sized:
    return Sized(
        model=model, version=version, size_s=size_s, first_ms=0, last_ms=24 * HOUR_MS, written_ms=written_ms,
        windows=windows, last_events=60,
    )  # fmt: skip


def change(
    model: str = "m", version: str = "1", *, size_s: int = 3600, n_columns: int = 3, n: int = 0, reason: str = ""
) -> Changes:
    return Changes(
        model=model, version=version, size_s=size_s, window_end_ms=24 * HOUR_MS, n_columns=n_columns, n_drifted=n,
        n_season=0, worst=["temp"] * min(n, 1), reason=reason,
    )  # fmt: skip


def test_a_handful_of_young_labels_does_not_speak_for_the_model() -> None:
    figures = [figure(0, 0.42, 1.0), figure(1, 0.44, 0.95), figure(2, 0.75, 0.07, ci_low=0.1, ci_high=0.99)]
    view = performance_view(figures)
    assert view is not None
    said = performance_sentence("m", view, [])
    assert said.startswith("m: AUC 0.44 [0.42, 0.46] (reference 0.74, 95 % labelled), worse than the reference, until ")
    assert said.endswith("the newest, until 1970-01-01 03:00, has 0.75 by 7 % of its labels so far.")
    only_young = performance_view(figures[2:])
    assert only_young is not None
    assert "7 % labelled, provisional" in performance_sentence("m", only_young, [])


def test_an_estimate_is_of_the_window_that_it_is_told_beside() -> None:
    figures = [figure(0, 0.7, 1.0), *(figure(n, 0.7 - 0.1 * n, 0.0, estimated=True) for n in range(3))]
    view = performance_view(figures)
    assert view is not None
    assert "estimate 0.7," in view.words
    assert performance_sentence("m", view, []).endswith("since then estimated alone, 0.5 until 1970-01-01 03:00.")


def test_how_labels_come_is_told_of_the_newest_window() -> None:
    figures = [figure(0, 0.0, 1.0, metric="labels_missing"), figure(1, 0.6, 0.1, metric="labels_missing")]
    view = performance_view(figures)
    assert view is not None
    assert view.newest == figures[1]


def test_worse_without_an_interval_is_not_told_to_be_within_chance() -> None:
    view = performance_view([figure(0, 0.42, 1.0, ci_low=None, ci_high=None)])
    assert "there is no interval" in performance_sentence("m", view, [])


def test_that_labels_show_no_loss_is_told_where_a_loss_was_looked_for() -> None:
    known = [figure(0, 0.7, 1.0)]
    assert labels_say(known, tested=True) == "no loss"
    assert labels_say(known, tested=False) == "early"
    assert labels_say([figure(0, 0.7, 1.0, reference_value=None)], tested=True) == "alone"
    assert labels_say([figure(0, 0.7, 0.0, estimated=True)], tested=True) == "nothing"
    coming = figure(0, 0.0, 1.0, metric="labels_missing", reference_value=0.0)
    assert labels_say([figure(0, 0.7, 1.0, reference_value=None), coming], tested=True) == "alone"


def test_a_model_of_which_nothing_is_scored_is_not_quiet() -> None:
    (line,) = fleet_lines([sized()], [change(n_columns=0, reason="few events")], [], {}, 0)
    assert (line.state, line.state_text) == ("unscored", "not scored: too few events")
    (other,) = fleet_lines([sized()], [change(n_columns=0, reason="absent")], [], {}, 0)
    assert other.state_text == "not scored: no event speaks of what is watched"
    assert changed_words(line) == "none scored now"
    assert "1 is not scored" in fleet_sentence([line])


def test_a_silent_model_is_told_to_be_silent_whatever_it_was_before() -> None:
    now_ms = 10 * HOUR_MS
    (line,) = fleet_lines([sized()], [change(n=2)], [], {}, now_ms)
    assert line.state_text == "silent for 10 h; before, 2 columns changed"
    (line,) = fleet_lines([sized()], [change(n=2)], [], {"m": 2}, now_ms)
    assert line.state_text == "2 alerts, silent for 10 h"
    assert "No events come" in fleet_sentence([line])


def test_a_version_that_was_replaced_makes_no_silent_model_and_sends_no_events() -> None:
    lines = fleet_lines(
        [sized(version="1"), sized(version="2", written_ms=10 * HOUR_MS)], [], [], {}, 10 * HOUR_MS
    )  # fmt: skip
    assert fleet_sentence(lines).startswith(
        "1 model: nothing needs you, 1 version is silent. 1 event/min in the newest windows"
    )


def test_what_changed_in_longer_windows_is_told_of_them_and_its_link_leads_there() -> None:
    (line,) = fleet_lines(
        [sized(), sized(size_s=86_400, windows=1)], [change(), change(size_s=86_400, n=2)], [], {}, 0
    )  # fmt: skip
    assert line.state_text == "2 columns changed in windows of 1 day"
    assert line.link_s == 86_400
    assert changed_words(line) == "0 of 3 in the newest window of 1 hour"


def test_the_fleets_figure_says_until_when_it_is_where_newer_windows_are_there() -> None:
    measured = Headline(
        model="m", version="1", metric="roc_auc", estimated=False, window_end_ms=HOUR_MS, value=0.44, ci_low=0.42,
        ci_high=0.46, reference_value=0.74, spread_low=None, spread_high=None, maturity=1.0, provisional=False,
    )  # fmt: skip
    guess = msgspec.structs.replace(measured, estimated=True, window_end_ms=3 * HOUR_MS, value=0.7)
    assert performance_words([measured, guess], 3 * HOUR_MS) == (
        "AUC 0.44 [0.42, 0.46] until 1970-01-01 01:00 (ref 0.74, est of the newest window 0.7, 100 % labelled)"
    )


@pytest.mark.parametrize(("counts", "words"), [
    ([("a", "schema", 7), ("a", "oversize", 6), ("b", "oversize", 5)],
     "18 events were rejected, most of them oversize."),
    ([("a", "schema", 7), ("a", "oversize", 6), ("b", "missing_id", 5)],
     "18 events were rejected, the largest part of them schema."),
    ([("a", "schema", 7)], "7 events were rejected, all of them schema."),
    ([("a", "schema", 1)], "1 event was rejected, schema."),
    ([], "No event was rejected."),
])  # fmt: skip
def test_most_of_them_is_more_than_half(counts: list[tuple[str, str, int]], words: str) -> None:
    assert rejects_sentence([RejectCount(model=m, reason=r, n=n, last_ms=0) for m, r, n in counts]) == words


def test_rejects_of_a_model_are_counted_of_that_model(page_origin: str) -> None:
    text = get(f"{page_origin}/rejects?model={page.MODEL}")
    assert first_line(text) == f"1 event of {page.MODEL} was rejected, bad_timestamp."
    assert 'href="/rejects">Those of all' in text


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Windows in which nothing could be scored; labels that a reference has none to compare with, of last month."""
    with page.made_database(tmp_path_factory.mktemp("odd") / "db", empty=True) as dsn:
        made = page.rows()
        own = [one for one in made["window"] if (one["model"], one["version"]) == (page.MODEL, "1")]
        few = {"columns_scored": 0, "columns_not_scored": 3, "reason": "few events", "events": 3}
        windows = [{**one, "model": "tiny", **few} for one in own] + [{**one, "model": "alone"} for one in own]
        far_ms = 30 * 86_400_000
        ago = {"window_start_ms": page.START_MS - far_ms, "window_end_ms": page.START_MS - far_ms + HOUR_MS}
        windows += [{**own[0], "model": "alone", **ago}]
        pattern = next(one for one in made["drift_verdict"] if one["model"] == page.MODEL and not one["segment"])
        seen = {
            **pattern, "model": "alone", "column": "@loss", "compare": "sequential adwin", "method": "adwin",
            "drifted": True, "direction": "worse", "quantity": "absolute error", "before": 6.4, "after": 11.5,
        }  # fmt: skip
        figures = [
            {**one, "model": "alone", "reference_value": math.nan, **ago, "provisional": False}
            for one in made["performance"]
            if (one["model"], one["version"], one["window_start_ms"]) == (page.MODEL, "1", page.START_MS)
            and not one["estimated"]
        ]
        with contextlib.closing(ClickHouseSink(dsn)) as sink:
            sink.setup()
            profiles = [
                {**one, "model": "tiny"}
                for one in made["column_profile"]
                if (one["model"], one["version"], one["column"]) == (page.MODEL, "1", "temp")
            ]
            columns = [{**one, "model": "tiny"} for one in made["reference_column"] if one["model"] == page.MODEL]
            for name, rows in (
                ("window", windows), ("performance", figures), ("column_profile", profiles),
                ("reference_column", columns), ("drift_verdict", [seen]),
            ):  # fmt: skip
                sink.write([batch_of(RECORDS[name], rows)])
        site = page.site_of(dsn)
        yield site
        site.source.close()


def test_what_could_not_be_scored_is_not_as_in_the_reference(odd: Site) -> None:
    with page.served(odd) as origin:
        asked = urlencode({"model": "tiny", "version": "1"})
        model, column = get(f"{origin}/model?{asked}"), get(f"{origin}/column?{asked}&column=temp")
        assert "nothing was scored in the newest window: too few events, 3" in first_line(model)
        assert first_line(column) == "temp: not compared with the reference in all rows: too few events, 3."
        assert "min_samples" in model
        fleet = get(f"{origin}/")
        assert "not scored: too few events" in fleet
        # The labels of the other one are a month old: they are there all the same.
        assert "AUC 0.71 [0.66, 0.73]" in fleet


def test_labels_that_are_compared_with_nothing_show_no_lack_of_loss(odd: Site) -> None:
    with page.served(odd) as origin:
        span = urlencode({"model": "alone", "version": "1", "from": page.START_MS - 40 * 86_400_000})
        early = urlencode({"model": "alone", "version": "1", "from": page.START_MS - 40 * 86_400_000})
        early += f"&to={page.START_MS}"
        assert "the reference has none to compare them with, so a loss is not known." in first_line(
            get(f"{origin}/model?{early}")
        )
        # What detectors of the run of errors saw needs no reference, and is told once the span holds it.
        text = get(f"{origin}/model?{span}")
        assert "labels show errors that grew: absolute error 6.4 → 11.5, seen until " in first_line(text)
        assert "See since when errors grew" in text
        assert "absolute error 6.4 → 11.5" in get(f"{origin}/performance?{span}")
        assert "Whether that is good is for you to say" in get(f"{origin}/performance?{span}")


def test_a_card_names_the_reference_where_nothing_moved_and_counts_windows(odd: Site) -> None:
    card = model_card(odd, choose(odd, "tiny", "1", None, None))
    assert card.reference == "r1"
    assert (
        f"in {page.N_WINDOWS} of {page.N_WINDOWS} windows up to 3 columns could not be scored: few events"
        in card.limits
    )
    assert "reference `r1`" in markdown(card)
    assert "- nothing was scored in the newest window: too few events, 3" in markdown(card)
    assert "nothing differs" not in markdown(card)


def test_runs_of_a_segment_are_of_that_segment(page_origin: str) -> None:
    asked = {"model": page.MODEL, "version": "1", "size_s": 3600, "from_ms": page.START_MS, "to_ms": page.NEWEST_MS}
    address = f"{page_origin}/api/v1/runs?" + urlencode(asked)
    found = {
        segment: {one["segment"] for one in msgspec.json.decode(get(address + segment))["items"]}
        for segment in ("", "&segment=", "&segment=origin%3DEWR")
    }
    assert found == {"": {"", "origin=EWR"}, "&segment=": {""}, "&segment=origin%3DEWR": {"origin=EWR"}}


def test_what_is_said_of_a_segment_names_it(page_origin: str) -> None:
    asked = urlencode({"model": page.MODEL, "version": "1", "segment": "origin=EWR"})
    assert first_line(get(f"{page_origin}/performance?{asked}")).startswith("flights v1 in origin=EWR: ")
    assert "of origin=EWR: Jensen-Shannon" in first_line(get(f"{page_origin}/compare?{asked}"))


def test_another_version_of_a_columns_segment_is_of_that_segment(page_origin: str) -> None:
    asked = urlencode({"model": page.MODEL, "version": "1", "column": "temp", "segment": "origin=EWR"})
    form = get(f"{page_origin}/column?{asked}").partition('<form class="inline"')[2].partition("</form>")[0]
    assert '<input type="hidden" name="segment" value="origin=EWR">' in form


def test_what_the_chart_of_quality_draws_is_in_its_table(page_origin: str) -> None:
    asked = urlencode({"model": page.MODEL, "version": "2", "column": "temp"})
    table = get(f"{page_origin}/column?{asked}").partition(">Quality</h2>")[2].partition("</table>")[0]
    assert "beyond the reference</th>" in table
    assert '<td class="n">10</td></tr>' in table


def test_both_ends_of_a_span_are_in_the_viewers_zone() -> None:
    text = environment().filters["timed"]("it had moved from 2026-03-01 14:00 to 2026-03-02 15:00: up")
    assert text.count("<time") == 2


def test_a_time_before_a_colon_is_told_whole_and_in_one_zone() -> None:
    # As alerts are told: the day alone was taken for midnight, and its hour left behind it in UTC.
    timed, coded = (environment().filters[name] for name in ("timed", "coded"))
    made = '<time datetime="2026-02-11T01:00:00+00:00" title="2026-02-11 01:00 UTC">2026-02-11 01:00</time>'
    assert timed("in all rows, since 2026-02-11 01:00: the model got worse") == (
        f"in all rows, since {made}: the model got worse"
    )
    assert 'datetime="2026-02-11T00:00:00+00:00"' in timed("since 2026-02-11: inputs drifted")
    for text in ("since 2026-02-11 01:00:30", "since 2026-02-11 01:00-x"):
        assert "<time" not in timed(text)
    assert coded("retrain on data since 2026-02-11 01:00; see `a.b`") == (
        f"retrain on data since {made}; see <code>a.b</code>"
    )


def test_what_a_column_is_compared_with_is_said_where_it_is_not_the_whole_reference() -> None:
    run = Run(
        column="temp", segment="", compare="season hour_of_week", reference="r", first_ms=0, end_ms=1, newest_ms=1,
        n_windows=1, n_all=1, lasts=True, top_start_ms=0, top_end_ms=1, strength=2.0, direction="up", quantity="mean",
        before=1.0, after=2.0, method="js", effect=0.2, threshold=0.1, q_value=0.01, n=100,
    )  # fmt: skip
    assert "in all rows beside the same hour of week, since" in column_sentence("temp", [run], None)


def test_rejects_of_several_models_are_told_by_reason_once(page_site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = [RejectCount(model=model, reason="schema", n=n, last_ms=0) for model, n in (("a", 2), ("b", 3))]
    monkeypatch.setattr("monitor.api.queries.rejects.reject_counts", lambda *_: counts)
    assert rejected(page_site)["reject_reasons"] == [("schema", 5)]
