"""An alert reads like a colleague, whatever the names in it are."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.decisions import DAY_MS, Run, cell, day, gone, policy

from monitor.decisions.alert import Alert
from monitor.decisions.words import MOST_LETTERS, safe

HOSTILE = [
    "x" * 10_000,
    "‮gnp.exe⁦",
    "<script>alert(1)</script>",
    "<!channel> `rm -rf` |pipe|",
    "a\nb\r\nSubject: x",
    "\x00\x1b[31m",
    "",
    "   ",
]


def raised(*moved: object, n: int = 8, **more: object) -> Alert:
    own = policy()
    run = Run(own).days(day(number, *moved, **more) for number in range(n))  # type: ignore[arg-type]
    return run.alerts[0]


def test_it_says_what_moved_from_what_to_what_since_when_where_and_how_surely() -> None:
    alert = raised(cell("distance"), cell("carrier"), cell("distance", "origin=EWR"), n_segments=10)
    assert alert.summary == (
        "m (version 1): mean of carrier 1 -> 2 (up) in all rows, since 1970-01-01: inputs drifted; with it distance; "
        "most in origin=EWR. Unchanged data gives as much at most once in 143 days. Probably one source upstream, "
        "which its 2 columns share."
    )
    assert "retrain on data since 1970-01-01" in alert.recommendation


def test_what_is_gone_is_said_to_be_mended_not_retrained_on() -> None:
    alert = raised(gone("temp"), cell("@score"), cell("@joint"))
    assert "share missing of temp 1 % -> 100 % (more missing) in all rows" in alert.summary
    assert "One window left no doubt." in alert.summary
    assert "Mend the pipeline that fills temp" in alert.recommendation


def test_predictions_alone_are_the_models_own() -> None:
    alert = raised(cell("@score"))
    assert "mean of the score 1 -> 2" in alert.summary
    assert "its inputs stand still" in alert.summary


def test_a_loss_is_said_in_its_own_unit() -> None:
    worse = cell("@loss", direction="worse", quantity="log loss", before=0.41, after=0.53)
    alert = raised(worse, family="labels")
    assert "log loss 0.41 -> 0.53 (worse) in all rows, since 1970-01-01: the model got worse." in alert.summary
    assert "retrain on data since 1970-01-01" in alert.recommendation


def test_a_resolved_alert_says_what_it_was_and_that_nothing_is_to_be_done() -> None:
    run = Run().days([*(day(n, cell()) for n in range(6)), *(day(n) for n in range(6, 12))])
    assert run.alerts[-1].summary == (
        "m (version 1): over: mean of x 1 -> 2 (up) in all rows, since 1970-01-01. "
        "Drift of inputs is over, quiet at 1970-01-12."
    )
    assert run.alerts[-1].recommendation == "Nothing more to do."


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_short_printable_and_on_one_line(name: str) -> None:
    alert = raised(cell(name, f"origin={name}"), cell(name), cell("@score"), version=name, n_segments=5)
    for text in (alert.summary, alert.recommendation):
        assert len(text) < 800
        assert text.isprintable()
        assert not set(text) & set("<`|")
        assert all(unicodedata.category(letter) not in ("Cf", "Cc") for letter in text)
    assert alert.columns[0].column == name, "the figures beside the sentence name it as it is"


@given(st.text(max_size=300))
def test_any_name_is_made_safe_and_stays_so(name: str) -> None:
    made = safe(name)
    assert 0 < len(made) <= MOST_LETTERS
    assert made.isprintable()
    assert safe(made) == made


def test_plain_names_stay_as_they_are() -> None:
    for name in ("dep_hour_utc", "origin=EWR", "share of values 201 to 250", "Ünïcødé 日本"):
        assert safe(name) == name


def test_time_is_said_in_the_windows_own() -> None:
    alert = raised(*[cell("x")], n=8)
    assert alert.evidence.window_end_ms - alert.evidence.window_start_ms == DAY_MS


def test_a_part_of_the_data_is_what_to_look_at_and_not_all_rows() -> None:
    part = cell("@subgroup", direction="worse in part", quantity="log loss where carrier is VX", before=0.4, after=0.9)
    alert = raised(part, family="labels")
    assert "log loss where carrier is VX 0.4 -> 0.9 (worse in part), since" in alert.summary
    assert ": the model got worse in a part of the data." in alert.summary
    assert alert.recommendation == (
        "Look at the rows where carrier is VX alone: the model does worse there. See what changed, and retrain on "
        "more of them."
    )


@pytest.mark.parametrize(
    ("column", "direction", "said", "to_do"),
    [
        ("@delay", "later", "labels are late.", "Look at the label pipeline"),
        ("@labels_missing", "labels missing", "labels that are due have not come.", "Look at the label pipeline"),
        ("@labels_selective", "labels selective", "labels come for some predictions rather than", "a random share"),
    ],
)
def test_late_missing_and_selective_labels_are_told_apart(column: str, direction: str, said: str, to_do: str) -> None:
    alert = raised(cell(column, direction=direction, quantity="share labelled", before=0.9, after=0.4), family="labels")
    assert said in alert.summary
    assert to_do in alert.recommendation
