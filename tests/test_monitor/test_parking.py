"""A model whose reference is missing waits alone, loses nothing, and then has the results of one that never waited."""

from collections.abc import Sequence

from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.flow import MINUTE_MS, Event, last_revisions, make_reference, make_watched, message_of
from support.machine import MODEL, REFERENCE, Machine, at, clock

from detectors.reference import Reference
from monitor.evaluation.evaluator import Evaluator
from monitor.evaluation.results import Source
from monitor.evaluation.state import read_seal
from monitor.evaluation.watched import Watched
from monitor.sketching.messages import Delta, SketchMessage

OTHER = make_reference(seed=2)


def model_with(references: dict[str, Reference], **changes: object) -> Watched:
    return make_watched(REFERENCE, references=references, **changes)


def messages_of(minutes: Sequence[tuple[float, int, bool]], *, clock_minute: int = 0) -> list[SketchMessage]:
    """A message for each (minute, events, on the other reference): its counts, then the latest time so far."""
    latest, messages = -1, []
    for minute, n, other in minutes:
        reference = OTHER if other else REFERENCE
        latest = max(latest, int(minute * MINUTE_MS))
        messages.append(message_of(at(minute, n) if n else [], reference, MODEL, [clock(0, latest)], 1))
    return [*messages, message_of([], REFERENCE, MODEL, [clock(0, latest + 30 * MINUTE_MS)], 1)]


def shown(machine: Machine) -> tuple[dict[tuple[object, ...], object], list[object]]:
    """What ClickHouse would show: the last revision of each score, and what came too late."""
    scores = {
        (key, row.reference): (row.statistic, row.n_current, row.p_value)
        for digest in (REFERENCE.digest, OTHER.digest)
        for key, row in last_revisions([row for row in machine.scores if row.reference == digest]).items()
    }
    late = [(row.version, row.pane_start_ms, row.n, row.source_offset) for row in machine.late]
    return scores, late  # type: ignore[return-value]


MINUTES = st.lists(
    st.tuples(st.floats(0, 40).map(lambda x: round(x, 1)), st.integers(0, 8), st.booleans()), min_size=1, max_size=12
)


@settings(max_examples=150, deadline=None)
@given(MINUTES, st.integers(0, 13), st.integers(0, 13), st.sampled_from([0, 3, 60]), st.sampled_from([1, 32]))
@example(minutes=[(0.0, 1, False), (9.0, 1, True)], comes=3, leaves=0, retention=0, at_once=1)
def test_a_model_that_waited_has_the_results_of_one_that_never_did(
    minutes: list[tuple[float, int, bool]], comes: int, leaves: int, retention: int, at_once: int
) -> None:
    """The other reference is there until `leaves`, and from `comes` on; what the windows need in between is missing."""
    import monitor.evaluation.parking as parking

    messages = messages_of(minutes)
    changes = {"retention_ms": retention * MINUTE_MS}
    plain = Machine(Evaluator([model_with({REFERENCE.digest: REFERENCE, OTHER.digest: OTHER}, **changes)]))
    for offset, message in enumerate(messages):
        plain.take(offset, message)

    references = {REFERENCE.digest: REFERENCE, OTHER.digest: OTHER}
    machine = Machine(Evaluator([model_with(references, **changes)]))
    before, parking.MAX_SHARES = parking.MAX_SHARES, at_once  # type: ignore[misc]
    try:
        for offset, message in enumerate(messages):
            if offset == leaves:
                references.pop(OTHER.digest, None)
            if offset == comes and comes >= leaves:
                references[OTHER.digest] = OTHER
            machine.take(offset, message)
        references[OTHER.digest] = OTHER
        take_up(machine)
    finally:
        parking.MAX_SHARES = before  # type: ignore[misc]
    assert shown(machine) == shown(plain)
    assert read_seal(machine.local) == read_seal(plain.local)
    assert not [key for key in machine.local if b"parked" in key], "nothing that was kept for it is left"
    # What is forgotten is so by the watermark before a message: a message that waited had one less to pass.
    for offset, one in enumerate((machine, plain) * 2, start=len(messages)):
        one.take(offset, message_of([], REFERENCE, MODEL, [clock(0, (1_000 + offset // 2) * MINUTE_MS)], 1))
    assert machine.local.keys() == plain.local.keys()


def take_up(machine: Machine) -> None:
    """As the role does while no message comes."""
    while (step := machine.evaluator.take_up(machine.local, "s", 0)) is not None:
        machine.sent += step.results
        for key, value in [*step.writes, step.seal]:
            if value is None:
                machine.local.pop(key, None)
            else:
                machine.local[key] = value


def test_the_other_models_of_the_partition_go_on() -> None:
    waits = model_with({})
    goes_on = make_watched(REFERENCE, name="n")
    machine = Machine(Evaluator([waits, goes_on]))
    for offset, minute in enumerate((0.5, 9.0)):
        message = message_of(at(minute), REFERENCE, MODEL, [clock(0, int(minute * MINUTE_MS))], 1)
        (delta,) = message.deltas
        both = [delta, Delta(model="n", reference=delta.reference, pane_ms=delta.pane_ms, entries=delta.entries)]
        machine.take(offset, SketchMessage(deltas=both, clocks=message.clocks, n_partitions=message.n_partitions))
    assert {row.model for row in machine.scores} == {"n"}
    seal = read_seal(machine.local)
    assert (list(seal.watermarks_ms), list(seal.parked)) == (["n"], ["m"])
    assert (seal.parked["m"].first, seal.parked["m"].next) == (0, 2)


def test_what_is_kept_of_a_model_leaves_with_the_model() -> None:
    machine = Machine(Evaluator([model_with({})]))
    for offset in range(3):
        machine.take(offset, message_of(at(offset), REFERENCE, MODEL, [clock(0, offset * MINUTE_MS)], 1))
    assert len(machine.local) == 4
    machine.evaluator = Evaluator([])
    machine.take(3, message_of([], REFERENCE, MODEL, [clock(0, 4 * MINUTE_MS)], 1))
    assert list(machine.local) == [b"seal"]


def test_each_message_that_waits_has_a_value_of_its_own_and_clocks_have_none() -> None:
    machine = Machine(Evaluator([model_with({})]))
    events = [Event(0, 0.1, 0, 0)]
    for offset in range(200):
        part = events if offset % 10 == 0 else []
        machine.take(offset, message_of(part, REFERENCE, MODEL, [clock(0, offset * 1000)], 1))
    assert len(machine.local) == 1 + 20
    assert max(map(len, machine.local.values())) < 2_000
    step = machine.evaluator.advance(
        machine.local, message_of([], REFERENCE, MODEL, [clock(0, 0)], 1), Source(topic="s", partition=0, offset=200)
    )
    assert step.waiting == {"m": REFERENCE.digest}
