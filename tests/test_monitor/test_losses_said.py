"""Every role says what it leaves out, how many, why, and one of them, at most once a minute."""

from monitor.roles.losses_said import Line, LossesSaid


def shown(lines: list[Line]) -> list[tuple[object, ...]]:
    return [(line.text, line.level, *line.fields.values()) for line in lines]


def test_the_first_is_said_at_once_and_those_of_the_next_minute_together() -> None:
    said = LossesSaid()
    said.add("rejected", 3, "first", model="m", reason="schema")
    assert shown(said.due(0.0)) == [("rejected", "warning", "m", "schema", 3, "first")]
    assert said.due(100.0) == []
    said.add("rejected", 1, "second", model="m", reason="schema")
    said.add("rejected", 1, "third", model="m", reason="schema")
    assert said.due(59.9) == []
    assert shown(said.due(60.0)) == [("rejected", "warning", "m", "schema", 2, "second")]


def test_each_kind_has_its_own_line_the_most_frequent_first_and_the_last_are_said_at_the_end() -> None:
    said = LossesSaid()
    said.add("late", 1, "a", level="error", model="m")
    assert len(said.due(0.0)) == 1
    said.add("late", 2, "b", level="error", model="m")
    said.add("late", 5, "c", level="error", model="n")
    said.add("corrupt", 3, "d", level="error", topic="t")
    assert said.due(1.0) == []
    assert shown(said.due(1.0, last=True)) == [
        ("late", "error", "n", 5, "c"), ("corrupt", "error", "t", 3, "d"), ("late", "error", "m", 2, "b"),
    ]  # fmt: skip
    assert said.due(1.0, last=True) == []
