"""What became of labels, as rows: each total once, as of its offset."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.join.outcome_rows import outcome_rows
from monitor.join.state import Seal, write_seal
from monitor.join.step import JoinStep


def step(offset: int, counts: dict[tuple[str, str], int], totals: dict[str, dict[str, int]]) -> JoinStep:
    return JoinStep(
        offset=offset, matches=(), blocks=(), expired=(), deletes=(), seal=write_seal(Seal(totals=totals)),
        counts=Counter(counts), before_ms=None, after_ms=None,
    )  # fmt: skip


def test_only_totals_that_changed_are_rows_and_say_as_of_which_offset() -> None:
    totals = {"a": {"matched": 7, "orphan": 2}, "b": {"matched": 1}}
    rows = outcome_rows(step(41, {("a", "matched"): 3, ("b", "expired"): 0}, totals), partition=5)
    assert rows is not None
    assert rows.to_pylist() == [{"model": "a", "outcome": "matched", "join_partition": 5, "n": 7, "revision": 42}]


def test_a_step_that_changed_nothing_has_no_rows() -> None:
    assert outcome_rows(step(1, {}, {"a": {"matched": 7}}), 0) is None


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["matched", "orphan"]), st.integers(1, 5)), max_size=20)
)
def test_the_last_revision_of_each_row_is_the_sum_of_all_counts(counted: list[tuple[str, str, int]]) -> None:
    totals: dict[str, dict[str, int]] = {}
    last: dict[tuple[str, str], int] = {}
    for offset, (model, outcome, n) in enumerate(counted):
        own = totals.setdefault(model, {})
        own[outcome] = own.get(outcome, 0) + n
        rows = outcome_rows(step(offset, {(model, outcome): n}, totals), 0)
        assert rows is not None
        last |= {(row["model"], row["outcome"]): row["n"] for row in rows.to_pylist()}
    expected = Counter[tuple[str, str]]()
    for model, outcome, n in counted:
        expected[model, outcome] += n
    assert last == expected
