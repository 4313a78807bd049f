"""What screens make of rows, without a database."""

import itertools
import re

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.grid import quantile_grid
from monitor.api.access import Access
from monitor.api.charts import distribution_chart
from monitor.api.model_sentence import model_sentence
from monitor.api.queries.profiles import Distribution
from monitor.api.queries.verdicts import Run
from monitor.api.rendering import environment
from monitor.api.views.distribution import LEVELS, bars, pairs, quantiles
from monitor.api.views.fleet import SPARKS, Spark, spark_path
from monitor.api.views.moved import moved_columns
from monitor.api.wording import clip, column_name, column_sentence, rate

COUNTS = st.lists(st.integers(0, 10_000), min_size=3, max_size=40)


def numeric(edges: list[float], reference: list[int], live: list[int]) -> Distribution:
    return Distribution(
        reference="r", segment="", column="c", kind="numeric", n=sum(live), nulls=0, invalid=0, minimum=None,
        maximum=None, mean=None, counts=live, frequent_unseen=[], reference_n=sum(reference), reference_nulls=0,
        edges=edges, categories=[], reference_counts=reference, decile=[],
    )  # fmt: skip


def run(column: str, segment: str = "", *, lasts: bool = True, strength: float = 2.0, first_ms: int = 0) -> Run:
    return Run(
        column=column, segment=segment, compare="pinned", reference="r", first_ms=first_ms, end_ms=7_200_000,
        newest_ms=7_200_000, n_windows=2, n_all=9, lasts=lasts, top_start_ms=0, top_end_ms=3_600_000,
        strength=strength, direction="up", quantity="mean", before=1.0, after=2.0, method="js", effect=0.2,
        threshold=0.1, q_value=0.01, n=100,
    )  # fmt: skip


@given(COUNTS, st.data())
def test_bars_hold_all_that_the_cells_do_and_lie_side_by_side(reference: list[int], data: st.DataObject) -> None:
    live = data.draw(st.lists(st.integers(0, 10_000), min_size=len(reference), max_size=len(reference)))
    edges = np.cumsum(
        data.draw(st.lists(st.floats(1e-6, 100), min_size=len(reference) - 1, max_size=len(reference) - 1))
    )
    found = bars(
        Distribution(
            **{**_fields(numeric(edges.tolist(), reference, live)), "minimum": edges[0] - 1, "maximum": edges[-1] + 1}
        )
    )
    for name, counts in (("reference", reference), ("live", live)):
        expected = 1.0 if sum(counts) else 0.0
        assert sum(getattr(bar, name) for bar in found) == pytest.approx(expected)
    assert all(one.high == other.low for one, other in itertools.pairwise(found))


def _fields(found: Distribution) -> dict[str, object]:
    return {name: getattr(found, name) for name in found.__struct_fields__}


def test_quantiles_are_within_a_cell_of_the_values() -> None:
    values = np.random.default_rng(5).normal(10, 3, 20_000)
    edges = quantile_grid(values)
    live = np.random.default_rng(6).normal(11, 3, 5_000)
    counts = np.bincount(np.searchsorted(edges, live), minlength=edges.size + 1)
    found = quantiles(counts.tolist(), edges.tolist(), float(live.min()), float(live.max()))
    assert found is not None
    for level, value in zip(LEVELS, found, strict=True):
        assert abs(np.searchsorted(np.sort(live), value) / live.size - level) < 0.01


def test_new_and_gone_categories_are_named() -> None:
    found = numeric([], [60, 40, 0, 0], [90, 0, 0, 10])
    found = Distribution(
        **{**_fields(found), "kind": "categorical", "categories": ["a", "b"], "frequent_unseen": ["z"]}
    )
    assert [(one.name, one.note) for one in pairs(found)] == [
        ("a", ""),
        ("b", "gone"),
        ("not in the reference: z", "new"),
    ]
    assert distribution_chart(found)["kind"] == "pairs"


def test_what_goes_on_is_told_before_what_is_over_and_all_rows_before_segments() -> None:
    found = moved_columns(
        [
            run("a", "x=1", strength=9.0),
            run("a", strength=2.0),
            run("b", strength=3.0),
            run("c", strength=99, lasts=False),
            run("d", "x=1"),
        ]
    )
    assert [(one.top.column, one.top.segment) for one in found] == [("b", ""), ("a", ""), ("d", "x=1"), ("c", "")]
    assert [other.segment for other in found[1].others] == ["x=1"]


def test_the_first_line_says_what_moved_since_when_and_what_labels_say() -> None:
    one = model_sentence("m v3", [run("a"), run("b"), run("@score")], [], labels="no loss")
    assert one == "m v3: since 1970-01-01, 2 inputs moved (a, b), the score moved too; labels show no loss."
    quiet = model_sentence("m v3", [], [], labels="nothing")
    assert quiet == (
        "m v3: nothing differs from the reference in the newest window; no labels came for these windows, so the "
        "loss is not known."
    )
    lost = model_sentence("m", [run("@loss")], [], labels="no loss")
    assert "labels show a loss that is up: mean 1 → 2" in lost


def test_a_relation_that_makes_the_model_better_is_not_told_as_one_that_changed() -> None:
    better = msgspec.structs.replace(run("@relation"), direction="better", quantity="log loss of these inputs")
    told = model_sentence("m", [better], [], labels="no loss")
    assert told.endswith("labels show that the model does better on the same inputs: log loss of these inputs 1 → 2.")
    assert "relation of inputs to labels changed" in model_sentence("m", [run("@relation")], [], labels="no loss")


def test_labels_that_are_missing_are_not_said_to_show_no_loss() -> None:
    broken = model_sentence("m", [run("@labels_missing")], [], labels="no loss")
    assert broken.endswith("labels are missing, so that a loss need not show: mean 1 → 2.")
    some = model_sentence("m", [run("@labels_selective")], [], labels="no loss")
    assert "labels show no loss, but they come for some predictions rather than for others" in some


@pytest.mark.parametrize("column", ["@coverage", "@joint", "@score.late", "@segments origin"])
def test_whatever_is_watched_and_moved_is_no_likeness_to_the_reference(column: str) -> None:
    said = model_sentence("m", [run(column)], [], labels="no loss")
    assert "nothing differs" not in said
    assert column_name(column) in said
    assert "@" not in said


@pytest.mark.parametrize("column", ["@loss", "@relation", "@subgroup", "@delay", "@labels_missing"])
def test_what_labels_say_of_the_whole_or_a_segment_is_no_lack_of_loss(column: str) -> None:
    whole = model_sentence("m", [run(column)], [], labels="no loss")
    assert whole.startswith("m: inputs and score are as in the reference in the newest window; labels ")
    assert not whole.endswith("labels show no loss.")
    if column in ("@loss", "@relation"):
        part = model_sentence("m", [], [run(column, "o=E")], labels="no loss")
        assert "in o=E" in part
        assert "no loss" not in part


def test_a_model_without_a_score_is_not_told_that_its_score_stood_still() -> None:
    assert "score" not in model_sentence("m", [run("a")], [], labels="nothing", has_score=False)
    assert "the score did not" in model_sentence("m", [run("a")], [], labels="nothing")


def test_what_was_not_looked_at_is_not_told_to_be_as_before() -> None:
    unscored = model_sentence("m", [], [], labels="nothing", unscored="too few events, 3")
    assert unscored.startswith("m: nothing was scored in the newest window: too few events, 3; ")
    assert model_sentence("m", [], [], labels="alone").endswith(
        "labels came, and the reference has none to compare them with, so a loss is not known."
    )
    assert "no loss" not in model_sentence("m", [], [], labels="early")
    longer = [("1 day", ["temp", "@loss"])]
    told = model_sentence("m", [], [], labels="no loss", elsewhere=longer)
    assert told == (
        "m: nothing differs from the reference in the newest window, but in that of 1 day temp, the loss changed."
    )
    also = model_sentence("m", [run("a")], [], labels="no loss", elsewhere=longer)
    assert also.endswith("labels show a loss in windows of 1 day.")
    assert column_sentence("temp", [], None, not_compared="too few events, 3") == (
        "temp: not compared with the reference in all rows: too few events, 3."
    )


def test_served_values_that_differ_from_those_computed_again_have_not_moved() -> None:
    skewed = msgspec.structs.replace(run("temp"), compare="recomputed", direction="skewed")
    said = model_sentence("m", [skewed], [], labels="no loss")
    assert "1 input served unlike what is computed again (temp)" in said
    assert "moved" not in said


def test_unseen_categories_lie_beyond_no_range() -> None:
    said = column_sentence("carrier", [run("carrier")], 0.18, categorical=True)
    assert "18 % of values not in the reference;" in said
    assert "range" not in said


def test_a_columns_first_line_says_where_and_how_much_lies_beyond() -> None:
    assert column_sentence("temp", [run("temp")], 0.18) == (
        "temp: mean 1 → 2 (up) in all rows, since 1970-01-01, 18 % of values beyond the reference's range; "
        "2 times the smallest effect that counts."
    )
    assert "in o=E only" in column_sentence("temp", [run("temp", "o=E")], None)
    assert column_sentence("temp", [], None) == "temp: as in the reference."


@pytest.mark.parametrize(
    ("a_minute", "words"),
    [(900.0, "900 events/min"), (1.0, "1 event/min"), (0.5, "30 events/h"), (0.0, "0 events/day")],
)
def test_a_rate_is_told_in_a_unit_that_fits(a_minute: float, words: str) -> None:
    assert rate(a_minute) == words


@given(st.text())
def test_what_is_shown_of_a_name_draws_on_one_line_in_one_direction(name: str) -> None:
    shown = clip(name, 50)
    assert not re.search("[\x00-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069]", shown)
    assert len(shown) < 90


@pytest.mark.parametrize("value", ["<b>", "'", '"', "&", "</script>"])
def test_charts_lie_in_an_attribute_that_nothing_leaves(value: str) -> None:
    text = environment().from_string("<p data-chart='{{ x|tojson }}'></p>").render(x={"name": value})
    assert re.fullmatch("<p data-chart='[^'<>]*'></p>", text)


@pytest.mark.parametrize("host", ["127.0.0.1:80", "localhost", "[::1]:8642", "LOCALHOST:1"])
def test_this_machine_is_let_in_without_a_token(host: str) -> None:
    assert Access("").lets_in(host=host, authorization="", cookie="")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "localhost.", "[", "10.0.0.1"])
def test_a_name_that_leads_here_from_elsewhere_is_not(host: str) -> None:
    assert not Access("").lets_in(host=host, authorization="", cookie="")


def test_with_a_token_only_those_who_know_it_are_let_in() -> None:
    access = Access("secret-secret-secret")
    known = {"host": "10.0.0.1", "authorization": "Bearer secret-secret-secret", "cookie": ""}
    assert access.lets_in(**known)
    assert access.lets_in(host="10.0.0.1", authorization="", cookie=access.cookie)
    for wrong in ("", "Bearer", "Bearer ", "Bearer secret", "Basic secret-secret-secret", "Bearer ü"):
        assert not access.lets_in(**{**known, "authorization": wrong})
    assert not access.lets_in(host="127.0.0.1", authorization="", cookie="")
    assert "secret" not in access.cookie
    assert Access("another-another-another").cookie != access.cookie


def test_a_form_of_another_site_changes_nothing() -> None:
    access = Access("")
    mine = {
        "host": "127.0.0.1:1", "origin": "http://127.0.0.1:1", "fetch_site": "same-origin",
        "form_token": access.form_token,
    }  # fmt: skip
    assert access.may_change(**mine)
    assert access.may_change(**{**mine, "fetch_site": ""})  # a browser that does not say
    assert not access.may_change(**{**mine, "fetch_site": "same-site"})
    assert not access.may_change(**{**mine, "origin": "http://evil.example"})
    assert not access.may_change(**{**mine, "form_token": Access("").form_token})


def test_times_in_a_sentence_are_marked_and_names_stay_text() -> None:
    timed = environment().filters["timed"]
    marked = '<time datetime="2026-03-01T14:00:00+00:00" title="2026-03-01 14:00 UTC">2026-03-01 14:00</time>'
    assert timed("temp: since 2026-03-01 14:00, up") == f"temp: since {marked}, up"
    for text in ("2026-03-01 moved", "since 2026-13-45", "since 2026-03-01-copy", "until now"):
        assert "<time" not in timed(text)
    assert timed("<b> since 2026-03-01<i>").startswith("&lt;b&gt; since <time")
    assert timed("<b> since 2026-03-01<i>").endswith("</time>&lt;i&gt;")


def test_categories_that_neither_side_has_are_not_drawn() -> None:
    found = numeric([], [10, 0, 0, 0, 0], [5, 0, 5, 0, 0])
    found = Distribution(**{**_fields(found), "kind": "categorical", "categories": ["a", "b", "c"]})
    assert [one.name for one in pairs(found)] == ["a", "c"]


def test_a_spark_has_the_newest_window_at_the_right_and_a_bar_for_each() -> None:
    sparks = [Spark(end_ms=n, n_drifted=n % 2, n_season=0, n_columns=4) for n in range(SPARKS)]
    found = (spark_path(sparks, "quiet"), spark_path(sparks, "changed"))
    quiet, changed = (re.findall(r"M([\d.]+) 25v-([\d.]+)h5v([\d.]+)z", path) for path in found)
    assert len(quiet) == len(changed) == SPARKS // 2
    assert max(float(x) for x, _, _ in changed) + 5 <= 150
    assert {up for _, up, down in changed if up == down} == {"24.0"}
    assert {up for _, up, down in quiet if up == down} == {"1.0"}
    (only,) = re.findall(r"M([\d.]+) ", spark_path(sparks[-1:], "changed"))
    assert only == changed[-1][0]


def test_values_that_reach_down_to_zero_have_a_bar() -> None:
    found = Distribution(**{**_fields(numeric([1.0, 2.0], [1, 0, 0], [1, 0, 0])), "minimum": 0.0, "maximum": 2.0})
    assert [(bar.low, bar.high, bar.live) for bar in bars(found) if bar.live] == [(0.0, 1.0, 1.0)]
